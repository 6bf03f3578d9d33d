/* SPDX-License-Identifier: MIT */
/*
 * idle_prefetch.h - brings the code that an idle guest runs at each tick back into the CPU's
 * caches.
 *
 * Why        An idle guest wakes some 250 times a second, runs a few thousand instructions and
 *            halts. Meanwhile the host's CPU slept or ran other programs, so each of the hundreds
 *            of lines of translated code comes from memory when it is reached, one after the other,
 *            at some 130 ns each; asked for together they take a third of that
 *            (docs/PERFORMANCE.md, "Where the time of an idle Debian guest goes").
 * How        One wake in 16, later in 2048, is interpreted, and the lines where the translations of
 *            its instructions lie are noted, and those of its operands. At each following wake they
 *            are prefetched. A guest whose wakes are long is not idle, and nothing is prefetched.
 * Invariant  Nothing depends on what is noted: a prefetch has no architectural effect.
 */
#ifndef RING1_BT_RUN_IDLE_PREFETCH_H
#define RING1_BT_RUN_IDLE_PREFETCH_H

#include "include/ring1/types.h"

struct vcpu;

/* The halted CPU is about to run again: prefetches. */
void idle_prefetch(struct vcpu *v);

/* Interprets one instruction of a wake that is being noted (bt.idle.learning), and notes it. */
void idle_prefetch_step(struct vcpu *v);

#endif
