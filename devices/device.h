/* SPDX-License-Identifier: MIT */
/*
 * device.h - what a chip is to the board: a flat state struct and these operations.
 *
 * A device reads no clock (time comes in as `now`), knows no addresses (offsets come in), owns no
 * pointers into its state except its wires, and is saved by copying its struct up to the member
 * `wires_begin` where it has one (snapshot.h).
 */
#ifndef RING1_DEVICES_DEVICE_H
#define RING1_DEVICES_DEVICE_H

#include "include/ring1/types.h"

/* What the code of a chip counts on in its state, which may come from outside (snapshot.h): each of
 * `count` integers, the first at `at`, is between min and max. */
struct state_rule {
    uint16_t at;
    uint8_t size; /* bytes of one */
    uint16_t count, stride;
    uint64_t min, max;
};
#define STATE_RULE(type, field, least, most)                                                       \
    {                                                                                              \
        .at = offsetof(type, field), .size = sizeof(((type *)0)->field), .count = 1, .min = least, \
        .max = most                                                                                \
    }
#define STATE_BOOL(type, field) STATE_RULE(type, field, 0, 1)
/* A rule for all elements of an array: STATE_EACH(struct x, ch, .mode, 0, 5) is about ch[n].mode.
 */
#define STATE_EACH(type, array, field, least, most)                                                \
    {                                                                                              \
        .at = offsetof(type, array[0] field), .size = sizeof(((type *)0)->array[0] field),         \
        .count = ARRAY_LEN(((type *)0)->array), .stride = sizeof(((type *)0)->array[0]),           \
        .min = least, .max = most                                                                  \
    }

struct dev_ops {
    const char *name;
    size_t state_size;
    uint8_t min_size, max_size; /* access sizes the device takes: 1, 2 or 4 */
    uint32_t (*read)(void *dev, uint32_t off, unsigned size, ns_t now);
    void (*write)(void *dev, uint32_t off, unsigned size, uint32_t val, ns_t now);
    void (*reset)(void *dev); /* may be NULL */
    /* Does what fell due by `now`; returns the next deadline or NS_NEVER. May be NULL. */
    ns_t (*run_until)(void *dev, ns_t now);
    unsigned version;               /* of the state's layout */
    const struct state_rule *rules; /* NULL: any bytes are a state */
    unsigned rule_count;
    /* Called after the state was replaced by one that keeps the rules. Returns false when the chip
     * cannot be in that state. Brings what follows wires_begin in step. Drives no wire: what they
     * lead to was saved as well. May be NULL. */
    bool (*loaded)(void *dev, ns_t now);
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

#endif
