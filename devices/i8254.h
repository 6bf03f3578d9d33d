/* SPDX-License-Identifier: MIT */
/*
 * i8254.h - the programmable interval timer: three counters clocked with 1193182 Hz.
 *
 * Promises   All counts derive from `now` in whole ticks, so nothing drifts. A tick of counter 0
 *            goes out when it is due if irq_taken() says that the one before was taken; it is then
 *            latched in the interrupt controller, also while that one is in service. Periodic ticks
 *            (modes 2 and 3) that find the one before still requested, or came due while nobody
 *            looked, wait and are delivered one after another. The edge of a mode that makes one
 *            (0, 1, 4, 5) never waits.
 * Windows    0x40-0x43 -> offset 0.
 * Deviations Illegal count 1 in modes 2 and 3 holds OUT high. Ticks of a counter 0 that is faster
 *            than 20 kHz are delivered in bursts.
 * Source     Intel 82C54 data sheet 231244-006.
 */
#ifndef RING1_DEVICES_I8254_H
#define RING1_DEVICES_I8254_H

#include "devices/device.h"

#define I8254_HZ 1193182u

struct i8254_channel {
    uint8_t control; /* last control word, bits 5-0 */
    uint8_t mode;    /* 0-5 */
    bool gate;
    bool null_count; /* a written count is not in the counting element yet */
    bool loaded;     /* a count was written since the control word */
    bool active;     /* counting element holds a count (modes 1, 5: triggered) */
    bool held;       /* counting suspended: by the gate, or between the two bytes of a count */
    bool write_high, read_high;
    bool count_latched, status_latched;
    uint8_t write_low, status;
    uint16_t latch;
    uint32_t count;      /* 1..65536; the count in effect */
    uint32_t next_count; /* count register: last count written */
    uint64_t start;      /* tick at which the counting element held `count` */
    uint64_t held_elapsed;
    uint64_t next_at; /* modes 2, 3: tick at which next_count takes over, or TICK_NEVER */
};

struct i8254 {
    struct i8254_channel ch[3];
    uint64_t tick;      /* latest tick seen; time does not run backwards */
    uint64_t next_edge; /* tick of counter 0's next rise of OUT, or UINT64_MAX */
    uint64_t backlog;   /* ticks due but not delivered */
    ns_t poll_at;       /* when to look at irq_taken again; NS_NEVER: nothing waits */
    ns_t last_poll, starved;
    bool deaf; /* the guest has not taken ticks for long: deliver as the hardware would */
    bool irq_level;
    uint64_t ticks_delivered, ticks_late, ticks_dropped;
    uint8_t wires_begin;
    struct wire irq0, kick; /* kick: raised when the deadline moved */
    bool (*irq_taken)(void *ctx);
    void *irq_taken_ctx;
};

extern const struct dev_ops i8254_ops;

/* irq_taken may be NULL (always true); kick may be unconnected. */
void i8254_init(struct i8254 *pit, struct wire irq0, struct wire kick, bool (*irq_taken)(void *ctx),
                void *ctx);
/* The level of OUT of counter `n` at `now`. */
bool i8254_out(struct i8254 *pit, unsigned n, ns_t now);
void i8254_set_gate(struct i8254 *pit, unsigned n, bool level, ns_t now);

#endif
