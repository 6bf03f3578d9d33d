/* SPDX-License-Identifier: MIT */
/* windows.h - where the windows (shadow-mmu/window.h) are. */
#ifndef RING1_HOST_METAL_WINDOWS_H
#define RING1_HOST_METAL_WINDOWS_H

#include "host/metal/nucleus/layout.h"
#include "include/ring1/types.h"

#define WINDOW_BYTES_4G (1ull << 32)
/* From one to the next: more than 2 GiB of nothing on both sides of each. */
#define WINDOW_STEP (4 * WINDOW_BYTES_4G)

static inline uint64_t windows_base(unsigned n)
{
    return WINDOW_BASE + WINDOW_BYTES_4G + n * WINDOW_STEP;
}

#endif
