/* SPDX-License-Identifier: MIT */
/* memory.c - loads that depend on each other over 4 MiB: software-TLB misses as a kernel has
 * them. Paging is off, so a miss is cheap; the pages are many. */
#include "bench.h"

#define WORDS (1u << 20)

static uint32_t next[WORDS];

uint32_t bench_work(void)
{
    uint32_t at = 0, sum = 0;

    for (uint32_t i = 0; i < WORDS; i++)
        next[i] = (i * 1103515245u + 12345u) & (WORDS - 1);
    for (uint32_t i = 0; i < 6000000; i++) {
        at = next[at];
        sum += at;
    }
    return sum;
}
