/* SPDX-License-Identifier: MIT */
/*
 * device.h - what a chip is to the board: a flat state struct and these operations.
 *
 * A device reads no clock (time comes in as `now`), knows no addresses (offsets come in), owns no
 * pointers into its state except its wires, and can be saved by copying its struct up to the member
 * `wires_begin` where it has one.
 */
#ifndef RING1_DEVICES_DEVICE_H
#define RING1_DEVICES_DEVICE_H

#include "include/ring1/types.h"

struct dev_ops {
    const char *name;
    size_t state_size;
    uint8_t min_size, max_size; /* access sizes the device takes: 1, 2 or 4 */
    uint32_t (*read)(void *dev, uint32_t off, unsigned size, ns_t now);
    void (*write)(void *dev, uint32_t off, unsigned size, uint32_t val, ns_t now);
    void (*reset)(void *dev); /* may be NULL */
    /* Does what fell due by `now`; returns the next deadline or NS_NEVER. May be NULL. */
    ns_t (*run_until)(void *dev, ns_t now);
};

/* One signal line from a device to whoever listens. An unconnected wire (set == NULL) is legal. */
struct wire {
    void (*set)(void *target, unsigned pin, bool level);
    void *target;
    unsigned pin;
};

static inline void wire_set(const struct wire *w, bool level)
{
    if (w->set)
        w->set(w->target, w->pin, level);
}
static inline void wire_pulse(const struct wire *w)
{
    wire_set(w, true);
    wire_set(w, false);
}

/* The byte side of a serial device: where it sends, and how the host feeds it (each device's own
 * *_rx()). */
struct chardev {
    void *opaque;
    /* Host code; FPU-SAFE (include/ring1/host.h), never blocks. */
    void (*send)(void *opaque, const uint8_t *bytes, size_t len);
};

#endif
