/* SPDX-License-Identifier: MIT */
/*
 * stack.c - PUSH POP PUSHA POPA ENTER LEAVE PUSHF POPF, PUSH and POP of segment registers.
 *
 * Promises   When an instruction faults, neither registers nor the stack have changed: those
 *            that push several values probe every slot before the first is written.
 * Source     SDM vol. 2A: ENTER, LEAVE; vol. 2B: POP, POPA, POPF, PUSH, PUSHA, PUSHF; vol. 3A,
 *            section 6.8.3 (POP SS).
 */
#include "monitor/interp/stack.h"
#include "monitor/arch/far.h"
#include "monitor/arch/segment.h"
#include "monitor/interp/forms.h"

/* ---- PUSH, POP ---- */

void i_push(struct vcpu *v, const struct insn *i)
{
    const struct operand *o = &i->operand[0];
    uint32_t val = o->kind == OPK_IMM ? i->imm : operand_get(v, i, 0);

    stack_push_value(v, i, val, i->opsize);
}

void i_pop(struct vcpu *v, const struct insn *i)
{
    uint32_t val = stack_top(v, i, i->opsize), old = v->gpr[ESP], new, off;

    stack_drop(v, i, i->opsize);
    if (!operand_is_mem(i, 0)) {
        reg_put(v, i->operand[0].reg, i->opsize, val); /* POP ESP: the value wins */
        return;
    }
    /* An address that uses ESP sees it incremented, but a faulting store must not. */
    new = v->gpr[ESP];
    off = ea(v, i);
    v->gpr[ESP] = old;
    mem_write(v, i->seg, off, i->opsize, val);
    v->gpr[ESP] = new;
}

/* The hot forms: 32-bit operand, 32-bit stack. */
static void push32_r(struct vcpu *v, const struct insn *i)
{
    uint32_t sp = v->gpr[ESP] - 4;

    mem_write32(v, SEG_SS, sp, v->gpr[i->operand[0].reg]);
    v->gpr[ESP] = sp;
}

static void push32_i(struct vcpu *v, const struct insn *i)
{
    uint32_t sp = v->gpr[ESP] - 4;

    mem_write32(v, SEG_SS, sp, i->imm);
    v->gpr[ESP] = sp;
}

static void push32_m(struct vcpu *v, const struct insn *i)
{
    uint32_t val = mem_read32(v, i->seg, ea(v, i)), sp = v->gpr[ESP] - 4;

    mem_write32(v, SEG_SS, sp, val);
    v->gpr[ESP] = sp;
}

static void pop32_r(struct vcpu *v, const struct insn *i)
{
    uint32_t val = mem_read32(v, SEG_SS, v->gpr[ESP]);

    v->gpr[ESP] += 4;
    v->gpr[i->operand[0].reg] = val;
}

/* ---- several slots ---- */

/* Raises unless the stack slot at `sp` can be accessed with `acc` (SEG_ACC_R or SEG_ACC_W). */
static void slot_check(struct vcpu *v, const struct insn *i, uint32_t sp, unsigned acc)
{
    gla_t gla = seg_linear(v, SEG_SS, stack_off(i, sp), i->opsize, acc);

    lin_probe(v, gla, i->opsize, lin_how(v) | (acc == SEG_ACC_W ? MMU_WRITE : MMU_READ));
    if (unlikely(v->eflags & EFL_AC) && v->cpl == 3 && (v->cr0 & CR0_AM) && (gla & (i->opsize - 1)))
        fault_raise(v, VEC_AC, 0);
}

static uint32_t slot_read(struct vcpu *v, const struct insn *i, uint32_t sp)
{
    return mem_read(v, SEG_SS, stack_off(i, sp), i->opsize);
}

static void slot_write(struct vcpu *v, const struct insn *i, uint32_t sp, uint32_t val)
{
    mem_write(v, SEG_SS, stack_off(i, sp), i->opsize, val);
}

void i_pusha(struct vcpu *v, const struct insn *i)
{
    uint32_t sp = v->gpr[ESP];
    unsigned r;

    /* Real mode refuses odd pointers that would wrap in the middle of a word. */
    if (vcpu_real_mode(v) && i->stack_size == 2 && (sp & 1) && (sp & 0xffff) >= 7 &&
        (sp & 0xffff) <= 15)
        fault_gp0(v);
    for (r = 1; r <= GPR_COUNT; r++)
        slot_check(v, i, sp - r * i->opsize, SEG_ACC_W);
    for (r = 0; r < GPR_COUNT; r++)
        slot_write(v, i, sp - (r + 1) * i->opsize, v->gpr[r]);
    stack_set(v, i, sp - GPR_COUNT * i->opsize);
}

