/* SPDX-License-Identifier: MIT */
/*
 * port92.c - system control port A. See port92.h.
 */
#include "devices/port92.h"

#include "include/ring1/mem.h"

#define FAST_RESET 0x01
#define FAST_A20   0x02

static void port92_write(void *dev, uint32_t off, unsigned size, uint32_t val, ns_t now)
{
    struct port92 *p = dev;
    bool rise = !(p->value & FAST_RESET) && (val & FAST_RESET);

    (void)off;
    (void)size;
    (void)now;
    p->value = val & (FAST_A20 | FAST_RESET);
    wire_set(&p->a20, (val & FAST_A20) != 0);
    if (rise)
        wire_pulse(&p->reset);
}

static uint32_t port92_read(void *dev, uint32_t off, unsigned size, ns_t now)
{
    struct port92 *p = dev;

    (void)off;
    (void)size;
    (void)now;
    return p->value;
}

void port92_a20_follow(struct port92 *p, bool level)
{
    p->value = (uint8_t)((p->value & ~FAST_A20) | (level ? FAST_A20 : 0));
}

/* A20 is open after reset, as the board's i8042 has it. */
static void port92_reset(void *dev)
{
    struct port92 *p = dev;

    p->value = FAST_A20;
}

void port92_init(struct port92 *p, struct wire a20, struct wire reset)
{
    memset(p, 0, sizeof(*p));
    p->a20 = a20;
    p->reset = reset;
    port92_reset(p);
}

const struct dev_ops port92_ops = {
    .name = "port92",
    .state_size = offsetof(struct port92, wires_begin),
    .min_size = 1,
    .max_size = 1,
    .read = port92_read,
    .write = port92_write,
    .reset = port92_reset,
};
