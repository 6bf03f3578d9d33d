/* SPDX-License-Identifier: MIT */
/*
 * system.c - emitters of CLI, STI, PUSHF, POPF, SMSW, SGDT, SIDT, SLDT, STR, and MOV from control
 * and debug registers.
 *
 * Promises   docs/codegen.md section 8 says which forms stay in the cache. These are those that
 *            need no privilege check beyond what the context holds and whose effect no other part
 *            of the monitor has to hear of.
 * How        What translated code must not change lies in the vCPU: vcpu.eflags above bit 11 and
 *            vcpu.bt.interrupt_flag. The host's own IF is always 1 and its other system flags are
 *            0.
 * Not here   Segment registers (segment.c).
 * Source     SDM vol. 2 pages of the instructions; vol. 3A, sections 5.9 and 6.8.1; vol. 3B,
 *            section 18.2.
 */
#include "bt/translate/tu.h"

static bool supervisor(const struct tu *t)
{
    return (t->ctx & CTX_CPL) == 0;
}

#define CC_B  2
#define CC_Z  4
#define CC_NZ 5

/* ---- CLI, STI ---- */

void t_cli(struct tu *t, const struct insn *i)
{
    (void)i;
    if (supervisor(t))
        emit_mov_mi8(&t->e, VCPU(bt.interrupt_flag), 0);
    else
        tu_callout(t); /* IOPL decides */
}

/* STAC and CLAC stand around every copy between kernel and user: AC is changed where it lies. The
 * software TLB and the windows do not depend on it (shadow-mmu/tlb.c, "SMAP"); the slow paths read
 * vcpu.eflags. */
void t_smap(struct tu *t, const struct insn *i)
{
    struct emit *e = &t->e;

    if (!supervisor(t)) {
        tu_callout(t);
        return;
    }
    emit_mov_rr32(e, R9, RAX);
    emit_flags_to_ax(e);
    emit_mov_rr32(e, R8, RAX);
    if (i->op == OP_stac)
        emit_alu_mi32(e, ALU_OR, VCPU(eflags), EFL_AC);
    else
        emit_alu_mi32(e, ALU_AND, VCPU(eflags), ~EFL_AC);
    emit_mov_rr32(e, RAX, R8);
    emit_flags_from_ah(e, RAX);
    emit_mov_rr32(e, RAX, R9);
}

/* Will another instruction of the unit follow? Its site then knows what stands before it. */
static bool has_successor(struct tu *t)
{
    unsigned max = t->bt->opt.max_insns;

    return t->count < BT_MAX_INSNS && (!max || t->count < max) && t->cold_count + 8 < TU_MAX_COLD &&
           t->exit_count + 8 < TU_MAX_EXITS && tu_peek(t);
}

/* With no interrupt waiting, nothing can be delivered after the next instruction: what arrives
 * later breaks in. Otherwise the interpreter's handler makes the interrupt shadow exact. */
void t_sti(struct tu *t, const struct insn *i)
{
    struct emit *e = &t->e;

    (void)i;
    if (!supervisor(t) || !has_successor(t)) {
        tu_callout(t);
        return;
    }
    emit_mov_rr64(e, R10, RCX);
    emit_movzx_rm8(e, RCX, VCPU(intr_line));
    uint32_t none = emit_jrcxz8(e);
    tu_cold_jump(t, true);
    emit_here8(e, none);
    emit_mov_rr64(e, RCX, R10);
    emit_mov_mi8(e, VCPU(bt.interrupt_flag), 1);
}

/* ---- PUSHF, POPF ---- */

/* vcpu.eflags' bits 12 and up, the interrupt flag, and the host's lower bits minus its IF. VM, RF
 * and TF are 0 in translated code; the host's own TF is 0 where an instruction begins
 * (bt/run/trap.c). */
void t_pushf(struct tu *t, const struct insn *i)
{
    struct emit *e = &t->e;

    if (i->opsize != 4 || !tu_stack_ok(t) || !tu_bmi2(t)) {
        tu_callout(t);
        return;
    }
    VMM_CHECK(e->at == t->pos[t->count - 1]);
    emit_pushfq(e);
    emit_pop_r64(e, R11);
    emit_mov_rm32(e, R9, VCPU(eflags));
    emit_shrx_rrr32(e, R9, R9, R15);
    emit_rorx_rri32(e, R9, R9, 32 - GUEST_PAGE_SHIFT);
    _Static_assert(LIVE_FLAGS >> GUEST_PAGE_SHIFT == 0, "a shift by a page drops the live flags");
    emit_movzx_rm8(e, R10, VCPU(bt.interrupt_flag));
    emit_rorx_rri32(e, R10, R10, 32 - EFL_IF_SHIFT);
    emit_lea32(e, R11, HMEM_INDEX(R11, R9, 0, -(int32_t)EFL_IF));
    emit_lea32(e, R11, HMEM_INDEX(R11, R10, 0, 0));
    emit_mov_mr32(e, tu_mem_at(t, SEG_SS, ESP, -4, 4, TU_W), R11);
    t->esp_delta -= 4;
}

