/* SPDX-License-Identifier: MIT */
/*
 * trap_context.c - see trap_context.h. The kernel's register frame and the engines' struct
 * host_regs, one to one; and what a signal is.
 *
 * Whose it is   si_code > 0 says that the kernel raised the signal: processes and timers cannot
 *               (rt_sigqueueinfo(2)), except for the process itself and its debugger. The trap
 *               number says nothing before that is known: in the frame of a signal that was sent
 *               it is the last trap's.
 * What it is    The signal and the trap number say. What else si_code says of a debug trap is what
 *               DR6 held (Linux: TRAP_TRACE when BS was set, TRAP_HWBKPT for B0-B3, TRAP_BRKPT for
 *               none of them), and hypervisors lose its bits when a single step coincides with
 *               another event. So it does not count.
 * Source        SDM vol. 3A, table 6-1; vol. 3B, section 18.2.3 (DR6); sigaction(2).
 */
#define _GNU_SOURCE
#include "host/linux/trap_context.h"

#include <ucontext.h>

#include "monitor/cpu/vcpu.h"

#define PAGE_FAULT_WRITE 0x02 /* error code, SDM vol. 3A, section 4.7 */
#define PAGE_FAULT_FETCH 0x10

/* Places in gregs[] of the registers in the order of their encoding. */
static const uint8_t greg_of[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                    REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                    REG_R12, REG_R13, REG_R14, REG_R15};

enum event {
    EVENT_OTHER,  /* sent by a process, or no trap of guest code: it ends us, with a report */
    EVENT_NOTICE, /* the kernel tells of something that asks for no answer now */
    EVENT_DEBUG,  /* a single step, or what looks like one: TRAP_STEP */
    EVENT_TRAP,   /* of an engine's code, if one says so */
};

#define ANY             (-1)
#define TRAP_PERF_EVENT 6 /* TRAP_PERF; not in all C libraries */

/* For what the kernel raised: the first row that fits. No row: EVENT_OTHER. */
static const struct decision {
    int sig, code, trap;
    enum event event;
} decisions[] = {
    /* Someone's perf event counts in this process. Asynchronous: the trap number is stale. */
    {SIGTRAP, TRAP_PERF_EVENT, ANY, EVENT_NOTICE},
    /* With a cause or without: TRAP_TRACE, TRAP_BRKPT (BS lost, or an ICEBP, which is not emitted:
     * either way the code goes on after it), TRAP_HWBKPT (someone's data breakpoint), TRAP_BRANCH,
     * TRAP_UNK, SI_KERNEL, and what kernels may say one day. */
    {SIGTRAP, ANY, VEC_DB, EVENT_DEBUG},
    /* An INT3 is neither emitted nor asynchronous: something wrote to our code. */
    {SIGTRAP, ANY, VEC_BP, EVENT_OTHER},
    /* A page of ours has gone bad and was not yet used. Whoever uses it gets BUS_MCEERR_AR. */
    {SIGBUS, BUS_MCEERR_AO, ANY, EVENT_NOTICE},
    /* The page is lost: filling the window again and trying again would not end. */
    {SIGBUS, BUS_MCEERR_AR, ANY, EVENT_OTHER},
    /* The page is mapped, and the host has no memory for it: trying again would not end either. */
    {SIGBUS, ANY, VEC_PF, EVENT_OTHER},
    {SIGBUS, ANY, VEC_SS, EVENT_TRAP},  /* a wild address in RBP or RSP */
    {SIGSEGV, ANY, VEC_PF, EVENT_TRAP}, /* SEGV_MAPERR, SEGV_ACCERR */
    {SIGSEGV, ANY, VEC_GP, EVENT_TRAP}, /* SI_KERNEL: misaligned, or a wild address */
    {SIGFPE, ANY, VEC_DE, EVENT_TRAP},
    {SIGFPE, ANY, VEC_MF, EVENT_TRAP},
    {SIGFPE, ANY, VEC_XM, EVENT_TRAP},
    {SIGILL, ANY, VEC_UD, EVENT_TRAP},
};

