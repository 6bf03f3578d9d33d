/* SPDX-License-Identifier: MIT */
/*
 * bt_rig.h - one CPU with RAM, interpreter and translator in this process, without a board: what
 * the tests of bt/ run code on. Also used outside Criterion (tests/bt/).
 *
 * Include    First of all: it needs _GNU_SOURCE.
 * Use        bt_rig_create() once; bt_rig_options() for a fresh translator; set up RAM and *r->cpu,
 *            starting from bt_rig_flat(); bt_rig_wrote() after writing RAM; bt_rig_run(). Guest
 *            code ends with HLT.
 * Time       Stands still (r->world.now), so both ways of execution see the same.
 * Signals    bt_rig_signals() installs the handlers on an alternate stack: traps of translated code
 *            go to bt_host_trap(), anything else ends the process with a line of text, after
 *            bt_rig_last_words().
 */
#ifndef RING1_TESTS_RIG_BT_RIG_H
#define RING1_TESTS_RIG_BT_RIG_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "bt/run/bt.h"
#include "bt/run/locate.h"
#include "bt/run/trap.h"
#include "host/linux/code_arena.h"
#include "host/linux/fpu_call.h"
#include "host/linux/guest_ram.h"
#include "host/linux/jump_map.h"
#include "host/linux/trap_context.h"
#include "host/linux/vm_host.h"
#include "monitor/arch/segment.h"
#include "monitor/cpu/fpu.h"
#include "monitor/cpu/vm.h"
#include "monitor/interp/interp.h"
#include "monitor/memory/page.h"
#include "shadow-mmu/mmu.h"
#include "shadow-mmu/window.h"
#include "tests/rig/null_host.h"

#define BT_RIG_ARENA        (2u << 20) /* small: flushes are part of the test */
#define BT_RIG_SIGNAL_STACK (512u << 10)

struct bt_rig {
    struct null_world world; /* its `now` and `random` are the test's to set */
    struct vm vm;
    struct vmm_host host;
    struct vcpu *cpu;
    struct guest_ram ram;
    struct linux_host *windows; /* only its windows are used; NULL: none */
    void *translator;           /* memory for bt_init(); NULL: interprets only */
    size_t translator_bytes;
};

/* The rig whose CPU runs now, for the signal handlers. */
static struct bt_rig *volatile bt_rig_running;
/* Called before the process ends by an unexpected signal; NULL: nothing. */
static void (*bt_rig_last_words)(void);

static inline _Noreturn void bt_rig_no_memory(void)
{
    fprintf(stderr, "no memory for the test's machine\n");
    exit(2);
}

static inline void *bt_rig_zeroed(size_t size)
{
    void *p = zeroed_alloc(size);

    if (!p)
        bt_rig_no_memory();
    return p;
}

/* A translator as new, with these options (NULL: the defaults). Nothing when the rig interprets
 * only. */
static inline void bt_rig_options(struct bt_rig *r, const struct bt_options *o)
{
    static const struct bt_options defaults;

    if (!r->translator)
        return;
    for (uint64_t p = 0; p < r->vm.ram_size >> GUEST_PAGE_SHIFT; p++)
        r->vm.page[p] &= (uint8_t)~PAGE_TRANSLATED;
    memset(r->translator, 0, r->translator_bytes);
    bt_init(r->cpu, r->translator, o ? o : &defaults);
}

static inline void bt_rig_windows(struct bt_rig *r)
{
    struct linux_host *h = bt_rig_zeroed(sizeof *h);

    host_windows_create(&h->window, &h->cpu, r->ram.fd, HOST_WINDOWS);
    if (!h->cpu.window_count)
        return;
    r->windows = h;
    r->world.cpu_host.opaque = h;
    r->world.cpu_host.window_map = h->cpu.window_map;
    r->world.cpu_host.window_unmap = h->cpu.window_unmap;
    r->world.cpu_host.window_protect = h->cpu.window_protect;
    memcpy(r->world.cpu_host.window_base, h->cpu.window_base, sizeof r->world.cpu_host.window_base);
    r->world.cpu_host.window_count = h->cpu.window_count;
    r->world.cpu_host.window_runs = h->cpu.window_runs;
    r->world.cpu_host.gs_base_free = h->cpu.gs_base_free;
    window_init(r->cpu, bt_rig_zeroed(window_size()));
}

static inline void bt_rig_translator(struct bt_rig *r)
{
    if (code_arena_create_near(&r->world.cpu_host.cache, BT_RIG_ARENA, r->cpu) ||
        return_stack_create(&r->world.cpu_host, r->cpu, sizeof *r->cpu) ||
        jump_maps_create(&r->world.cpu_host))
        bt_rig_no_memory();
    r->translator_bytes = bt_size(r->world.cpu_host.cache.size);
    r->translator = bt_rig_zeroed(r->translator_bytes);
    bt_rig_windows(r);
    bt_rig_options(r, NULL);
}

