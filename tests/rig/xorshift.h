/* SPDX-License-Identifier: MIT */
/* xorshift.h - random numbers for unit tests: the same from the same seed, which is not 0. */
#ifndef RING1_TESTS_RIG_XORSHIFT_H
#define RING1_TESTS_RIG_XORSHIFT_H

#include <stdint.h>

static inline uint32_t xorshift(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

#endif
