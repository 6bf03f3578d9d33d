/* SPDX-License-Identifier: MIT */
/* sort.c - heap sort of pseudo-random words: unpredictable branches, scattered loads. */
#include "bench.h"

#define COUNT 100000u

static uint32_t word[COUNT];

static void sift(uint32_t from, uint32_t end)
{
    for (uint32_t child; (child = 2 * from + 1) < end; from = child) {
        if (child + 1 < end && word[child] < word[child + 1])
            child++;
        if (word[from] >= word[child])
            return;
        uint32_t t = word[from];
        word[from] = word[child];
        word[child] = t;
    }
}

uint32_t bench_work(void)
{
    uint32_t seed = 1, sum = 0;

    for (unsigned round = 0; round < 6; round++) {
        for (uint32_t i = 0; i < COUNT; i++)
            word[i] = seed = seed * 1664525u + 1013904223u;
        for (uint32_t i = COUNT / 2; i-- > 0;)
            sift(i, COUNT);
        for (uint32_t end = COUNT; end-- > 1;) {
            uint32_t t = word[0];
            word[0] = word[end];
            word[end] = t;
            sift(0, end);
        }
        for (uint32_t i = 0; i < COUNT; i++)
            sum = sum * 31 + word[i];
    }
    return sum;
}