void i_popa(struct vcpu *v, const struct insn *i)
{
    uint32_t sp = v->gpr[ESP], val[GPR_COUNT];
    unsigned r;

    for (r = 0; r < GPR_COUNT; r++)
        val[GPR_COUNT - 1 - r] = slot_read(v, i, sp + r * i->opsize);
    for (r = 0; r < GPR_COUNT; r++)
        if (r != ESP)
            reg_put(v, r, i->opsize, val[r]);
    stack_set(v, i, sp + GPR_COUNT * i->opsize);
}

/* ENTER size, level. With a level, the enclosing frames' pointers are copied from below [E]BP. A
 * source slot may be one that was just pushed, hence probe everything first, then push in order.
 * The frame pointer is the whole of ESP after the first push, on a 16-bit stack too. The new ESP is
 * tried with a write, which CPUs want aligned under EFLAGS.AC like any other. */
void i_enter(struct vcpu *v, const struct insn *i)
{
    unsigned level = i->imm2 & 31, size = i->opsize, n;
    uint32_t sp = v->gpr[ESP] - size, bp = v->gpr[EBP];
    uint32_t frame = i->stack_size == 2 ? (v->gpr[ESP] & 0xffff0000) | (sp & 0xffff) : sp;
    uint32_t final_sp = sp - (level ? level * size : 0) - (i->imm & 0xffff);

    slot_check(v, i, sp, SEG_ACC_W);
    for (n = 1; n < level; n++) {
        slot_check(v, i, bp - n * size, SEG_ACC_R);
        slot_check(v, i, sp - n * size, SEG_ACC_W);
    }
    if (level)
        slot_check(v, i, sp - level * size, SEG_ACC_W);
    slot_check(v, i, final_sp, SEG_ACC_W);

    slot_write(v, i, sp, bp);
    for (n = 1; n < level; n++)
        slot_write(v, i, sp - n * size, slot_read(v, i, bp - n * size));
    if (level)
        slot_write(v, i, sp - level * size, frame);
    reg_put(v, EBP, size, frame);
    stack_set(v, i, final_sp);
}

void i_leave(struct vcpu *v, const struct insn *i)
{
    uint32_t bp = v->gpr[EBP], val = slot_read(v, i, bp);

    stack_set(v, i, bp + i->opsize);
    reg_put(v, EBP, i->opsize, val);
}

static void leave32(struct vcpu *v, const struct insn *i)
{
    uint32_t bp = v->gpr[EBP], val = mem_read32(v, SEG_SS, bp);

    (void)i;
    v->gpr[ESP] = bp + 4;
    v->gpr[EBP] = val;
}

/* ---- EFLAGS ---- */

void i_pushf(struct vcpu *v, const struct insn *i)
{
    stack_push_value(v, i, eflags_pushf(v, i->opsize), i->opsize);
}

void i_popf(struct vcpu *v, const struct insn *i)
{
    uint32_t val = stack_top(v, i, i->opsize);

    eflags_popf(v, val, i->opsize); /* may raise: ESP moves after it */
    stack_drop(v, i, i->opsize);
}

/* ---- segment registers ---- */

/* One-byte opcodes 06, 0E, 16, 1E (07, 17, 1F) name ES, CS, SS, DS; 0F A0/A1 is FS, 0F A8/A9 is
 * GS. */
static unsigned stack_sreg(const struct insn *i)
{
    if (i->map == 1)
        return i->opcode & 8 ? SEG_GS : SEG_FS;
    return i->opcode >> 3 & 3;
}

/* With a 32-bit operand current CPUs write two bytes and leave the other two of the slot alone (SDM
 * vol. 2B, PUSH). */
void i_push_seg(struct vcpu *v, const struct insn *i)
{
    uint32_t sp = v->gpr[ESP] - i->opsize;

    mem_write16(v, SEG_SS, stack_off(i, sp), v->seg[stack_sreg(i)].sel);
    stack_set(v, i, sp);
}

void i_pop_seg(struct vcpu *v, const struct insn *i)
{
    unsigned seg = stack_sreg(i);
    uint16_t sel = mem_read16(v, SEG_SS, stack_off(i, v->gpr[ESP]));

    seg_load(v, seg, sel);
    stack_drop(v, i, i->opsize); /* by the size of the stack it was popped from */
    if (seg == SEG_SS)
        sreg_ss_shadow(v);
}

insn_fn *stack_select(const struct insn *i)
{
    if (i->opsize != 4 || i->stack_size != 4)
        return NULL;
    switch (i->op) {
    case OP_push:
        if (i->operand[0].kind == OPK_IMM)
            return push32_i;
        return operand_is_mem(i, 0) ? push32_m : push32_r;
    case OP_pop:
        return operand_is_mem(i, 0) ? NULL : pop32_r;
    case OP_leave:
        return leave32;
    default:
        return NULL;
    }
}
