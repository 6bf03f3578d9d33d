/* SPDX-License-Identifier: MIT */
/*
 * memory.h - memory of a device that the CPU reaches without asking it: a ROM, a frame buffer.
 *
 * Promises   Given to a device by its board. The guest's accesses go straight to `bytes`, at the
 *            place that the device last gave (a BAR, say); what it stores there is in the log, what
 *            it executes there is forgotten when it changes.
 * Contents   Are the guest's state and saved with the machine, not by the device. They survive a
 * reset.
 * Thread     The vCPU's.
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
    /* The guest finds it at gpa from now on, or nowhere. False: something else of this kind lies
     * there; it is nowhere. */
    bool (*place)(void *opaque, uint64_t gpa);
    /* The device itself changed bytes [off, off+len). */
    void (*written)(void *opaque, uint64_t off, uint64_t len);
    /* Bit n of `out` ((size / page + 63) / 64 words): page n was written since the last call, by
     * the guest or the device; at first all. Returns how many pages. Costs a write's trap for each
     * page that it returns, when that is written again, and nothing for those that it does not.
     * NULL: a ROM. */
    unsigned (*changed)(void *opaque, uint64_t *out);
};

#endif
