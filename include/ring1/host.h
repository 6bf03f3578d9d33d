/* SPDX-License-Identifier: MIT */
/*
 * host.h - everything the core asks of the world it runs in.
 *
 * Promises   All nondeterminism (time, entropy, completions) enters the core through this struct.
 * FPU rule   Guest x87/MMX/SSE registers may be live in the host's registers while the core runs
 *            (struct vcpu.fpu.live), also in the middle of an instruction that uses them: its
 *            memory operand may be a device's. So every function leaves these registers as it finds
 *            them. A function marked FPU-SAFE touches general registers only; any other one saves
 *            them, does what it does with libraries that are compiled with SSE, and restores them.
 *            None calls fpu_park() (monitor/cpu/fpu.h). tests/unit/host/linux/host_fpu.c looks at
 *            each.
 * Not here   Device back ends (struct chardev in devices/device.h): the same rule holds for them.
 */
#ifndef RING1_HOST_H
#define RING1_HOST_H

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

/* Operands of a generated FPU stub (monitor/interp/fpu_stub.h). */
struct fpu_io;

struct vmm_host {
    void *opaque; /* first argument of every function below */

    /* FPU-SAFE. Monotonic host time in ns since the VM's creation; keeps step with the host's
     * clock. */
    ns_t (*now_ns)(void *opaque);

    /* FPU-SAFE. Calls a generated stub with `io` in rdi; the stub runs guest x87/MMX/SSE
     * instructions on the live registers. Returns 0, or the exception vector the CPU raised in it
     * (VEC_MF, VEC_XM); the guest's FPU registers are then as the CPU left them at the faulting
     * instruction. */
    unsigned (*fpu_call)(void *opaque, const void *stub, struct fpu_io *io);

    /* FPU-SAFE. 32 random bits for RDRAND. Returns false when none are available (guest sees CF =
     * 0). */
    bool (*random32)(void *opaque, uint32_t *out);

    /* FPU-SAFE. Seconds since 1970-01-01 UTC at this moment, plus the -rtc option's offset; for the
     * CMOS clock. */
    int64_t (*wall_seconds)(void *opaque);

    /* One line of trace of stage `stage` (include/ring1/trace.def), without a newline. */
    void (*trace)(void *opaque, unsigned stage, const char *text);

    /* FPU-SAFE. Asks for ATT_TIME to be set and bt_break_in() called at host time `at` (of
     * now_ns()), or as soon after as the host can; NS_NEVER: not at all. Replaces the previous
     * request. NULL: translated code is not interrupted (tests). */
    void (*arm_timer)(void *opaque, ns_t at);

    /* FPU-SAFE. Windows: 4 GiB of host address space each, with inaccessible guards of more than 2
     * GiB on both sides, at window_base[n]; inaccessible where nothing is mapped. All return 0 or
     * -error; page-aligned arguments; `len` bytes at guest linear `gla` (gla + len <= 4 GiB).
     * window_count 0: no windows. */
    int (*window_map)(void *opaque, unsigned n, gla_t gla, gpa_t gpa, uint64_t len, bool writable);
    int (*window_unmap)(void *opaque, unsigned n, gla_t gla, uint64_t len);
    int (*window_protect)(void *opaque, unsigned n, gla_t gla, uint64_t len, bool writable);
    uint64_t window_base[HOST_WINDOWS];
    unsigned window_count;
    /* Does WRGSBASE work, and nothing else on the vCPU's thread use the GS base? Then translated
     * code sets it to the window's. */
    bool gs_base_free;

    struct host_code_arena cache; /* translated code (bt/); size 0: none. Executable less than 2
                                   * GiB below its vCPU. */
    /* FPU-SAFE. Maps of 2^32 entries of 4 bytes (monitor/cpu/bt_cpu.h): zeroes, all of
     * which can be read. Opening makes part of one writable (returns 0 or -error); what is written
     * takes memory. Dropping makes an open part zero and gives its memory back; clearing makes a
     * map as it was at first. */
    uint64_t jump_map[HOST_JUMP_MAPS];
    int (*jump_map_open)(void *opaque, uint64_t at, uint64_t bytes);
    void (*jump_map_drop)(void *opaque, uint64_t at, uint64_t bytes);
    void (*jump_map_clear)(void *opaque, uint64_t map);
    /* The host return stack of translated code: [limit, top); a guard page below limit, 4 GiB that
     * are inaccessible from top on. It lies above its vCPU, by less than 2 GiB. */
    uint64_t return_limit, return_top;

    uint32_t trace_mask;    /* bit n: trace.def stage n is wanted */
    uint32_t guest_tsc_khz; /* frequency of the guest's time stamp counter */
    /* The host CPU's own CPUID.1:ECX, CPUID.1:EDX, CPUID.7.0:EBX: guest SSE instructions run on its
     * units, so a CPU model (monitor/cpu/cpuid.h) offers no instruction set extension that is
     * missing here. */
    uint32_t host_feat_1_ecx, host_feat_1_edx, host_feat_7_ebx;
    struct host_code_arena code;
};

#endif