/* The image is in r13d: does the handler have to look at it? A jump to its end if not. At CPL 0
 * r10d becomes the new IF. Clobbers r8, r10 and the flags. */
static uint32_t popf_check(struct tu *t, uint32_t *special)
{
    struct emit *e = &t->e;
    uint32_t fixed = EFL_TF | EFL_NT | EFL_AC | EFL_ID | (supervisor(t) ? EFL_IOPL : 0);

    emit_mov_rm32(e, R8, VCPU(eflags));
    emit_alu_rr32(e, ALU_XOR, R8, R13);
    emit_test_ri32(e, R8, fixed);
    *special = emit_jcc8(e, CC_NZ);
    if (!supervisor(t)) { /* IF stays, unless IOPL allows to change it */
        emit_mov_rm32(e, R8, VCPU(eflags));
        emit_alu_ri32(e, ALU_AND, R8, EFL_IOPL);
        emit_alu_ri32(e, ALU_CMP, R8, (t->ctx & CTX_CPL) << EFL_IOPL_SHIFT);
        return emit_jcc8(e, CC_B);
    }
    emit_movzx_rm8(e, R8, VCPU(intr_line));
    emit_mov_rr32(e, R10, R13);
    emit_shr_ri32(e, R10, EFL_IF_SHIFT);
    emit_alu_ri32(e, ALU_AND, R10, 1);
    emit_insn_r(e, 0, MAP_1, 0x85, R8, R10); /* test: an interrupt would have to be delivered */
    return emit_jcc8(e, CC_Z);
}

/* The host's live flags from the image in r13d: by SAHF while DF is 0, which is much faster
 * than POPFQ. rax is in r9. Clobbers r13. */
static void load_live_flags(struct emit *e)
{
    uint32_t down, done;

    emit_test_ri32(e, R13, EFL_DF);
    down = emit_jcc8(e, CC_NZ);
    emit_cld(e);
    emit_mov_rr32(e, RAX, R13);
    emit_shl_ri32(e, RAX, 8); /* to AH */
    emit_shr_ri32(e, R13, EFL_OF_SHIFT);
    emit_alu_ri32(e, ALU_AND, R13, 1);
    emit_flags_from_ah(e, R13);
    emit_mov_rr32(e, RAX, R9);
    done = emit_jmp8(e);
    emit_here8(e, down);
    emit_alu_ri32(e, ALU_AND, R13, LIVE_FLAGS);
    emit_alu_ri32(e, ALU_OR, R13, EFL_FIXED1 | EFL_IF);
    emit_push_r64(e, R13);
    emit_popfq(e);
    emit_here8(e, done);
}

/* In line when no system flag changes but IF, and no interrupt waits for IF. */
void t_popf(struct tu *t, const struct insn *i)
{
    struct emit *e = &t->e;
    struct bt_site *site = &t->bt->cache.sites[t->block->first_site + t->count - 1];
    uint32_t special, plain;

    if (i->opsize != 4 || !tu_stack_ok(t)) {
        tu_callout(t);
        return;
    }
    emit_mov_rm32(e, R13, tu_mem_at(t, SEG_SS, ESP, 0, 4, TU_R));
    emit_pushfq(e);
    emit_pop_r64(e, R11);
    emit_mov_rr32(e, R9, RAX);
    site->rebased |= BT_UNDO;
    site->undo.from = e->at;
    plain = popf_check(t, &special);
    emit_here8(e, special);
    emit_push_r64(e, R11);
    emit_popfq(e);
    tu_cold_jump(t, false);
    emit_here8(e, plain);
    load_live_flags(e);
    tu_jump_map_again(t);
    if (supervisor(t)) /* last: up to here all can be undone */
        emit_mov_mr8(e, VCPU(bt.interrupt_flag), R10);
    site->undo.to = e->at;
    t->esp_delta += 4;
}

/* ---- system registers that can be read without a trap ---- */

void t_mov_cr(struct tu *t, const struct insn *i)
{
    static const int32_t field[] = {
        [0] = BT_OFF(cr0), [2] = BT_OFF(cr2), [3] = BT_OFF(cr3), [4] = BT_OFF(cr4)};
    unsigned cr = i->modrm >> 3 & 7, reg = i->modrm & 7; /* mod is ignored */

    if ((i->opcode & 2) && cr == 3) { /* flushes TLBs: what follows is looked up again */
        tu_callout_far(t);
        return;
    }
    if (i->opcode & 2 || !supervisor(t) || cr >= ARRAY_LEN(field) || cr == 1) {
        tu_callout(t);
        return;
    }
    if (reg == ESP)
        tu_flush_esp(t);
    emit_mov_rm32(&t->e, host_gpr(reg), HMEM(R15, field[cr]));
}

