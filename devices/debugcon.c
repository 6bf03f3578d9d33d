/* SPDX-License-Identifier: MIT */
/*
 * debugcon.c - the port E9h console. See debugcon.h.
 */
#include "devices/debugcon.h"

#include "include/ring1/mem.h"

#define FLUSH_NS 500000ull

void debugcon_flush(struct debugcon *d)
{
    unsigned n = d->count;

    d->count = 0;
    d->flush_at = NS_NEVER;
    if (n && d->chr.send)
        d->chr.send(d->chr.opaque, d->buf, n);
}

static void debugcon_write(void *dev, uint32_t off, unsigned size, uint32_t val, ns_t now)
{
    struct debugcon *d = dev;

    (void)off;
    (void)size;
    d->buf[d->count++] = (uint8_t)val;
    if ((uint8_t)val == '\n' || d->count == sizeof(d->buf)) {
        debugcon_flush(d);
    } else if (d->flush_at == NS_NEVER) {
        d->flush_at = now + FLUSH_NS;
        wire_set(&d->kick, true);
    }
}

static uint32_t debugcon_read(void *dev, uint32_t off, unsigned size, ns_t now)
{
    (void)dev;
    (void)off;
    (void)size;
    (void)now;
    return 0xe9;
}

static ns_t debugcon_run_until(void *dev, ns_t now)
{
    struct debugcon *d = dev;

    if (d->flush_at <= now)
        debugcon_flush(d);
    return d->flush_at;
}

static void debugcon_reset(void *dev)
{
    debugcon_flush(dev);
}

void debugcon_init(struct debugcon *d, struct chardev chr, struct wire kick)
{
    memset(d, 0, sizeof(*d));
    d->chr = chr;
    d->kick = kick;
    d->flush_at = NS_NEVER;
}

/* What the code above counts on when the state comes from a file. */
static const struct state_rule rules[] = {
    STATE_RULE(struct debugcon, count, 0, 63),
};

const struct dev_ops debugcon_ops = {
    .name = "debugcon",
    .state_size = offsetof(struct debugcon, wires_begin),
    .min_size = 1,
    .max_size = 1,
    .read = debugcon_read,
    .write = debugcon_write,
    .reset = debugcon_reset,
    .run_until = debugcon_run_until,
    .rules = rules,
    .rule_count = ARRAY_LEN(rules),
};
