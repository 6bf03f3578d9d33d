/* SPDX-License-Identifier: MIT */
/*
 * fpu.c - x87, MMX and SSE: the guest's own instructions on the host's unit.
 *
 * How        The registers are live (docs/codegen.md section 9), so an instruction is copied with
 *            its memory operand and its general register replaced. Its exceptions come from the
 *            host, at the instruction that the guest's CPU would blame: the trap has the
 *            interpreter run that one and raise #MF, #XM, #UD, #GP(0), or assert FERR#.
 * Not here   The x87 instruction and data pointers (x87_pointers.c); what is a callout in op.def:
 *            instructions that load or store whole environments, or may take FERR# back (FNCLEX,
 *            FNINIT), LDMXCSR (reserved bits) and MASKMOVx.
 * Source     SDM vol. 1, sections 8.1.8 (pointers) and 8.1.9 (opcode); vol. 3A, sections 2.5
 *            (CR0.EM, TS; CR4.OSFXSR) and 13.1.
 */
#include "bt/translate/tu.h"
#include "monitor/cpu/cpuid.h"

static bool names_esp(const struct insn *i)
{
    for (unsigned n = 0; n < i->nops; n++)
        if (i->operand[n].kind == OPK_GPR && i->operand[n].reg == ESP)
            return true;
    return false;
}

static unsigned access_of(const struct operand *o)
{
    return (o->act & ACT_R ? TU_R : 0) | (o->act & ACT_W ? TU_W : 0);
}

/* The instruction itself. *m: its memory operand on the host, if it has one. A CPU stores ten bytes
 * in two parts: only the software TLB knows before the first that both may be written. */
static void copy(struct tu *t, const struct insn *i, const struct operand *o, struct hmem *m)
{
    if (!o) {
        tu_reencode(t, i, NULL);
        return;
    }
    if ((o->act & ACT_W) && o->size == 10)
        t->window = false;
    *m = tu_mem(t, i, o->size, access_of(o));
    tu_reencode(t, i, m);
}

/* ---- MMX and SSE ---- */

/* A host CPU turns to MMX (TOP = 0) even when the memory operand then faults: in a window the
 * access is tried first, at both ends. What it reads or writes is what is there; a pending #MF
 * comes before that makes a page accessed or dirty. */
static void probe(struct tu *t, const struct operand *o, struct hmem m)
{
    emit_fwait(&t->e);
    for (unsigned end = 0; end < 2; end++) {
        emit_movzx_rm8(&t->e, R11, m);
        if (o->act & ACT_W)
            emit_mov_mr8(&t->e, m, R11);
        m.disp += o->size - 1;
    }
}

/* MOVNTQ would send the line that the probe has just read back to memory at once, and so wait for
 * memory at each store: MOVQ stores the same. */
static void copy_probed(struct tu *t, const struct insn *i, const struct hmem *m)
{
    struct insn as = *i;

    if (i->op == OP_movntq)
        as.opcode = 0x7f;
    tu_reencode(t, &as, m);
}

void t_simd(struct tu *t, const struct insn *i)
{
    const struct operand *o = insn_memory(i);
    struct hmem m;

    if (!(t->ctx & (insn_needs_sse(i) ? CTX_SSE : CTX_FPU)) || (o && !tu_mem_ok(t, i))) {
        tu_callout(t);
        return;
    }
    if (names_esp(i))
        tu_flush_esp(t);
    if (!o || !t->window || !insn_names(i, OPK_MMX)) {
        copy(t, i, o, &m);
        return;
    }
    m = tu_mem(t, i, o->size, access_of(o) | TU_PARTS);
    probe(t, o, m);
    copy_probed(t, i, &m);
}

/* ---- x87 ---- */

/* Does the CPU model record the data pointer only when an exception came up? Then the interpreter
 * looks. */
static bool fdp_is_conditional(const struct tu *t)
{
    const struct cpu_model *model = t->v->vm->cpu_model;

    return model && model->feat_7_ebx & CPUID_7_EBX_FDP_EXCPTN_ONLY;
}

/* With CR0.NE = 0 every x87 instruction may change FERR#: the interpreter's handler does that. */
static bool native_x87(const struct tu *t)
{
    return (t->ctx & CTX_FPU) && (t->ctx & CTX_X87_NE);
}

void t_x87(struct tu *t, const struct insn *i)
{
    const struct operand *o = insn_memory(i);
    bool control = i->traits & T_X87_CONTROL;
    struct hmem m;

    if (!native_x87(t) ||
        (o && (!tu_mem_ok(t, i) || (!control && (i->addr_size == 2 || fdp_is_conditional(t)))))) {
        tu_callout(t);
        return;
    }
    copy(t, i, o, &m);
    if (!control)
        tu_x87_remember(t, i, o);
}

/* CTX_FPU says CR0.TS = 0, so there is no #NM. */
void t_fwait(struct tu *t, const struct insn *i)
{
    (void)i;
    if (native_x87(t))
        emit_fwait(&t->e);
    else
        tu_callout(t);
}
