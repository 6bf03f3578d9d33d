/* SPDX-License-Identifier: MIT */
/*
 * host.h - what a host provides for a VM: time, numbers, what happens outside, and a place for
 * trace. struct vcpu_host (vcpu_host.h) is what each of its vCPUs has.
 *
 * Promises   All nondeterminism enters the core through the functions marked INPUT, each answer
 *            with its time: whoever stands between (a recorder, lockstep) sees all that a guest can
 *            learn, and can say it again.
 * FPU rule   Guest x87/MMX/SSE registers may be live in the host's registers while the core runs
 *            (struct vcpu.fpu.live), also in the middle of an instruction that uses them: its
 *            memory operand may be a device's. So every function leaves these registers as it finds
 *            them. A function marked FPU-SAFE touches general registers only; any other one may use
 *            libraries compiled with SSE, and saves and restores these registers around them.
 *            None calls fpu_park() (monitor/cpu/fpu.h). tests/unit/host/linux/host_fpu.c checks
 *            each.
 * Threads    The threads of all vCPUs may call now_ns() at any time; only CPU 0's calls
 *            next_event(); the others are called by one thread at a time.
 * Writer     The host, before the VM first runs; nothing changes afterwards.
 * Not here   Device back ends (devices/backend.h): the FPU rule holds for them too.
 */
#ifndef RING1_HOST_H
#define RING1_HOST_H

#include "include/ring1/types.h"

/* What happens outside of the VM and concerns its board. */
enum host_event_kind {
    HOST_SERIAL_INPUT, /* `len` bytes arrived at serial port `unit` */
    HOST_SERIAL_BREAK, /* a break condition at serial port `unit` */
    HOST_POWER_BUTTON, /* the power button was pressed */
};

#define HOST_SERIAL_PORTS 4u
#define HOST_EVENT_BYTES  64u

struct host_event {
    ns_t at;      /* when the guest gets it, by now_ns(): the time that the devices see */
    uint8_t kind; /* enum host_event_kind */
    uint8_t unit, len;
    uint8_t bytes[HOST_EVENT_BYTES];
};

/* How many bytes of input the board takes now, by serial port. What it does not take stays with the
 * host. */
struct host_room {
    uint8_t serial[HOST_SERIAL_PORTS]; /* at most HOST_EVENT_BYTES */
};

struct vmm_host {
    void *opaque; /* first argument of every function below */

    /* INPUT, FPU-SAFE. Monotonic host time in ns since the VM's creation; keeps step with the
     * host's clock. Guest time, the TSC and every device's timer are computed from it. (The
     * translator's policy looks at it too, which the guest cannot see.) */
    ns_t (*now_ns)(void *opaque);

    /* INPUT, FPU-SAFE. 32 random bits for RDRAND. Returns false when none are available (guest sees
     * CF = 0). */
    bool (*random32)(void *opaque, uint32_t *out);

    /* INPUT, FPU-SAFE. Seconds since 1970-01-01 UTC at this moment, plus the -rtc option's offset;
     * for the CMOS clock, which is asked for it when the board is built and counts by now_ns() from
     * then on. */
    int64_t (*wall_seconds)(void *opaque);

    /* INPUT, FPU-SAFE. Writes to *e the next thing that happened, with no more input than *room
     * has room for, and returns true; false when there is nothing that the board takes now.
     * vcpu_run() of CPU 0 asks when it begins, until the answer is false: a host that has something
     * makes it return soon (ATT_KICK, engines_break_in()). NULL: nothing ever happens (tests). */
    bool (*next_event)(void *opaque, const struct host_room *room, struct host_event *e);

    /* Takes one line of trace of stage `stage` (include/ring1/trace.def); `text` has no newline and
     * is the caller's again afterwards. */
    void (*trace)(void *opaque, unsigned stage, const char *text);
    uint32_t trace_mask; /* bit n: trace.def stage n is wanted */

    /* INPUT, constant: what the guest's CPUID and TSC are made of. A guest that goes on elsewhere
     * takes them along. */
    uint32_t guest_tsc_khz; /* frequency of the guest's time stamp counter */
    /* The host CPU's own CPUID.1:ECX, CPUID.1:EDX, CPUID.7.0:EBX: guest SSE instructions run on its
     * units, so a CPU model (monitor/cpu/cpuid.h) offers no instruction set extension that is
     * missing here. */
    uint32_t host_feat_1_ecx, host_feat_1_edx, host_feat_7_ebx;
    /* When REP CMPS or SCAS faults, the host's CPU shows the flags of the last element that was
     * compared, not those from before the instruction (SDM vol. 2B, REP). A host that does not know
     * says true, which is never wrong. */
    bool host_rep_flags;
};

#endif
