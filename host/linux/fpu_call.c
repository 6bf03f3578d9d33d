/* SPDX-License-Identifier: MIT */
/*
 * fpu_call.c - the signal side of fpu_call.S. See fpu_call.h.
 *
 * The kernel saved the guest's FPU registers in the signal frame and loads them again on return, so
 * the guest's state at the fault is live when host_fpu_call() returns. Pending errors do not fault
 * again: what runs next touches general registers, or the instructions that do not wait (FXSAVE,
 * FNSTSW, FNINIT ...).
 */
#define _GNU_SOURCE
#include "host/linux/fpu_call.h"

#include <string.h>
#include <ucontext.h>

/* Labels in fpu_call.S, not functions. */
extern const char host_fpu_call_return[], host_fpu_call_fault[];

bool host_fpu_signal(siginfo_t *info, void *ucontext)
{
    greg_t *reg = ((ucontext_t *)ucontext)->uc_mcontext.gregs;
    greg_t trap = reg[REG_TRAPNO];
    uintptr_t top;

    /* si_code > 0: raised by the kernel for a fault, not sent by anyone. */
    if (info->si_code <= 0 || (info->si_signo != SIGFPE && info->si_signo != SIGILL))
        return false;
    if (trap != VEC_MF && trap != VEC_XM && trap != VEC_UD)
        return false;
    memcpy(&top, (const void *)(uintptr_t)reg[REG_RSP], sizeof top);
    if (top != (uintptr_t)host_fpu_call_return)
        return false;
    reg[REG_RIP] = (greg_t)(uintptr_t)host_fpu_call_fault;
    reg[REG_RAX] = trap;
    return true;
}
