/* SPDX-License-Identifier: MIT */
/*
 * wake.h - brings the code that an idle guest runs at each tick back into the CPU's caches.
 *
 * Why        An idle guest wakes some 250 times a second, runs a few thousand instructions and
 *            halts. The host's CPU has slept meanwhile, or run others: each of the hundreds of
 *            lines of translated code comes from memory when it is reached, one after the other,
 *            some 130 ns each; asked for together they take a third of that (docs/PERFORMANCE.md,
 *            "Idle").
 * How        One wake in 16, later in 2048, is interpreted, and the lines where the translations of
 *            its instructions lie are noted, and those of its operands. At each following wake they
 *            are prefetched. A guest whose wakes are long is not idle, and nothing is prefetched.
 * Invariant  Nothing depends on what is noted: a prefetch has no architectural effect.
 */
#ifndef RING1_BT_WAKE_H
#define RING1_BT_WAKE_H

#include "include/ring1/types.h"

struct vcpu;

#define WAKE_LINE   64u   /* bytes */
#define WAKE_LINES  1024u /* most that are prefetched: a CPU's second level cache is far larger */
#define WAKE_HASHED 4096u

struct bt_wake {
    uint64_t line[WAKE_LINES]; /* host addresses / WAKE_LINE, in the order of first use */
    unsigned count;
    unsigned flush_count; /* struct bt's, when they were noted */
    unsigned wakes;       /* since then */
    unsigned until_next;  /* so many wakes */
    bool learning;
    uint32_t site;  /* while learning: number of the last instruction's, UINT32_MAX: none */
    unsigned insns; /* of the wake that is noted */
    uint64_t seen[WAKE_HASHED]; /* while learning: lines + 1, open addressing */
};

/* One instruction of a wake that is being noted (bt.wake.learning), interpreted. */
void wake_step(struct vcpu *v);

#endif
