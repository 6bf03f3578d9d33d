/* SPDX-License-Identifier: MIT */
/*
 * null_host.h - the world of a VM in a test: a host that has nothing but a clock that the test
 * moves, and a board without chips; both write down what they are asked for.
 *
 * Use        struct null_world is zeroed memory, and the first member of a bigger rig where that
 *            rig adds functions of its own to the host (host.opaque and board are the world).
 *            null_host() gives the host; what a test has more (code arenas, windows) it sets
 *            itself. null_vm() puts the VM together; null_pc() gives it a whole PC instead of the
 *            null board.
 * Ends       Nothing is freed: a test is a process. What the host refuses ends it.
 */
#ifndef RING1_TESTS_RIG_NULL_HOST_H
#define RING1_TESTS_RIG_NULL_HOST_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "host/linux/fpu_call.h"
#include "monitor/cpu/vm.h"
#include "monitor/interp/interp.h"
#include "monitor/run/assemble.h"

#define NULL_TSC_KHZ 2600000u
#define NULL_DATE    1700000000 /* seconds since 1970 */
#define NULL_PAGE    4096u
#define NULL_GUARD   (1u << 20)

struct null_world {
    struct vcpu_host cpu_host; /* of the one vCPU; a test adds arenas and windows */
    ns_t now, step;            /* each look at the clock moves it by `step` */
    uint32_t random;           /* RDRAND's next number comes from this one */
    unsigned looks;            /* at the clock */
    unsigned randoms;          /* numbers given */
    unsigned traced;           /* lines */
    bool ferr;                 /* level of FERR# */
    unsigned ferr_calls;       /* how often it was set */
    uint64_t apic_base;        /* IA32_APIC_BASE and IA32_TSC_DEADLINE as the board heard of them */
    uint64_t tsc_deadline;     /* last */
};

static inline ns_t null_now(void *opaque)
{
    struct null_world *w = opaque;

    w->looks++;
    return w->now += w->step;
}

static inline bool null_random(void *opaque, uint32_t *out)
{
    struct null_world *w = opaque;

    w->randoms++;
    *out = w->random = w->random * 1664525u + 1013904223u;
    return true;
}

static inline int64_t null_wall(void *opaque)
{
    (void)opaque;
    return NULL_DATE;
}

static inline void null_trace(void *opaque, unsigned stage, const char *text)
{
    struct null_world *w = opaque;

    (void)stage;
    w->traced++;
    fprintf(stderr, "%s\n", text);
}

/* All that CPU models ask the host's CPU for is there. */
static inline struct vmm_host null_host(struct null_world *w)
{
    w->cpu_host.fpu_call = host_fpu_call;
    return (struct vmm_host){
        .opaque = w,
        .now_ns = null_now,
        .random32 = null_random,
        .wall_seconds = null_wall,
        .trace = null_trace,
        .guest_tsc_khz = NULL_TSC_KHZ,
        .host_feat_1_ecx = ~0u,
        .host_feat_1_edx = ~0u,
        .host_feat_7_ebx = ~0u,
        .host_rep_flags = true,
    };
}

/* ---- the board ---- */

static inline int null_ack(void *board, unsigned cpu)
{
    (void)board, (void)cpu;
    return -1;
}

static inline ns_t null_until(void *board, ns_t now)
{
    (void)board, (void)now;
    return NS_NEVER;
}

static inline void null_ferr(void *board, bool level)
{
    struct null_world *w = board;

    w->ferr = level;
    w->ferr_calls++;
}

static inline void null_apic_base(void *board, unsigned cpu, uint64_t value)
{
    (void)cpu;
    ((struct null_world *)board)->apic_base = value;
}

static inline void null_tsc_deadline(void *board, unsigned cpu, uint64_t tsc)
{
    (void)cpu;
    ((struct null_world *)board)->tsc_deadline = tsc;
}

static const struct board_ops null_board = {.intr_ack = null_ack,
                                            .run_until = null_until,
                                            .ferr = null_ferr,
                                            .apic_base_changed = null_apic_base,
                                            .tsc_deadline_changed = null_tsc_deadline};

/* ---- the VM ---- */

/* Zeroed, and aligned as a vCPU or a page must be; a page or more lies between inaccessible
 * ones. */
static inline void *null_zeroed(size_t size)
{
    uint8_t *p = size < NULL_PAGE ? aligned_alloc(64, (size + 63) & ~(size_t)63) : NULL;

    if (p)
        return memset(p, 0, size);
    p = mmap(NULL, size + 2 * NULL_GUARD, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
             -1, 0);
    if (p == MAP_FAILED || mprotect(p + NULL_GUARD, size, PROT_READ | PROT_WRITE)) {
        fprintf(stderr, "no memory for the test's machine\n");
        exit(2);
    }
    return p + NULL_GUARD;
}

/* ram NULL: from null_zeroed(); model NULL: the default one. The CPU is zeroed memory, and is not
 * reset. */
static inline void null_vm(struct vm *vm, struct null_world *w, const struct vmm_host *host,
                           struct vcpu *cpu, uint8_t *ram, uint64_t ram_size,
                           const struct cpu_model *model)
{
    vm_assemble(vm, &(struct vm_parts){.host = host,
                                       .cpu_host = &w->cpu_host,
                                       .ram = ram ? ram : null_zeroed(ram_size),
                                       .ram_size = ram_size,
                                       .page = null_zeroed(ram_size >> GUEST_PAGE_SHIFT),
                                       .cpu = cpu,
                                       .interp = null_zeroed(interp_size()),
                                       .cpu_model = model});
    vm->board_ops = &null_board;
    vm->board = w;
    vm->next_deadline = NS_NEVER;
}

/* A new PC in *pc (pc_size() bytes), with what *cfg says of its user's side. Returns NULL, or why
 * not. */
static inline const char *null_pc(struct vm *vm, struct pc *pc, struct pc_config *cfg)
{
    const char *why = "";

    memset(&vm->mem, 0, sizeof vm->mem);
    memset(&vm->port, 0, sizeof vm->port);
    vm->mem.name = "memory";
    vm->port.name = "port";
    vm->next_deadline = 0;
    memset(pc, 0, pc_size());
    vm_wire_pc(vm, pc, cfg);
    return pc_init(pc, cfg, &why) ? why : NULL;
}

#endif