static enum event event_of(int sig, int code, greg_t trap)
{
    if (code <= 0) /* SI_USER, SI_TKILL, SI_QUEUE, SI_TIMER... */
        return EVENT_OTHER;
    for (unsigned n = 0; n < ARRAY_LEN(decisions); n++) {
        const struct decision *d = &decisions[n];
        if (d->sig == sig && (d->code == ANY || d->code == code) &&
            (d->trap == ANY || d->trap == trap))
            return d->event;
    }
    return EVENT_OTHER;
}

static enum trap_kind kind_of(int sig, const greg_t *reg)
{
    bool page_fault = sig == SIGSEGV && reg[REG_TRAPNO] == VEC_PF; /* #GP is a SIGSEGV too */

    if (!page_fault)
        return TRAP_OTHER;
    if (reg[REG_ERR] & PAGE_FAULT_FETCH)
        return TRAP_FETCH;
    return reg[REG_ERR] & PAGE_FAULT_WRITE ? TRAP_WRITE : TRAP_READ;
}

/* REG_CSGSFS: CS, GS, FS and SS, 16 bits each, the lowest first (struct sigcontext). */
#define SS_SHIFT 48

static void regs_get(struct host_regs *r, const greg_t *reg)
{
    r->cs = (uint16_t)reg[REG_CSGSFS];
    r->ss = (uint16_t)(reg[REG_CSGSFS] >> SS_SHIFT);
    for (unsigned n = 0; n < ARRAY_LEN(greg_of); n++)
        r->gpr[n] = (uint64_t)reg[greg_of[n]];
    r->rip = (uint64_t)reg[REG_RIP];
    r->rflags = (uint64_t)reg[REG_EFL];
}

static void regs_set(greg_t *reg, const struct host_regs *r)
{
    uint64_t middle = (uint64_t)reg[REG_CSGSFS] & 0x0000ffffffff0000u;

    reg[REG_CSGSFS] = (greg_t)(middle | r->cs | (uint64_t)r->ss << SS_SHIFT);
    for (unsigned n = 0; n < ARRAY_LEN(greg_of); n++)
        reg[greg_of[n]] = (greg_t)r->gpr[n];
    reg[REG_RIP] = (greg_t)r->rip;
    reg[REG_EFL] = (greg_t)r->rflags;
}

static bool ask_engines(struct vcpu *v, enum trap_kind kind, greg_t *reg)
{
    struct host_regs r;

    regs_get(&r, reg);
    if (!engines_host_trap(v, &r, kind, (uint64_t)reg[REG_CR2]))
        return false;
    regs_set(reg, &r);
    return true;
}

/* A debug trap, whoever caused it: if no engine answers, only TF is cleared. */
static void debug_trap(struct vcpu *v, int code, greg_t *reg)
{
    if (v)
        v->stats.break_odd += code != TRAP_TRACE;
    if (!v || !ask_engines(v, TRAP_STEP, reg))
        reg[REG_EFL] &= ~(greg_t)EFL_TF;
}

bool host_trap_signal(struct vcpu *v, int sig, siginfo_t *info, void *ucontext)
{
    greg_t *reg = ((ucontext_t *)ucontext)->uc_mcontext.gregs;

    switch (event_of(sig, info->si_code, reg[REG_TRAPNO])) {
    case EVENT_NOTICE:
        return true;
    case EVENT_DEBUG:
        debug_trap(v, info->si_code, reg);
        return true;
    case EVENT_TRAP:
        return v && ask_engines(v, kind_of(sig, reg), reg);
    case EVENT_OTHER:
        break;
    }
    return false;
}

void host_trap_break_in(struct vcpu *v, void *ucontext)
{
    greg_t *reg = ((ucontext_t *)ucontext)->uc_mcontext.gregs;
    struct host_regs r;

    if (!v)
        return;
    regs_get(&r, reg);
    if (engines_break_in(v, &r))
        regs_set(reg, &r);
}
