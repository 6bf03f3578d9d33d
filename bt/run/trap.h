/* SPDX-License-Identifier: MIT */
/*
 * trap.h - what signals and traps of the host mean to translated code.
 *
 * Promises   After each call the host either goes on where it was, or leaves translated code with
 *            the guest's exact state in the vCPU.
 */
#ifndef RING1_BT_RUN_TRAP_H
#define RING1_BT_RUN_TRAP_H

#include "monitor/cpu/vcpu.h"

/* ---- host traps (signals, IDT) ---- */
enum bt_trap_kind {
    BT_TRAP_MEMORY, /* page fault of the host at a read; trap_addr is valid */
    BT_TRAP_MEMORY_WRITE,
    BT_TRAP_OTHER, /* #DE, #MF, #XM, #GP...: the interpreter finds out */
};

/* General registers and flags of the interrupted host code, in the order of their encoding (rax rcx
 * rdx rbx rsp rbp rsi rdi r8-r15). */
struct bt_host_regs {
    uint64_t gpr[16];
    uint64_t rip, rflags;
};

/* Called by the host's trap handler when rip lies in the code arena. Takes the guest's state at the
 * start of the trapping guest instruction into *v and changes *r so that the host continues in the
 * monitor (BT_EXIT_TRAP) - or, for an overflow of the return stack, in the code itself. Returns
 * false when rip is at no guest instruction: a bug of ours. Async-signal-safe; touches general
 * registers only. */
bool bt_host_trap(struct vcpu *v, struct bt_host_regs *r, enum bt_trap_kind kind, uint64_t addr);

/* ---- breaking in ---- */

/* Makes translated code come back to the run loop before its next guest instruction, if
 * v->attention asks for it. *r: what a signal or interrupt on the vCPU's thread found, anywhere in
 * the process; the reason is in v->attention already. At a guest instruction *r is changed so that
 * the host continues in the monitor (BT_EXIT_BREAK); elsewhere in translated code TF is set in it,
 * and the host hands the traps of its single steps to bt_single_step(). In C code nothing is to be
 * done: what leads from there into translated code looks at v->attention. The host must not let a
 * second signal interrupt this. Returns true when *r was changed. Async-signal-safe; touches
 * general registers only. */
bool bt_break_in(struct vcpu *v, struct bt_host_regs *r);

/* A debug trap of the host (#DB) on the vCPU's thread, anywhere in the process, whether it was
 * asked for or not: goes on as bt_break_in() does where translated code runs and v->attention asks
 * for it; else clears TF. Async-signal-safe; touches general registers only. */
void bt_single_step(struct vcpu *v, struct bt_host_regs *r);

/* Is rip inside the code arena (of generated code, executable view)? */
bool bt_owns(const struct vcpu *v, uint64_t rip);

#endif
