/* SPDX-License-Identifier: MIT */
/*
 * segment.c - emitters of PUSH Sreg, POP Sreg, MOV with segment registers, LAR, LSL, VERR and VERW:
 * the guest's selectors, which the host's segment registers know nothing of.
 *
 * Loads      Kernels load DS, ES, FS and GS at every entry and exit. bt_load_segment()
 *            (bt/run/segment_calls.c) does what cannot fault and leaves the context as it is; the
 *            interpreter's handler does the rest, and SS with its interrupt shadow.
 * Source     SDM vol. 2A: MOV; vol. 2B: POP, PUSH; vol. 3A, section 5.6.
 */
#include "bt/translate/tu.h"

/* Where segment register n's selector lies, from r15. */
static struct hmem selector(unsigned n)
{
    return HMEM(R15, BT_OFF(seg[0].sel) + (int32_t)(n * sizeof(struct seg)));
}

static void movzx_rm16(struct emit *e, unsigned dst, struct hmem m)
{
    emit_insn_m(e, 0, MAP_0F, 0xb7, dst, m);
}

/* One-byte opcodes 06, 0E, 16, 1E name ES, CS, SS, DS; 0F A0 is FS, 0F A8 is GS. */
static unsigned pushed_register(const struct insn *i)
{
    if (i->map == 1)
        return i->opcode & 8 ? SEG_GS : SEG_FS;
    return i->opcode >> 3 & 3;
}

/* Writes two bytes and leaves the other two of the slot alone, as CPUs do (SDM vol. 2B, PUSH). */
void t_push_seg(struct tu *t, const struct insn *i)
{
    bool stack = t->ctx & CTX_STACK32 && ctx_seg(t->ctx, SEG_SS) != CTX_SEG_OTHER;

    if (i->opsize != 4 || !stack) {
        tu_callout(t);
        return;
    }
    movzx_rm16(&t->e, R11, selector(pushed_register(i)));
    emit_mov_mr16(&t->e, tu_mem_at(t, SEG_SS, ESP, -4, 2, TU_W), R11);
    t->esp_delta -= 4;
}

/* Memory gets 16 bits whatever the operand size; a 32-bit register is zero-extended. */
static void store_selector(struct tu *t, const struct insn *i)
{
    struct emit *e = &t->e;
    const struct operand *o = &i->operand[0];
    struct hmem from = selector(i->operand[1].reg);

    if (o->kind == OPK_MEM) {
        movzx_rm16(e, R11, from);
        emit_mov_mr16(e, tu_mem(t, i, 2, TU_W), R11);
        return;
    }
    if (o->reg == ESP)
        tu_flush_esp(t);
    if (o->size == 2)
        emit_insn_m(e, EMIT_66, MAP_1, 0x8b, host_gpr(o->reg), from); /* mov */
    else
        movzx_rm16(e, host_gpr(o->reg), from);
}

/* Selector in r11d to segment register `seg`; ESP is flushed. */
static void load_seg(struct tu *t, unsigned seg, bool pop)
{
    emit_mov_ri32(&t->e, R8, t->block->first_site + t->count - 1);
    emit_mov_ri32(&t->e, R9, seg);
    emit_call(&t->e, t->bt->stubs.load_seg[pop]);
    t->resumes_last = true;
}

static bool is_data_seg(unsigned seg)
{
    return seg == SEG_ES || seg == SEG_DS || seg == SEG_FS || seg == SEG_GS;
}

/* Pointers of an x87 instruction that are yet to be made would get the new selector. */
static bool x87_waits(const struct tu *t)
{
    return t->x87_last || t->x87_mem;
}

void t_mov_seg(struct tu *t, const struct insn *i)
{
    const struct operand *from = &i->operand[1];

    if (from->kind == OPK_SEG) {
        if (i->operand[0].kind == OPK_GPR || tu_mem_ok(t, i))
            store_selector(t, i);
        else
            tu_callout(t);
        return;
    }
    if (!is_data_seg(i->operand[0].reg) || x87_waits(t) ||
        (from->kind == OPK_MEM && !tu_mem_ok(t, i))) {
        tu_callout(t);
        return;
    }
    tu_flush_esp(t);
    if (from->kind == OPK_MEM)
        movzx_rm16(&t->e, R11, tu_mem(t, i, 2, TU_R));
    else
        emit_movzx_rr16(&t->e, R11, host_gpr(from->reg));
    load_seg(t, i->operand[0].reg, false);
}

void t_pop_seg(struct tu *t, const struct insn *i)
{
    unsigned seg = pushed_register(i);
    bool stack = t->ctx & CTX_STACK32 && ctx_seg(t->ctx, SEG_SS) != CTX_SEG_OTHER;

    if (i->opsize != 4 || !stack || !is_data_seg(seg) || x87_waits(t)) {
        tu_callout(t);
        return;
    }
    tu_flush_esp(t);
    movzx_rm16(&t->e, R11, tu_mem_at(t, SEG_SS, ESP, 0, 2, TU_R));
    load_seg(t, seg, true);
}

/* ---- LAR, LSL, VERR, VERW ---- */

static bool is_clobbered(unsigned reg)
{
    return reg != EBX && reg != EBP && reg != ESP;
}

/* The destination is written in the vCPU. A short call does not store all registers there, nor load
 * them all again. */
void t_inspect(struct tu *t, const struct insn *i)
{
    struct emit *e = &t->e;
    bool to_register = i->nops == 2;
    const struct operand *from = &i->operand[to_register];
    unsigned reg = to_register ? i->operand[0].reg : EAX;
    enum bt_inspection kind = i->op == OP_lar    ? BT_LAR
                              : i->op == OP_lsl  ? BT_LSL
                              : i->op == OP_verr ? BT_VERR
                                                 : BT_VERW;
    struct hmem in_vcpu = HMEM(R15, BT_OFF(gpr[0]) + (int32_t)(reg * sizeof t->v->gpr[0]));

    if (from->kind == OPK_MEM && !tu_mem_ok(t, i)) {
        tu_callout(t);
        return;
    }
    tu_flush_esp(t);
    if (from->kind == OPK_MEM)
        movzx_rm16(e, R11, tu_mem(t, i, 2, TU_R));
    else
        emit_movzx_rr16(e, R11, host_gpr(from->reg));
    if (!is_clobbered(reg))
        emit_mov_mr32(e, in_vcpu, host_gpr(reg));
    emit_mov_ri32(e, R8, t->block->first_site + t->count - 1);
    emit_mov_ri32(e, R9, BT_INSPECT(kind, reg, i->opsize));
    emit_call(e, t->bt->stubs.inspect);
    if (!is_clobbered(reg))
        emit_mov_rm32(e, host_gpr(reg), in_vcpu);
    t->resumes_last = true;
}
