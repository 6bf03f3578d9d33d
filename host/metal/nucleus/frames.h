/* SPDX-License-Identifier: MIT */
/*
 * frames.h - physical memory of the machine, in frames of 4 KiB.
 *
 * Promises   No frame is given twice, and none of those that the image, the loader's modules or the
 *            first MiB (firmware's data, the real mode's vectors) take.
 * Writer     The nucleus (CPL 0), on one CPU, with interrupts off.
 */
#ifndef RING1_HOST_METAL_FRAMES_H
#define RING1_HOST_METAL_FRAMES_H

#include "host/metal/nucleus/bootinfo.h"
#include "host/metal/nucleus/layout.h"

#define FRAME     4096ull
#define BIG_FRAME (2ull << 20)
#define NO_FRAME  (~0ull)

void frames_init(const struct bootinfo *b);

/* Physical address of a frame filled with zeroes, or NO_FRAME. */
uint64_t frame_new(void);
void frame_free(uint64_t pa);

/* Physical address of `size` bytes in a row, a multiple of BIG_FRAME at a multiple of it, or
 * NO_FRAME. They are as the firmware left them, and stay taken. */
uint64_t frames_take(uint64_t size);
/* Gives back what frames_take() took, as a whole. */
void frames_give(uint64_t pa, uint64_t size);

/* Bytes that are still free. */
uint64_t frames_left(void);
/* The physical address after the last byte of usable memory. */
uint64_t frames_top(void);

/* Where the nucleus sees physical memory. */
static inline void *frame_at(uint64_t pa)
{
    return (void *)(DIRECT_BASE + pa);
}

#endif
