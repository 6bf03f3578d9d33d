/* SPDX-License-Identifier: MIT */
/* sieve.c - prime sieve over bytes: short loops, byte stores. */
#include "bench.h"

#define LIMIT 200000u

static uint8_t composite[LIMIT];

uint32_t bench_work(void)
{
    uint32_t count = 0;

    for (unsigned round = 0; round < 60; round++) {
        for (uint32_t i = 0; i < LIMIT; i++)
            composite[i] = 0;
        for (uint32_t i = 2; i < LIMIT; i++) {
            if (composite[i])
                continue;
            count++;
            for (uint32_t k = i + i; k < LIMIT; k += i)
                composite[k] = 1;
        }
    }
    return count;
}
