/* SPDX-License-Identifier: MIT */
/*
 * branch.c - near jumps, calls and returns, LOOP and JCXZ, INT n and its kin, BOUND; far
 * transfers hand over to far.h.
 *
 * Promises   A target outside CS is #GP(0) of the branch itself, with nothing pushed or popped.
 * Source     SDM vol. 2A: CALL, INT, IRET, Jcc, JMP, LOOP, BOUND; vol. 2B: RET, SYSENTER,
 *            SYSEXIT.
 * Not here   Gates, privilege changes, interrupt delivery (monitor/arch/far.h,
 *            monitor/arch/exception.h).
 */
#include "monitor/arch/far.h"
#include "monitor/interp/alu.h"
#include "monitor/interp/forms.h"
#include "monitor/interp/stack.h"

/* Checks a near target and returns it masked to the operand size. */
static inline uint32_t near_target(struct vcpu *v, uint32_t target, unsigned opsize)
{
    if (opsize == 2)
        target &= 0xffff;
    if (unlikely(target > v->seg[SEG_CS].limit))
        fault_gp0(v);
    return target;
}

void branch_to(struct vcpu *v, uint32_t target, unsigned opsize)
{
    v->next_eip = near_target(v, target, opsize);
}

static inline void branch_relative(struct vcpu *v, const struct insn *i)
{
    branch_to(v, v->next_eip + i->imm, i->opsize);
}

/* ---- Jcc ---- */

void i_jcc(struct vcpu *v, const struct insn *i)
{
    if (alu_condition(v->eflags, i->cond))
        branch_relative(v, i);
}

#define CONDITION_LIST(X)                                                                          \
    X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)

#define JCC_HANDLER(cc)                                                                            \
    static void jcc32_##cc(struct vcpu *v, const struct insn *i)                                   \
    {                                                                                              \
        if (alu_condition(v->eflags, cc))                                                          \
            v->next_eip = near_target(v, v->next_eip + i->imm, 4);                                 \
    }
CONDITION_LIST(JCC_HANDLER)

#define JCC_ENTRY(cc) jcc32_##cc,
static insn_fn *const jcc32_table[16] = {CONDITION_LIST(JCC_ENTRY)};

/* ---- JMP, CALL, RET ---- */

/* The target of JMP or CALL: by relative displacement, register or memory. */
static uint32_t transfer_target(struct vcpu *v, const struct insn *i)
{
    if (i->operand[0].kind == OPK_REL)
        return v->next_eip + i->imm;
    if (i->operand[0].kind == OPK_MEM)
        return mem_read(v, i->seg, ea(v, i), i->opsize);
    return v->gpr[i->operand[0].reg];
}

void i_jmp(struct vcpu *v, const struct insn *i)
{
    branch_to(v, transfer_target(v, i), i->opsize);
}

static void jmp32_rel(struct vcpu *v, const struct insn *i)
{
    v->next_eip = near_target(v, v->next_eip + i->imm, 4);
}

void i_call(struct vcpu *v, const struct insn *i)
{
    uint32_t target = near_target(v, transfer_target(v, i), i->opsize);

    stack_push_value(v, i, v->next_eip, i->opsize);
    v->next_eip = target;
}

static void call32_rel(struct vcpu *v, const struct insn *i)
{
    uint32_t target = near_target(v, v->next_eip + i->imm, 4), sp = v->gpr[ESP] - 4;

    mem_write32(v, SEG_SS, sp, v->next_eip);
    v->gpr[ESP] = sp;
    v->next_eip = target;
}

/* C2 and CA release imm16 bytes of arguments, C3 and CB none. */
static inline uint32_t ret_release(const struct insn *i)
{
    return i->opcode & 1 ? 0 : i->imm & 0xffff;
}

void i_ret(struct vcpu *v, const struct insn *i)
{
    uint32_t target = near_target(v, stack_top(v, i, i->opsize), i->opsize);

    stack_drop(v, i, i->opsize + ret_release(i));
    v->next_eip = target;
}

static void ret32(struct vcpu *v, const struct insn *i)
{
    uint32_t target = near_target(v, mem_read32(v, SEG_SS, v->gpr[ESP]), 4);

    v->gpr[ESP] += 4 + ret_release(i);
    v->next_eip = target;
}

/* ---- LOOP, JCXZ: the counter is CX or ECX by address size ---- */

/* Counts down and jumps while the counter is not 0 and `more`. The jump is checked before the
 * counter changes. */
static void loop_while(struct vcpu *v, const struct insn *i, bool more)
{
    uint32_t count = v->gpr[ECX] - 1;

    if (i->addr_size == 2)
        count &= 0xffff;
    if (count != 0 && more)
        branch_relative(v, i);
    reg_put(v, ECX, i->addr_size, count);
}

