/* SPDX-License-Identifier: MIT */
/* fuzz_random.h - random numbers that depend on the seed alone. */
#ifndef RING1_TESTS_FUZZ_RANDOM_H
#define RING1_TESTS_FUZZ_RANDOM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

extern uint64_t fuzz_state; /* defined by the file that includes fuzz.h */

/* splitmix64: any seed is a good one. */
static inline uint64_t rnd64(void)
{
    uint64_t z = fuzz_state += 0x9e3779b97f4a7c15ull;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}
static inline uint32_t rnd32(void)
{
    return (uint32_t)rnd64();
}
/* 0 to n - 1. */
static inline uint32_t rnd(uint32_t n)
{
    return (uint32_t)((uint64_t)rnd32() * n >> 32);
}
static inline bool chance(unsigned percent)
{
    return rnd(100) < percent;
}
#define PICK(array) ((array)[rnd(sizeof(array) / sizeof((array)[0]))])

#endif
