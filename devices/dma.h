/* SPDX-License-Identifier: MIT */
/*
 * dma.h - how a device reaches guest memory: by guest-physical address and length, past the CPU.
 *
 * Promises   Every byte is checked against the memory that the guest has. What is not memory (a
 *            hole, another device) reads as all-ones and takes no writes; ROM takes none either.
 *            Both are counted, and the result says so, for a chip that has a bit for it. Whoever
 *            watches pages hears of each write before the call returns: code made of the old bytes
 *            is gone, dirty logs know. The A20 gate and the local APIC's page concern the CPU only:
 *            a device reaches the RAM there.
 * Addresses  They have 64 bits and do not wrap around: a transfer that would go beyond the last one
 *            ends in a hole. A chip with 32-bit counters wraps them itself.
 * Pointers   None outlives a call except in a mapping, for bulk input and output that the host
 *            does later: between dma_map() and dma_unmap() the bytes stay where they are, whatever
 *            the guest does to its memory map.
 * Thread     Only the vCPU's thread calls (in run_until(), read(), write(), a completion). Any
 *            thread may use the bytes of a mapping.
 * Not here   Guest memory itself (monitor/memory/dma.h answers this interface).
 */
#ifndef RING1_DEVICES_DMA_H
#define RING1_DEVICES_DMA_H

#include "include/ring1/types.h"

/* Guest memory that is kept for a transfer; dma_map() fills it in, everyone else only reads it. */
struct dma_map {
    uint8_t *bytes; /* NULL: nothing is mapped */
    gpa_t gpa;      /* of the first byte, when it was mapped */
    uint32_t len;   /* bytes */
    bool write;     /* the device writes to guest memory */
    void *owner;    /* for whoever answers dma_map() */
};

/* Given to a device by its board. A struct of zeroes is a bus without memory. */
struct dma {
    void *opaque; /* first argument of the functions below */
    bool (*read)(void *opaque, gpa_t gpa, void *out, uint32_t len);
    bool (*write)(void *opaque, gpa_t gpa, const void *in, uint32_t len);
    uint32_t (*map)(void *opaque, gpa_t gpa, uint32_t len, bool write, struct dma_map *m);
    void (*unmap)(void *opaque, struct dma_map *m, uint32_t written);
};

/* Copies guest memory [gpa, gpa+len) to `out`. False: not all of it is memory; those bytes are
 * 0xff. */
static inline bool dma_read(const struct dma *d, gpa_t gpa, void *out, uint32_t len)
{
    if (d->read)
        return d->read(d->opaque, gpa, out, len);
    for (uint32_t n = 0; n < len; n++)
        ((uint8_t *)out)[n] = 0xff;
    return false;
}

/* Copies `in` to guest memory [gpa, gpa+len). False: not all of it can be written; those bytes are
 * dropped. */
static inline bool dma_write(const struct dma *d, gpa_t gpa, const void *in, uint32_t len)
{
    return d->write && d->write(d->opaque, gpa, in, len);
}

/* Read and write a little-endian number of `size` bytes, at most 8: a descriptor's field. */
static inline uint64_t dma_read_int(const struct dma *d, gpa_t gpa, unsigned size)
{
    uint8_t byte[8] = {0};
    uint64_t value = 0;

    dma_read(d, gpa, byte, size);
    for (unsigned n = size; n--;)
        value = value << 8 | byte[n];
    return value;
}

static inline bool dma_write_int(const struct dma *d, gpa_t gpa, uint64_t value, unsigned size)
{
    uint8_t byte[8];

    for (unsigned n = 0; n < size; n++)
        byte[n] = (uint8_t)(value >> 8 * n);
    return dma_write(d, gpa, byte, size);
}

/* Maps as much of guest memory [gpa, gpa+len) as lies in one piece of host memory from gpa on, for
 * the device to read, or to write. Returns how many bytes; 0 when there is no memory at gpa (or
 * none that can be written): *m is not mapped then. Each mapping wants its dma_unmap(); at most
 * DMA_MAPS_MAX live at a time, more give 0. */
#define DMA_MAPS_MAX 1024u
static inline uint32_t dma_map(const struct dma *d, gpa_t gpa, uint32_t len, bool write,
                               struct dma_map *m)
{
    *m = (struct dma_map){0};
    return d->map ? d->map(d->opaque, gpa, len, write, m) : 0;
}

/* Ends *m. The first `written` bytes of it were changed, and no others (0 where m->write is false).
 * Does nothing when *m is not mapped. */
static inline void dma_unmap(const struct dma *d, struct dma_map *m, uint32_t written)
{
    if (m->bytes)
        d->unmap(d->opaque, m, written);
    *m = (struct dma_map){0};
}

#endif
