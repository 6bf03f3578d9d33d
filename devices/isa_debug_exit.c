/* SPDX-License-Identifier: MIT */
/*
 * isa_debug_exit.c - a write ends the machine. See isa_debug_exit.h.
 */
#include "devices/isa_debug_exit.h"

static void debug_exit_write(void *dev, uint32_t off, unsigned size, uint32_t val, ns_t now)
{
    struct isa_debug_exit *d = dev;

    (void)off;
    (void)size;
    (void)now;
    if (d->request)
        d->request(d->ctx, val << 1 | 1);
}

static uint32_t debug_exit_read(void *dev, uint32_t off, unsigned size, ns_t now)
{
    (void)dev;
    (void)off;
    (void)size;
    (void)now;
    return 0;
}

void isa_debug_exit_init(struct isa_debug_exit *d, void (*request)(void *ctx, uint32_t code),
                         void *ctx)
{
    d->wires_begin = 0;
    d->ctx = ctx;
    d->request = request;
}

const struct dev_ops isa_debug_exit_ops = {
    .name = "isa-debug-exit",
    .state_size = offsetof(struct isa_debug_exit, wires_begin),
    .min_size = 1,
    .max_size = 4,
    .read = debug_exit_read,
    .write = debug_exit_write,
};