void i_loop(struct vcpu *v, const struct insn *i)
{
    loop_while(v, i, true);
}

void i_loope(struct vcpu *v, const struct insn *i)
{
    loop_while(v, i, v->eflags & EFL_ZF);
}

void i_loopne(struct vcpu *v, const struct insn *i)
{
    loop_while(v, i, !(v->eflags & EFL_ZF));
}

void i_jcxz(struct vcpu *v, const struct insn *i)
{
    if (reg_get(v, ECX, i->addr_size) == 0)
        branch_relative(v, i);
}

/* ---- far ---- */

struct far_ptr {
    uint16_t sel;
    uint32_t off;
};

/* ptr16:16/32 in the instruction, or m16:16/32: offset first, selector after it. */
static struct far_ptr far_target(struct vcpu *v, const struct insn *i)
{
    struct far_ptr p = {.sel = (uint16_t)i->imm2, .off = i->imm};
    uint32_t off;

    if (i->operand[0].kind == OPK_MEM) {
        off = ea(v, i);
        p.off = mem_read(v, i->seg, off, i->opsize);
        p.sel = mem_read16(v, i->seg, ea_add(i, off, i->opsize));
    }
    if (i->opsize == 2)
        p.off &= 0xffff;
    return p;
}

void i_jmp_far(struct vcpu *v, const struct insn *i)
{
    struct far_ptr p = far_target(v, i);

    far_jmp(v, p.sel, p.off, i->opsize);
}

void i_call_far(struct vcpu *v, const struct insn *i)
{
    struct far_ptr p = far_target(v, i);

    far_call(v, p.sel, p.off, i->opsize);
}

void i_ret_far(struct vcpu *v, const struct insn *i)
{
    far_ret(v, i->opsize, (uint16_t)ret_release(i));
}

void i_iret(struct vcpu *v, const struct insn *i)
{
    far_iret(v, i->opsize);
}

void i_sysenter(struct vcpu *v, const struct insn *i)
{
    (void)i;
    if (vcpu_real_mode(v))
        fault_gp0(v);
    far_sysenter(v);
}

void i_sysexit(struct vcpu *v, const struct insn *i)
{
    (void)i;
    if (vcpu_real_mode(v))
        fault_gp0(v);
    require_cpl0(v);
    far_sysexit(v);
}

/* ---- software interrupts ---- */

void i_int(struct vcpu *v, const struct insn *i)
{
    event_deliver(v, EVENT_SOFT, i->imm & 0xff, NO_ERROR_CODE);
}

void i_int3(struct vcpu *v, const struct insn *i)
{
    (void)i;
    event_deliver(v, EVENT_SOFT_TRAP, VEC_BP, NO_ERROR_CODE);
}

void i_into(struct vcpu *v, const struct insn *i)
{
    (void)i;
    if (v->eflags & EFL_OF)
        event_deliver(v, EVENT_SOFT_TRAP, VEC_OF, NO_ERROR_CODE);
}

void i_int1(struct vcpu *v, const struct insn *i)
{
    (void)i;
    event_deliver(v, EVENT_ICEBP, VEC_DB, NO_ERROR_CODE);
    v->next_eip = v->eip; /* the handler's entry point */
}

void i_ud(struct vcpu *v, const struct insn *i)
{
    (void)i;
    fault_ud(v);
}

/* Signed index against the pair of bounds in memory. */
static int32_t bound_read(struct vcpu *v, const struct insn *i, uint32_t off)
{
    uint32_t val = mem_read(v, i->seg, off, i->opsize);

    return i->opsize == 2 ? (int16_t)val : (int32_t)val;
}

/* The upper bound is not looked at when the lower one is violated. */
void i_bound(struct vcpu *v, const struct insn *i)
{
    uint32_t off = ea(v, i), reg = v->gpr[i->operand[0].reg];
    int32_t index = i->opsize == 2 ? (int16_t)reg : (int32_t)reg;

    if (index < bound_read(v, i, off) || index > bound_read(v, i, ea_add(i, off, i->opsize)))
        fault_raise(v, VEC_BR, NO_ERROR_CODE);
}

insn_fn *branch_select(const struct insn *i)
{
    if (i->opsize != 4)
        return NULL;
    switch (i->op) {
    case OP_jcc:
        return jcc32_table[i->cond & 15];
    case OP_jmp:
        return i->operand[0].kind == OPK_REL ? jmp32_rel : NULL;
    case OP_call:
        return i->operand[0].kind == OPK_REL && i->stack_size == 4 ? call32_rel : NULL;
    case OP_ret:
        return i->stack_size == 4 ? ret32 : NULL;
    default:
        return NULL;
    }
}
