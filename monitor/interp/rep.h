/* SPDX-License-Identifier: MIT */
/*
 * rep.h - the repeat loop of string instructions.
 *
 * Contract   A step does one iteration completely, or raises with the registers as they were
 *            before it: so a fault in the middle of a REP leaves counts and indices exact. A run
 *            does many at once where nothing can fault.
 * Promises   The loop stops between two iterations, with next_eip = eip and RF set, when TF is set
 *            (the trap comes after each iteration), when an iteration asks for attention that
 *            cannot wait, or after some 50 us of work, so that the run loop can look at the clock.
 *            RF goes away again when no event was taken: a double fault that a later iteration sets
 *            off pushes it as it was before.
 *            At least one iteration is done each time.
 * Source     SDM vol. 2B: REP/REPE/REPZ/REPNE/REPNZ.
 */
#ifndef RING1_MONITOR_INTERP_REP_H
#define RING1_MONITOR_INTERP_REP_H

#include "monitor/interp/operand.h"

/* How much the loop does before it returns, in units of 1/16 of a single step, and what a step and
 * an iteration in a run count: REP_STEP_COST and 1 / REP_RUN_GAIN. */
#define REP_BATCH     16384u
#define REP_STEP_COST 16u
#define REP_RUN_GAIN  16u

/* One iteration. Returns false when the instruction ends here whatever the count says (REPE,
 * REPNE). */
typedef bool rep_step_fn(struct vcpu *v, const struct insn *i);
/* Up to `max` (>= 1) iterations at once, without any fault; returns how many, 0: take a step. */
typedef uint32_t rep_run_fn(struct vcpu *v, const struct insn *i, uint32_t max);

/* Count and index registers are 16 or 32 bits wide by the address size. */
static inline uint32_t rep_reg(const struct vcpu *v, const struct insn *i, unsigned r)
{
    return i->addr_size == 2 ? reg16_get(v, r) : v->gpr[r];
}
static inline void rep_reg_add(struct vcpu *v, const struct insn *i, unsigned r, uint32_t delta)
{
    if (i->addr_size == 2)
        reg16_set(v, r, (uint16_t)(v->gpr[r] + delta));
    else
        v->gpr[r] += delta;
}

/* How much an index register advances: the operand's size, negative with DF. */
static inline uint32_t rep_stride(const struct vcpu *v, const struct insn *i)
{
    return v->eflags & EFL_DF ? 0u - i->opsize : i->opsize;
}

/* Runs the instruction; `urgent` are the ATT_* that stop it after a step. `run` may be NULL. */
void rep_loop(struct vcpu *v, const struct insn *i, rep_step_fn *step, rep_run_fn *run,
              uint32_t urgent);

#endif
