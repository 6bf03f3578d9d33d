/* SPDX-License-Identifier: MIT */
/*
 * clock.h - the machine's time and its one timer.
 *
 * Promises   The TSC, whose frequency is measured against the PIT, is the time. The timer is the
 *            local APIC's, or channel 0 of the PIT where there is no APIC: it may come early when
 *            the time asked for is farther away than it can count, and is asked for again then.
 * Source     SDM vol. 3A, chapter 11 (APIC), vol. 3B, section 18.17 (TSC); data sheets of 8254,
 *            MC146818 and 8259A.
 */
#ifndef RING1_HOST_METAL_CLOCK_H
#define RING1_HOST_METAL_CLOCK_H

#include "include/ring1/types.h"

/* CPL 0: measures, makes the 8259s and the APIC ready. Interrupts stay off. */
void clock_init(void);
/* Any CPL: nanoseconds since clock_init(). Touches general registers only. */
ns_t clock_now(void);
/* It is 0 now: for a new guest. */
void clock_restart(void);
uint32_t clock_tsc_khz(void);
/* Any CPL: seconds since 1970-01-01 UTC, as the CMOS clock said at clock_init(). */
int64_t clock_wall(void);

/* CPL 0: the timer's interrupt comes at `at`, or as soon after as it can. */
void clock_arm(ns_t at);
/* CPL 0: acknowledges an interrupt of the timer or of the 8259s, which came as `vector`. Returns
 * true when the timer caused it. */
bool clock_interrupt(unsigned vector);

#endif