/* *r is zeroed memory; `translated`: with a translator. */
static inline void bt_rig_create(struct bt_rig *r, uint64_t ram_bytes, bool translated)
{
    struct error e;

    r->host = null_host(&r->world);
    if (code_arena_create(&r->world.cpu_host.stubs, 1u << 18) ||
        guest_ram_create(&r->ram, ram_bytes, &e))
        bt_rig_no_memory();
    r->cpu = translated ? vcpu_memory_create(sizeof *r->cpu) : bt_rig_zeroed(sizeof *r->cpu);
    if (!r->cpu)
        bt_rig_no_memory();
    null_vm(&r->vm, &r->world, &r->host, r->cpu, r->ram.base, ram_bytes, NULL);
    vcpu_reset(r->cpu);
    if (translated)
        bt_rig_translator(r);
}

static inline void bt_rig_seg(struct vcpu *v, unsigned n, uint16_t sel, uint32_t base,
                              uint32_t limit, uint16_t attr)
{
    v->seg[n] = (struct seg){.sel = sel, .attr = attr, .base = base, .limit = limit};
    seg_derive(&v->seg[n], true);
}

/* 32-bit protected mode without paging, ring `cpl`, flat segments (selectors 8 and 16, or 0x1b and
 * 0x23), x87 and SSE on; registers zero. The caller sets eip and esp. */
static inline void bt_rig_flat(struct bt_rig *r, unsigned cpl)
{
    struct vcpu *v = r->cpu;

    for (unsigned n = 0; n < SEG_COUNT; n++)
        if (n == SEG_CS)
            bt_rig_seg(v, n, cpl ? 0x1b : 0x08, 0, ~0u, cpl ? 0xc0fb : 0xc09b);
        else
            bt_rig_seg(v, n, cpl ? 0x23 : 0x10, 0, ~0u, cpl ? 0xc0f3 : 0xc093);
    v->cpl = (uint8_t)cpl;
    memset(v->gpr, 0, sizeof v->gpr);
    v->cr0 = CR0_PE | CR0_ET | CR0_NE | CR0_MP;
    v->cr2 = v->cr3 = 0;
    v->cr4 = CR4_OSFXSR | CR4_OSXMMEXCPT;
    v->eflags = EFL_FIXED1;
    v->eip = v->next_eip = 0;
    v->shadow = v->shadow_next = 0;
    v->halted = v->nmi_pending = v->nmi_blocked = v->intr_line = v->dr_armed = false;
    v->dr6_pending = 0;
    v->delivering = 0xff;
    v->exit_reason = EXIT_NONE;
    r->world.random = 1;
    fpu_park(v);
    fpu_reset(v);
    mmu_flush_all(v);
    __atomic_store_n(&v->attention, 0, __ATOMIC_RELEASE);
}

/* RAM [gpa, gpa+len) was written by the test. */
static inline void bt_rig_wrote(struct bt_rig *r, gpa_t gpa, uint64_t len)
{
    vm_ram_written(&r->vm, gpa, len);
}

/* Runs until HLT and the like; the FPU is parked afterwards. Returns an enum exit_reason. */
static inline unsigned bt_rig_run(struct bt_rig *r)
{
    bt_rig_running = r;
    unsigned reason = vcpu_run(r->cpu, NS_PER_SEC);
    fpu_park(r->cpu);
    bt_rig_running = NULL;
    return reason;
}

/* ---- signals ---- */

static inline void bt_rig_say(const char *text, int len)
{
    if (len > 0 && write(STDERR_FILENO, text, (size_t)len) < 0)
        _exit(1);
}

static void bt_rig_on_signal(int sig, siginfo_t *info, void *context)
{
    const greg_t *reg = ((ucontext_t *)context)->uc_mcontext.gregs;
    struct bt_rig *r = bt_rig_running;
    char line[400];

    if ((r && host_trap_signal(r->cpu, sig, info, context)) || host_fpu_signal(info, context))
        return;
    if (sig == SIGILL && *(const uint16_t *)reg[REG_RIP] == 0x0b0f)
        bt_rig_say(line, snprintf(line, sizeof line, "internal error at %s:%d: %s\n",
                                  (const char *)reg[REG_RDI], (int)reg[REG_RSI],
                                  (const char *)reg[REG_RDX]));
    else
        bt_rig_say(
            line,
            snprintf(line, sizeof line, "signal %d at %p, address %p%s\n", sig,
                     (void *)reg[REG_RIP], info->si_addr,
                     r && bt_owns(r->cpu, (uint64_t)reg[REG_RIP]) ? ", in translated code" : ""));
    if (bt_rig_last_words)
        bt_rig_last_words();
    signal(sig, SIG_DFL);
    raise(sig);
    _exit(1);
}

/* SIGALRM's, which may break in. */
static inline void bt_rig_break_signal(void (*handler)(int, siginfo_t *, void *))
{
    struct sigaction sa = {.sa_sigaction = handler,
                           .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};

    sigaction(SIGALRM, &sa, NULL);
}

static inline void bt_rig_signals(void)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
    struct sigaction sa = {.sa_sigaction = bt_rig_on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    stack_t alt = {.ss_sp = bt_rig_zeroed(BT_RIG_SIGNAL_STACK), .ss_size = BT_RIG_SIGNAL_STACK};

    sigaltstack(&alt, NULL);
    sigaddset(&sa.sa_mask, SIGALRM); /* host_trap_break_in() */
    for (unsigned n = 0; n < ARRAY_LEN(signals); n++)
        sigaction(signals[n], &sa, NULL);
}

#endif
