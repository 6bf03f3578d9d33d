/* SPDX-License-Identifier: MIT */
/*
 * vcpu_host.h - what a host provides for one vCPU: memory for generated code, the structures around
 * it, windows onto guest memory, and a timer. struct vmm_host (host.h) is what a VM has.
 *
 * Promises   Nothing here tells the guest anything: which of these calls come, and how they end,
 *            changes how fast it runs, not what it computes. A recorder need not know of them.
 * Policy     The host decides how it gets memory, how much at a time, and what it tries again when
 *            it is refused. What it cannot get in the end is an error of the call, and the core
 *            goes on without, slower.
 * FPU rule   host.h has it; every function here is FPU-SAFE.
 * Threads    Only the vCPU's own thread calls, and none of its signal handlers.
 * Writer     The host, before the vCPU first runs; nothing changes afterwards.
 */
#ifndef RING1_VCPU_HOST_H
#define RING1_VCPU_HOST_H

#include "include/ring1/types.h"

/* Memory for generated code, mapped twice so that no page is writable and executable at once.
 * Offset n of `rw` and offset n of `rx` are the same byte. */
struct host_code_arena {
    uint8_t *rw;
    const uint8_t *rx;
    size_t size; /* bytes */
};

#define HOST_WINDOWS   11u
#define HOST_JUMP_MAPS 5u

/* Rights: what may be done through a mapping of a window, besides reading. A host never allows more
 * than the rights say; only USER and GLOBAL are ignored where the host has no such thing, as in a
 * process, whose pages are all user pages. Real page tables keep all four. */
#define HOST_MAP_WRITE  1u
#define HOST_MAP_USER   2u /* guest code of CPL 3 may access it (PTE.U of all levels) */
#define HOST_MAP_EXEC   4u /* guest instructions are fetched through it, directly */
#define HOST_MAP_GLOBAL 8u /* PTE.G, and CR4.PGE is set: stays in TLBs over a load of CR3 */

struct fpu_io;      /* operands of a generated FPU stub (monitor/interp/fpu_stub.h) */
struct direct_regs; /* include/ring1/direct.h */

struct vcpu_host {
    void *opaque; /* first argument of every function below */

    /* Calls a generated stub with `io` in rdi; the stub runs guest x87/MMX/SSE instructions on the
     * live registers. Returns 0, or the exception vector the CPU raised in it (VEC_MF, VEC_XM); the
     * guest's FPU registers are then as the CPU left them at the faulting instruction. */
    unsigned (*fpu_call)(void *opaque, const void *stub, struct fpu_io *io);

    /* Asks the host to set ATT_TIME and call engines_break_in() (monitor/cpu/engine.h) when
     * vmm_host.now_ns() reaches `at`, or as soon after as it can; NS_NEVER: not at all. Replaces
     * the previous request. NULL: the vCPU is not interrupted (tests). */
    void (*arm_timer)(void *opaque, ns_t at);

    /* How long the vCPU's thread has had a CPU of the host, in ns; never less than before. What
     * pays is judged by it: vmm_host.now_ns() goes on while others have the CPU. NULL: the thread
     * has one to itself, and now_ns() says the same. */
    ns_t (*spent_ns)(void *opaque);

    /* A window is 4 GiB of host address space, inaccessible where nothing is mapped. Window n shows
     * guest linear address 0 at window_base[n]. Guards of more than 2 GiB on both sides are never
     * accessible. The three calls act on `len` bytes at guest linear `gla` (gla + len <= 4 GiB),
     * both page-aligned; `rights` are HOST_MAP_*.
     *   window_map      The pages must not be mapped. `at` is a page-aligned offset in the guest's
     *                   memory as the host keeps it: RAM lies there by its physical address,
     *                   the memory of regions after it (monitor/memory/region.h, region.at).
     *   window_protect  All the pages must be mapped; they get these rights in place of the old.
     *   window_unmap    Any pages; afterwards none is mapped.
     * They return 0 or -error. After an error each page is inaccessible or as it was, and the
     * caller unmaps the whole window next. If that fails too, the window still shows something. */
    int (*window_map)(void *opaque, unsigned n, gla_t gla, uint64_t at, uint64_t len,
                      unsigned rights);
    int (*window_unmap)(void *opaque, unsigned n, gla_t gla, uint64_t len);
    int (*window_protect)(void *opaque, unsigned n, gla_t gla, uint64_t len, unsigned rights);
    uint64_t window_base[HOST_WINDOWS];
    unsigned window_count; /* 0: no windows */
    /* How many runs all windows together may hold; a power of two. A run is a stretch of pages that
     * are contiguous and have the same rights, or a free stretch between two such. */
    uint32_t window_runs;
    /* WRGSBASE works, and nothing else on the vCPU's thread uses the GS base: translated code may
     * set it to a window's base. */
    bool gs_base_free;

    /* Runs guest code on the bare CPU in window r->window, which shows it executable
     * (HOST_MAP_EXEC), until it traps or attention is asked for. Returns a vector or DIRECT_*
     * (include/ring1/direct.h). The guest's FPU registers are live. NULL: no direct execution. */
    unsigned (*direct_run)(void *opaque, struct direct_regs *r);

    struct host_code_arena stubs; /* FPU stubs (monitor/interp/fpu_stub.h) */
    /* Translated code (bt/); size 0: none. `cache.rx` lies less than 2 GiB below the vCPU. */
    struct host_code_arena cache;
    /* Jump maps: each has 2^32 entries of 4 bytes (monitor/cpu/bt_cpu.h) at host address
     * jump_map[n]. At first all can be read, are zero and take no memory. `at` is a page-aligned
     * host address in a map.
     *   jump_map_open   Makes these bytes writable; what is written takes memory. Returns 0 or
     *                   -error, after which they are as they were.
     *   jump_map_drop   Makes these open bytes zero and gives their memory back.
     *   jump_map_clear  Makes the map at `map` what it was at first; bytes may stay writable.
     * Several numbers may name the same map, when there is one supervisor window. */
    uint64_t jump_map[HOST_JUMP_MAPS];
    int (*jump_map_open)(void *opaque, uint64_t at, uint64_t bytes);
    void (*jump_map_drop)(void *opaque, uint64_t at, uint64_t bytes);
    void (*jump_map_clear)(void *opaque, uint64_t map);
    /* The host return stack of translated code: bytes [limit, top), with a guard page below limit
     * and 4 GiB from top on that are inaccessible. It lies less than 2 GiB above the vCPU. */
    uint64_t return_limit, return_top;
};

#endif