/* DR7's bits 12, 14 and 15 are 0: of the 16 low bits, a shift by a page leaves GD. With GD set the
 * callout raises #DB. DR4 and DR5 are #UD or other names of DR6 and DR7, as CR4.DE says. */
void t_mov_dr(struct tu *t, const struct insn *i)
{
    struct emit *e = &t->e;
    unsigned dr = i->modrm >> 3 & 7, reg = i->modrm & 7; /* mod is ignored */

    if (i->opcode & 2 || !supervisor(t) || dr == 4 || dr == 5 || !tu_bmi2(t)) {
        tu_callout(t);
        return;
    }
    if (reg == ESP)
        tu_flush_esp(t);
    emit_mov_rr64(e, R10, RCX);
    emit_insn_m(e, 0, MAP_0F, 0xb7, RCX, VCPU(dr[7])); /* movzx */
    emit_shrx_rrr32(e, RCX, RCX, R15);
    uint32_t free = emit_jrcxz8(e);
    tu_cold_jump(t, true);
    emit_here8(e, free);
    emit_mov_rr64(e, RCX, R10);
    emit_mov_rm32(e, host_gpr(reg), HMEM(R15, BT_OFF(dr[0]) + (int32_t)(dr * sizeof t->v->dr[0])));
}

/* Operand 0 = the 16 bits at `offset` from r15; a 32-bit register gets `wide` of them. */
static void store_word(struct tu *t, const struct insn *i, int32_t offset, bool wide)
{
    struct emit *e = &t->e;
    const struct operand *o = &i->operand[0];
    unsigned reg = host_gpr(o->reg);

    if (o->kind == OPK_MEM) {
        emit_insn_m(e, 0, MAP_0F, 0xb7, R11, HMEM(R15, offset)); /* movzx */
        emit_mov_mr16(e, tu_mem(t, i, 2, TU_W), R11);
        return;
    }
    if (o->reg == ESP)
        tu_flush_esp(t);
    if (o->size == 2)
        emit_insn_m(e, EMIT_66, MAP_1, 0x8b, reg, HMEM(R15, offset)); /* mov */
    else if (wide)
        emit_mov_rm32(e, reg, HMEM(R15, offset));
    else
        emit_insn_m(e, 0, MAP_0F, 0xb7, reg, HMEM(R15, offset));
}

static bool system_store_ok(const struct tu *t, const struct insn *i)
{
    /* CR4.UMIP concerns CPL 1-3 and is not in the context. */
    return supervisor(t) && (i->operand[0].kind == OPK_GPR || tu_mem_ok(t, i));
}

void t_store_word(struct tu *t, const struct insn *i)
{
    if (!system_store_ok(t, i))
        tu_callout(t);
    else if (i->op == OP_smsw)
        store_word(t, i, BT_OFF(cr0), true);
    else if (i->op == OP_sldt)
        store_word(t, i, BT_OFF(ldtr.sel), false);
    else
        store_word(t, i, BT_OFF(tr.sel), false);
}

/* Two stores, so only where one check covers both: not in a window. */
void t_store_table(struct tu *t, const struct insn *i)
{
    struct emit *e = &t->e;
    bool gdt = i->op == OP_sgdt;

    if (!system_store_ok(t, i) || t->window) {
        tu_callout(t);
        return;
    }
    struct hmem m = tu_mem(t, i, 6, TU_W);
    emit_insn_m(e, 0, MAP_0F, 0xb7, R10, gdt ? VCPU(gdtr.limit) : VCPU(idtr.limit)); /* movzx */
    emit_mov_mr16(e, m, R10);
    emit_mov_rm32(e, R10, gdt ? VCPU(gdtr.base) : VCPU(idtr.base));
    m.disp += 2;
    emit_mov_mr32(e, m, R10);
}

/* The counter follows the host's clock (monitor/arch/tsc.c), so C code reads it. */
void t_rdtsc(struct tu *t, const struct insn *i)
{
    (void)i;
    if (!(t->ctx & CTX_TSC)) {
        tu_callout(t);
        return;
    }
    emit_call(&t->e, t->bt->stubs.rdtsc);
    t->resumes_last = true;
}

/* ---- what leaves the unit ---- */

/* Transfers through the IDT, between segments or privileges, and HLT: hardly ever come back to the
 * next instruction at once. INVLPG does, but what follows is looked up again after a flush. */
void t_leave(struct tu *t, const struct insn *i)
{
    (void)i;
    tu_callout_far(t);
}
