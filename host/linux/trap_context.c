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

static void regs_get(struct bt_host_regs *r, const greg_t *reg)
{
    for (unsigned n = 0; n < ARRAY_LEN(greg_of); n++)
        r->gpr[n] = (uint64_t)reg[greg_of[n]];
    r->rip = (uint64_t)reg[REG_RIP];
    r->rflags = (uint64_t)reg[REG_EFL];
}

static void regs_set(greg_t *reg, const struct bt_host_regs *r)
{
    for (unsigned n = 0; n < ARRAY_LEN(greg_of); n++)
        reg[greg_of[n]] = (greg_t)r->gpr[n];
    reg[REG_RIP] = (greg_t)r->rip;
    reg[REG_EFL] = (greg_t)r->rflags;
}

static bool handle(struct vcpu *v, int sig, const siginfo_t *info, const greg_t *reg,
                   struct bt_host_regs *r)
{
    if (sig == SIGTRAP && info->si_code == TRAP_TRACE)
        return bt_single_step(v, r);
    return bt_owns(v, r->rip) && bt_host_trap(v, r, kind_of(sig, reg), (uint64_t)reg[REG_CR2]);
}

bool host_bt_signal(struct vcpu *v, int sig, siginfo_t *info, void *ucontext)
{
    greg_t *reg = ((ucontext_t *)ucontext)->uc_mcontext.gregs;
    struct bt_host_regs r;

    /* si_code > 0: raised by the kernel for a fault, not sent by anyone. */
    if (!v || !v->translator || info->si_code <= 0)
        return false;
    regs_get(&r, reg);
    if (!handle(v, sig, info, reg, &r))
        return false;
    regs_set(reg, &r);
    return true;
}

void host_bt_break_in(struct vcpu *v, void *ucontext)
{
    greg_t *reg = ((ucontext_t *)ucontext)->uc_mcontext.gregs;
    struct bt_host_regs r;

    if (!v || !v->translator)
        return;
    regs_get(&r, reg);
    if (bt_break_in(v, &r))
        regs_set(reg, &r);
}
