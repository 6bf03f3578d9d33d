/* SPDX-License-Identifier: MIT */
/*
 * bus.h - address decoding, the same type for memory and for ports.
 *
 * Promises   Ranges never overlap (bus_add refuses). An access that a device does not take in its
 *            size is split into what it does take; nobody home reads all-ones, drops writes, and is
 *            counted.
 */
#ifndef RING1_DEVICES_BUS_H
#define RING1_DEVICES_BUS_H

#include "devices/device.h"

#define BUS_MAX_RANGES 96

struct bus_range {
    uint64_t first, last;
    uint32_t dev_base; /* offset passed to the device for address `first` */
    const struct dev_ops *ops;
    void *dev;
};

struct bus {
    const char *name; /* "memory" or "port" */
    unsigned count;
    struct bus_range range[BUS_MAX_RANGES]; /* sorted by first */
    uint64_t unclaimed_reads, unclaimed_writes;
    uint64_t last_unclaimed;
};

/* Puts `dev` at [first, last]. Returns 0, or -1 on overlap or when the bus is full. */
int bus_add(struct bus *b, uint64_t first, uint64_t last, const struct dev_ops *ops, void *dev,
            uint32_t dev_base);
/* Removes the range of `dev` that begins at `first` (PCI BARs, PM base and APIC base move). Returns
 * 0, or -1 when there is none. */
int bus_remove(struct bus *b, uint64_t first, const void *dev);
/* The range that holds `addr`, NULL: none does. Valid until ranges are added or removed. */
const struct bus_range *bus_find(const struct bus *b, uint64_t addr);

/* An access of the CPU: `size` is 1, 2 or 4 bytes, `addr` need not be aligned. */
uint32_t bus_read(struct bus *b, uint64_t addr, unsigned size, ns_t now);
void bus_write(struct bus *b, uint64_t addr, unsigned size, uint32_t val, ns_t now);

#endif
