/* SPDX-License-Identifier: MIT */
/*
 * trap.h - what traps of the host and interruptions by it mean to translated code: the part of
 * engine.h's contract that its engine keeps.
 *
 * Promises   After each call the host either goes on where it was, or leaves translated code with
 *            the guest's exact state in the vCPU.
 */
#ifndef RING1_BT_RUN_TRAP_H
#define RING1_BT_RUN_TRAP_H

#include "monitor/cpu/vcpu.h"

/* A trap of the host other than a debug trap, anywhere in the process. In the code arena it takes
 * the guest's state at the start of the trapping guest instruction into *v and changes *r so that
 * the host continues in the monitor (BT_EXIT_TRAP) - or, for an overflow of the return stack, in
 * the code itself. Returns false, with nothing changed, when rip is elsewhere, or at no guest
 * instruction: a bug of ours. Async-signal-safe; touches general registers only. */
bool bt_host_trap(struct vcpu *v, struct host_regs *r, enum trap_kind kind, uint64_t addr);

/* ---- breaking in ---- */

/* Makes translated code come back to the run loop before its next guest instruction, if
 * v->attention asks for it. *r: what a signal or interrupt on the vCPU's thread found, anywhere in
 * the process; the reason is in v->attention already. At a guest instruction *r is changed so that
 * the host continues in the monitor (BT_EXIT_BREAK); elsewhere in translated code TF is set in it,
 * and the host hands the traps of its single steps to bt_single_step(). In C code nothing is to be
 * done: what leads from there into translated code looks at v->attention. The host must not let a
 * second signal interrupt this. Returns true when *r was changed. Async-signal-safe; touches
 * general registers only. */
bool bt_break_in(struct vcpu *v, struct host_regs *r);

/* A debug trap of the host (#DB) on the vCPU's thread, anywhere in the process, whether it was
 * asked for or not: goes on as bt_break_in() does where translated code runs and v->attention asks
 * for it; else clears TF. Returns false, with nothing changed, when rip is not in the code arena
 * and no step was asked for. Async-signal-safe; touches general registers only. */
bool bt_single_step(struct vcpu *v, struct host_regs *r);

#endif
