/* SPDX-License-Identifier: MIT */
/*
 * vcpu_host.h - what a host provides for one vCPU: memory for generated code, the structures around
 * it, windows onto guest memory, and a timer. struct vmm_host (host.h) is what a VM has.
 *
 * Promises   Nothing here tells the guest anything: which of these calls come, and how they end,
 *            changes how fast it runs, not what it computes. A recorder need not know of them.
 * Policy     How the memory is got, how much of it at a time, and what is tried again when it is
 *            refused, is the host's. What cannot be had in the end is an error of the call, and the
 *            core goes on without, slower.
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

/* What may be done through a mapping of a window; reading always. A host whose windows are real
 * page tables keeps all of it; one in a process, where everything is a user's, keeps what it can.
 * More than is said may never be allowed, except USER and GLOBAL where they mean nothing. */
#define HOST_MAP_WRITE  1u
#define HOST_MAP_USER   2u /* guest code of CPL 3 may access it (PTE.U of all levels) */
#define HOST_MAP_EXEC   4u /* guest instructions are fetched through it, directly */
#define HOST_MAP_GLOBAL 8u /* PTE.G, and CR4.PGE is set: stays in TLBs over a load of CR3 */

/* Operands of a generated FPU stub (monitor/interp/fpu_stub.h). */
struct fpu_io;
struct direct_regs;

struct vcpu_host {
    void *opaque; /* first argument of every function below */

    /* Calls a generated stub with `io` in rdi; the stub runs guest x87/MMX/SSE instructions on the
     * live registers. Returns 0, or the exception vector the CPU raised in it (VEC_MF, VEC_XM); the
     * guest's FPU registers are then as the CPU left them at the faulting instruction. */
    unsigned (*fpu_call)(void *opaque, const void *stub, struct fpu_io *io);

    /* Asks for ATT_TIME to be set and engines_break_in() called (monitor/cpu/engine.h) at host time
     * `at` (of vmm_host.now_ns()), or as soon after as the host can; NS_NEVER: not at all. Replaces
     * the previous request. NULL: the vCPU is not interrupted (tests). */
    void (*arm_timer)(void *opaque, ns_t at);

    /* Windows: 4 GiB of host address space each, window_base[n] for guest linear 0, inaccessible
     * where nothing is mapped. Guards on both sides, of more than 2 GiB, are never accessible.
     * `len` bytes at guest linear `gla` (gla + len <= 4 GiB), all page-aligned; `rights` are
     * HOST_MAP_*. Mapping wants pages that are not mapped, and `at` says where they are in the
     * guest's memory as the host keeps it: RAM by its physical address, then what the host added
     * for regions (monitor/memory/region.h, region.at). Protecting wants pages that are mapped;
     * unmapping takes both. All return 0 or -error, after
     * which these pages are inaccessible or as they were, and the whole window is about to be
     * unmapped. An error of unmapping a whole window means that it still shows something. */
    int (*window_map)(void *opaque, unsigned n, gla_t gla, uint64_t at, uint64_t len,
                      unsigned rights);
    int (*window_unmap)(void *opaque, unsigned n, gla_t gla, uint64_t len);
    int (*window_protect)(void *opaque, unsigned n, gla_t gla, uint64_t len, unsigned rights);
    uint64_t window_base[HOST_WINDOWS];
    unsigned window_count; /* 0: no windows */
    /* So many runs of pages, contiguous and with the same rights, may be mapped in all windows
     * together, free stretches between them included; a power of two. */
    uint32_t window_runs;
    /* Does WRGSBASE work, and nothing else on the vCPU's thread use the GS base? Then translated
     * code sets it to the window's. */
    bool gs_base_free;

    /* Direct execution (direct/): NULL: none. Runs guest code on the bare CPU, with what windows
     * map as HOST_MAP_EXEC, until it traps or attention is asked for (include/ring1/direct.h). The
     * guest's FPU registers are live. */
    unsigned (*direct_run)(void *opaque, struct direct_regs *r);

    struct host_code_arena stubs; /* FPU stubs (monitor/interp/fpu_stub.h) */
    /* Translated code (bt/); size 0: none. Executable less than 2 GiB below its vCPU. */
    struct host_code_arena cache;
    /* Maps of 2^32 entries of 4 bytes (monitor/cpu/bt_cpu.h): zeroes, all of which can be read.
     * Opening makes part of one writable (returns 0 or -error); what is written takes memory.
     * Dropping makes an open part zero and gives its memory back; clearing makes a map as it was at
     * first. Several numbers may name the same map, when there is one supervisor window. */
    uint64_t jump_map[HOST_JUMP_MAPS];
    int (*jump_map_open)(void *opaque, uint64_t at, uint64_t bytes);
    void (*jump_map_drop)(void *opaque, uint64_t at, uint64_t bytes);
    void (*jump_map_clear)(void *opaque, uint64_t map);
    /* The host return stack of translated code: [limit, top); a guard page below limit, 4 GiB that
     * are inaccessible from top on. It lies above its vCPU, by less than 2 GiB. */
    uint64_t return_limit, return_top;
};

#endif
