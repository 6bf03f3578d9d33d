/* SPDX-License-Identifier: MIT */
/*
 * fpu_safe.h - the functions of struct vmm_host that run while the guest's FPU registers are live
 * in the host's.
 *
 * Promises   FPU-SAFE: fpu_safe.c is compiled with -mgeneral-regs-only, and what it calls touches
 *            general registers only. clock_gettime() is a jump into the vDSO, whose code the kernel
 *            compiles without SSE and x87; the dynamic linker's lazy binding would not be, so
 *            clock_init() makes the first call. What needs libraries is called by
 *            fpu_safe_trace().
 */
#ifndef RING1_HOST_LINUX_FPU_SAFE_H
#define RING1_HOST_LINUX_FPU_SAFE_H

#include "include/ring1/types.h"

struct host_clock {
    uint64_t start_ns; /* CLOCK_MONOTONIC at the VM's creation */
    /* break_timer.c. Both in ns_t, NS_NEVER: none; written by the vCPU's thread and by the signal
     * handler that interrupts it. */
    volatile ns_t armed; /* when the kernel's timer goes off */
    volatile ns_t asked; /* what the monitor asked for last */
    int timer;           /* the kernel's number; -1: none */
    int64_t rtc_offset;  /* seconds that -rtc adds to UTC */
    uint32_t random[64]; /* drawn from the kernel, handed out once each */
    unsigned random_left;
};

void clock_init(struct host_clock *c);
/* vmm_host.now_ns, .random32 and .wall_seconds; `clock` is a struct host_clock. */
ns_t clock_now(void *clock);
bool clock_random32(void *clock, uint32_t *out);
/* Is vcpu_host.spent_ns, of the thread that calls. */
ns_t clock_spent(void *clock);
int64_t clock_wall(void *clock);

/* ---- break_timer.c: the timer that interrupts translated code ---- */
/* The signal it sends; signals.c handles it. */
#define BREAK_SIGNAL 14 /* SIGALRM */
/* Makes the timer, not armed yet. Returns 0 or -errno. */
int break_timer_create(struct host_clock *c);
void break_timer_destroy(struct host_clock *c);
/* Is vcpu_host.arm_timer; `clock` is a struct host_clock. */
void break_timer_arm(void *clock, ns_t at);
/* To be called when the monitor asks for nothing, and will not before host time `at` (not
 * NS_NEVER): a timer that is armed goes off no sooner than that. */
void break_timer_put_off(struct host_clock *c, ns_t at);
/* For the handler of BREAK_SIGNAL: is it time for what was asked for? If not, sets the timer again
 * when something is still asked for. Async-signal-safe. */
bool break_timer_fired(struct host_clock *c);

/* The host's TSC frequency in kHz: what CPUID says, else measured (5 ms), rounded to 1 MHz. */
uint32_t clock_tsc_khz(void);

/* Bytes on their way out of a serial port: appended without a library call, written by
 * console.c. */
#define OUT_RING 0x40000u /* a power of two */
struct out_ring {
    uint32_t head, tail; /* head - tail bytes wait */
    uint64_t dropped;
    uint8_t bytes[OUT_RING];
};
static inline uint32_t out_ring_used(const struct out_ring *r)
{
    return r->head - r->tail;
}
/* Drops what does not fit, and counts it. `ring` is a struct out_ring: this is a struct chardev's
 * send(). */
void out_ring_put(void *ring, const uint8_t *bytes, size_t len);
/* The send() of a device whose bytes nobody wants. */
void out_drop(void *opaque, const uint8_t *bytes, size_t len);

/* vmm_host.trace: saves the x87, MMX and SSE registers, whatever is in them, calls vm_host_trace()
 * with them as C expects them, and restores them. */
void fpu_safe_trace(void *opaque, unsigned stage, const char *text);

#endif
