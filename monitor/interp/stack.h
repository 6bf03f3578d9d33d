/* SPDX-License-Identifier: MIT */
/*
 * stack.h - pushes and pops of one value through SS:[E]SP, ESP changed only after memory was.
 *
 * Invariant  With a 16-bit stack segment only SP takes part: addresses wrap at 64 KiB, ESP's
 *            upper half is kept.
 * Not here   Several values at once in far transfers (monitor/arch/far.h: struct stack_cursor).
 */
#ifndef RING1_MONITOR_INTERP_STACK_H
#define RING1_MONITOR_INTERP_STACK_H

#include "monitor/interp/operand.h"

/* The stack offset that the pointer value `sp` stands for. */
static inline uint32_t stack_off(const struct insn *i, uint32_t sp)
{
    return i->stack_size == 2 ? sp & 0xffff : sp;
}

static inline void stack_set(struct vcpu *v, const struct insn *i, uint32_t sp)
{
    if (i->stack_size == 2)
        reg16_set(v, ESP, (uint16_t)sp);
    else
        v->gpr[ESP] = sp;
}

/* Writes the low `size` bytes, 2 or 4, of val below the top, then moves ESP there. */
static inline void stack_push_value(struct vcpu *v, const struct insn *i, uint32_t val,
                                    unsigned size)
{
    uint32_t sp = v->gpr[ESP] - size;

    if (size == 4)
        mem_write32(v, SEG_SS, stack_off(i, sp), val);
    else
        mem_write16(v, SEG_SS, stack_off(i, sp), (uint16_t)val);
    stack_set(v, i, sp);
}

/* Reads the top; the caller moves ESP when nothing can fault any more. */
static inline uint32_t stack_top(struct vcpu *v, const struct insn *i, unsigned size)
{
    uint32_t off = stack_off(i, v->gpr[ESP]);

    return size == 4 ? mem_read32(v, SEG_SS, off) : mem_read16(v, SEG_SS, off);
}

static inline void stack_drop(struct vcpu *v, const struct insn *i, uint32_t bytes)
{
    stack_set(v, i, v->gpr[ESP] + bytes);
}

#endif
