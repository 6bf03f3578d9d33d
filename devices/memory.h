/* SPDX-License-Identifier: MIT */
/*
 * memory.h - memory of a device that the CPU reaches without asking it: a ROM, a frame buffer.
 *
 * Promises   A board gives it to a device. The guest's accesses go straight to `bytes`, at the
 *            place that the device last gave (a BAR, say). What the guest stores there is in the
 *            log; code made from these bytes is forgotten when they change.
 * Contents   The contents are guest state: they are saved with the machine, not by the device, and
 *            survive a reset.
 * Thread     Only the vCPU's thread calls.
 * Not here   What it is to the CPU (monitor/memory/region.h answers this interface).
 */
#ifndef RING1_DEVICES_MEMORY_H
#define RING1_DEVICES_MEMORY_H

#include "include/ring1/types.h"

#define DEV_MEMORY_NOWHERE UINT64_MAX

/* A struct of zeroes is no memory: its functions must not be called. */
struct dev_memory {
    void *opaque;
    uint8_t *bytes;
    uint64_t size; /* bytes, a multiple of a page */
    /* Puts the memory at gpa, page-aligned, or DEV_MEMORY_NOWHERE. False: other memory of a device
     * lies there; this one is nowhere then. */
    bool (*place)(void *opaque, uint64_t gpa);
    /* The device itself changed bytes [off, off+len). */
    void (*written)(void *opaque, uint64_t off, uint64_t len);
    /* Sets bit n of `out` ((size / page + 63) / 64 words) when page n was written since the last
     * call, by the guest or the device, and clears the others; the first call sets all. Returns how
     * many it set. Each of these pages costs a trap when it is written again, other pages cost
     * nothing. NULL: a ROM. */
    unsigned (*changed)(void *opaque, uint64_t *out);
};

/* A piece of such a memory that the guest finds at another address, too: a bank of a frame buffer.
 * What is stored through it is in the memory's log. Zeroes: there is none. */
struct dev_view {
    void *opaque;
    uint64_t size; /* bytes, a multiple of a page */
    /* The guest finds [off, off+size) of the memory at gpa from now on, or nothing. False: that
     * cannot be; it is nowhere. */
    bool (*show)(void *opaque, uint64_t gpa, uint64_t off);
};

#endif
