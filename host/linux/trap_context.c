/* SPDX-License-Identifier: MIT */
/*
 * trap_context.c - see trap_context.h. The kernel's register frame and the translator's struct
 * bt_host_regs, one to one.
 */
#define _GNU_SOURCE
#include "host/linux/trap_context.h"

#include <ucontext.h>

#include "bt/bt.h"

#define PAGE_FAULT_WRITE 2 /* error code, SDM vol. 3A, section 4.7 */

/* Places in gregs[] of the registers in the order of their encoding. */
static const uint8_t greg_of[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                    REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                    REG_R12, REG_R13, REG_R14, REG_R15};

static enum bt_trap_kind kind_of(int sig, const greg_t *reg)
{
    /* A page fault is SIGSEGV, or SIGBUS beyond the end of a file; #GP is a SIGSEGV too. */
    bool page_fault = (sig == SIGSEGV || sig == SIGBUS) && reg[REG_TRAPNO] == VEC_PF;

    if (!page_fault)
        return BT_TRAP_OTHER;
    return reg[REG_ERR] & PAGE_FAULT_WRITE ? BT_TRAP_MEMORY_WRITE : BT_TRAP_MEMORY;
}

bool host_bt_signal(struct vcpu *v, int sig, siginfo_t *info, void *ucontext)
{
    greg_t *reg = ((ucontext_t *)ucontext)->uc_mcontext.gregs;
    struct bt_host_regs r;

    /* si_code > 0: raised by the kernel for a fault, not sent by anyone. */
    if (!v || !v->translator || info->si_code <= 0 || !bt_owns(v, (uint64_t)reg[REG_RIP]))
        return false;
    for (unsigned n = 0; n < ARRAY_LEN(greg_of); n++)
        r.gpr[n] = (uint64_t)reg[greg_of[n]];
    r.rip = (uint64_t)reg[REG_RIP];
    r.rflags = (uint64_t)reg[REG_EFL];
    if (!bt_host_trap(v, &r, kind_of(sig, reg), (uint64_t)reg[REG_CR2]))
        return false;
    for (unsigned n = 0; n < ARRAY_LEN(greg_of); n++)
        reg[greg_of[n]] = (greg_t)r.gpr[n];
    reg[REG_RIP] = (greg_t)r.rip;
    reg[REG_EFL] = (greg_t)r.rflags;
    return true;
}
