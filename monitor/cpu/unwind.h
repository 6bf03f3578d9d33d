/* SPDX-License-Identifier: MIT */
/*
 * unwind.h - a non-local jump without libc: how a fault leaves the depths of an instruction.
 *
 * Promises   unwind_save() answers 0 when called and `value` when it comes back through
 *            unwind_jump().
 * Invariant  The function that called unwind_save() is still active when unwind_jump() runs.
 * Not here   Signal masks and floating-point control words: the core changes neither.
 * Source     System V ABI for x86-64, section 3.2.1 (callee-saved registers).
 */
#ifndef RING1_MONITOR_CPU_UNWIND_H
#define RING1_MONITOR_CPU_UNWIND_H

#include "include/ring1/types.h"

/* A buffer holds rbx rbp r12 r13 r14 r15 rsp rip, in this order; the caller owns it. */
#define UNWIND_WORDS 8
#define UNWIND_RIP   7

uint64_t unwind_save(uint64_t buf[UNWIND_WORDS]) __attribute__((returns_twice));
_Noreturn void unwind_jump(const uint64_t buf[UNWIND_WORDS], uint64_t value); /* value is not 0 */

#endif
