/* SPDX-License-Identifier: MIT */
/*
 * exception.h - delivering events (exceptions, interrupts) through the IDT.
 *
 * Promises   Delivery handles real mode (IVT), protected mode (interrupt, trap, task gates), V86
 *            (VME redirection included), contributory faults (#DF) and shutdown
 *            (EXIT_TRIPLE_FAULT).
 * Not here   Raising and catching a fault (fault.h).
 * Source     SDM vol. 3A, chapter 6; vol. 3B, chapter 21 for V86.
 */
#ifndef RING1_MONITOR_ARCH_EXCEPTION_H
#define RING1_MONITOR_ARCH_EXCEPTION_H

#include "monitor/cpu/fault.h"

enum event_type {
    EVENT_EXTERNAL, /* hardware interrupt: EXT = 1 in nested errors */
    EVENT_NMI,
    EVENT_FAULT,     /* exception; return address is v->eip */
    EVENT_SOFT,      /* INT n: DPL and V86 IOPL checks apply; return address is v->next_eip */
    EVENT_SOFT_TRAP, /* INT3, INTO: DPL checks apply, return address next_eip */
    EVENT_ICEBP,     /* INT1: no DPL check, return address next_eip */
};

/* Delivers an event: pushes the frame, switches stacks or tasks, loads CS and v->eip, clears flags.
 * v->eip (and next_eip for EVENT_SOFT and the kinds after it) says where the event came. `error` is
 * the error code, NO_ERROR_CODE for none.
 *   EVENT_SOFT...  Handlers call it. A fault during the delivery unwinds, as any fault of the INT
 *                  instruction itself. Sets v->next_eip too.
 *   others         The run loop calls it. The double-fault rules are applied inside. A shutdown
 *                  sets exit_reason = EXIT_TRIPLE_FAULT and ATT_EXIT. */
void event_deliver(struct vcpu *v, enum event_type type, unsigned vector, uint32_t error);

/* Delivers a caught fault of the current instruction: RF, DR6 and #DB/#PF bookkeeping, then
 * event_deliver(). */
void fault_deliver(struct vcpu *v, const struct fault *f);

#endif
