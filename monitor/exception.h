/* SPDX-License-Identifier: MIT */
/*
 * exception.h - raising exceptions from anywhere in a handler, and delivering events through the
 * IDT.
 *
 * Promises   fault_raise() never returns: it unwinds to the run loop, which delivers the exception
 *            with eip = the instruction's start. Delivery handles real mode (IVT), protected mode
 *            (interrupt, trap, task gates), V86 (VME redirection included), contributory faults
 *            (#DF) and shutdown (EXIT_TRIPLE_FAULT).
 * Source     SDM vol. 3A, chapter 6; vol. 3B, chapter 21 for V86.
 */
#ifndef RING1_MONITOR_EXCEPTION_H
#define RING1_MONITOR_EXCEPTION_H

#include "monitor/vcpu.h"

#define NO_ERROR_CODE 0xffffffffu

/* Fault of the current instruction. error: NO_ERROR_CODE where the vector has none. */
_Noreturn void fault_raise(struct vcpu *v, unsigned vector, uint32_t error);
static inline _Noreturn void fault_gp0(struct vcpu *v)
{
    fault_raise(v, VEC_GP, 0);
}
static inline _Noreturn void fault_ud(struct vcpu *v)
{
    fault_raise(v, VEC_UD, NO_ERROR_CODE);
}
/* Sets CR2 and raises #PF. */
_Noreturn void fault_pf(struct vcpu *v, gla_t gla, uint32_t error);

/* A fault that unwound; filled by fault_raise(). */
struct fault {
    uint8_t vector;
    uint32_t error;
};

enum event_type {
    EVENT_EXTERNAL, /* hardware interrupt: EXT = 1 in nested errors */
    EVENT_NMI,
    EVENT_FAULT,     /* exception; return address is v->eip */
    EVENT_SOFT,      /* INT n: DPL and V86 IOPL checks apply; return address is v->next_eip */
    EVENT_SOFT_TRAP, /* INT3, INTO: DPL checks apply, return address next_eip */
    EVENT_ICEBP,     /* INT1: no DPL check, return address next_eip */
};

/* Delivers an event: pushes the frame, switches stacks/tasks, loads CS:EIP into v->eip, clears
 * flags. Called with
 * v->eip (and next_eip for the SOFT kinds) set. A fault during delivery of EVENT_SOFT* raises like
 * any fault of
 * the INT instruction itself (it unwinds); for the others the double-fault rules are applied
 * inside. On shutdown
 * sets exit_reason = EXIT_TRIPLE_FAULT and ATT_EXIT.
 * May be called from handlers (EVENT_SOFT*: sets v->next_eip too) and from the run loop
 * (others). */
void event_deliver(struct vcpu *v, enum event_type type, unsigned vector, uint32_t error);

/* Run-loop side: runs fn(v, arg); returns false when it completed, true with *f when it raised.
 * Nests.  */
bool fault_catch(struct vcpu *v, void (*fn)(struct vcpu *, void *), void *arg, struct fault *f);

/* Delivers a caught fault of the current instruction: RF, DR6 and #DB/#PF bookkeeping, then
 * event_deliver(). */
void fault_deliver(struct vcpu *v, const struct fault *f);

#endif
