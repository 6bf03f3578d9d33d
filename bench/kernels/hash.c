/* SPDX-License-Identifier: MIT */
/* hash.c - add, rotate and xor on registers, as message digests do. */
#include "bench.h"

static uint32_t rotate(uint32_t x, unsigned by)
{
    return x << by | x >> (32 - by);
}

uint32_t bench_work(void)
{
    uint32_t a = 1, b = 2, c = 3, d = 4;

    for (uint32_t i = 0; i < 8000000; i++) {
        a += b ^ i;
        d = rotate(d ^ a, 16);
        c += d;
        b = rotate(b ^ c, 12);
    }
    return a ^ b ^ c ^ d;
}
