/* SPDX-License-Identifier: MIT */
/*
 * handler.h - what every instruction handler relies on.
 *
 * Contract   On entry v->eip is the instruction's address and v->next_eip = eip + len. A handler
 *            either completes, or raises (monitor/cpu/fault.h) with nothing architecturally changed
 *            unless the SDM says so: compute, access memory, and only then write registers, ESP and
 *            flags. Control transfers set v->next_eip after checking the CS limit with branch_to().
 *            A handler for REP strings may do part of the work and leave v->next_eip = v->eip
 *            (rep.h): registers must then be exact.
 */
#ifndef RING1_MONITOR_INTERP_HANDLER_H
#define RING1_MONITOR_INTERP_HANDLER_H

#include "decoder/insn.h"
#include "monitor/arch/exception.h"
#include "monitor/cpu/vcpu.h"
#include "shadow-mmu/access.h"

typedef void insn_fn(struct vcpu *v, const struct insn *i);

/* All handlers, by the handler column of op.def. */
#define OP(name, handler, emitter, traits) insn_fn i_##handler;
#include "decoder/op.def"
#undef OP

static inline uint8_t reg8_get(const struct vcpu *v, unsigned r)
{
    return (uint8_t)(v->gpr[r & 3] >> (r & 4 ? 8 : 0));
}
static inline void reg8_set(struct vcpu *v, unsigned r, uint8_t val)
{
    unsigned sh = r & 4 ? 8 : 0;
    v->gpr[r & 3] = (v->gpr[r & 3] & ~(0xffu << sh)) | (uint32_t)val << sh;
}
static inline uint16_t reg16_get(const struct vcpu *v, unsigned r)
{
    return (uint16_t)v->gpr[r];
}
static inline void reg16_set(struct vcpu *v, unsigned r, uint16_t val)
{
    v->gpr[r] = (v->gpr[r] & 0xffff0000u) | val;
}
static inline uint32_t reg32_get(const struct vcpu *v, unsigned r)
{
    return v->gpr[r];
}
static inline void reg32_set(struct vcpu *v, unsigned r, uint32_t val)
{
    v->gpr[r] = val;
}

/* Effective address of the memory operand (not yet the linear one). */
static inline uint32_t ea(const struct vcpu *v, const struct insn *i)
{
    uint32_t a = (uint32_t)i->disp;
    if (i->base != INSN_NO_REG)
        a += v->gpr[i->base];
    if (i->index != INSN_NO_REG)
        a += v->gpr[i->index] << i->scale;
    return i->addr_size == 2 ? a & 0xffff : a;
}

/* Operand n by its kind and size (1, 2, 4 bytes): register, memory or immediate. put: register or
 * memory. */
uint32_t operand_get(struct vcpu *v, const struct insn *i, unsigned n);
void operand_put(struct vcpu *v, const struct insn *i, unsigned n, uint32_t val);

/* The best handler for a decoded record: a specialised one for the hot forms, i_<handler>
 * otherwise. Never NULL. */
insn_fn *interp_select(const struct insn *i);

/* Makes a near transfer: masks target to 16 bits when opsize is 2, checks the CS limit (#GP(0)),
 * sets v->next_eip. */
void branch_to(struct vcpu *v, uint32_t target, unsigned opsize);

#endif
