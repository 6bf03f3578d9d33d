/* SPDX-License-Identifier: MIT */
/*
 * port61.c - system control port B. See port61.h.
 */
#include "devices/port61.h"

#include "include/ring1/mem.h"

#define GATE2      0x01
#define SPEAKER    0x02
#define WRITABLE   0x0f  /* gate, speaker, and the two NMI source disables */
#define REFRESH_NS 15085 /* 18 ticks of counter 1: the refresh request toggles this often */

static void port61_write(void *dev, uint32_t off, unsigned size, uint32_t val, ns_t now)
{
    struct port61 *p = dev;
    uint8_t changed = (uint8_t)(p->control ^ val);

    (void)off;
    (void)size;
    p->control = val & WRITABLE;
    if (changed & GATE2)
        i8254_set_gate(p->pit, 2, val & GATE2, now);
    if (changed & SPEAKER)
        wire_set(&p->speaker, (val & SPEAKER) != 0);
}

static uint32_t port61_read(void *dev, uint32_t off, unsigned size, ns_t now)
{
    struct port61 *p = dev;

    (void)off;
    (void)size;
    return p->control | (now / REFRESH_NS & 1) << 4 | (i8254_out(p->pit, 2, now) ? 0x20u : 0);
}

/* The timer is reset by the board at the same time and closes gate 2 itself. */
static void port61_reset(void *dev)
{
    struct port61 *p = dev;

    p->control = 0;
    wire_set(&p->speaker, false);
}

void port61_init(struct port61 *p, struct i8254 *pit, struct wire speaker)
{
    memset(p, 0, sizeof(*p));
    p->pit = pit;
    p->speaker = speaker;
}

const struct dev_ops port61_ops = {
    .name = "port61",
    .state_size = offsetof(struct port61, wires_begin),
    .min_size = 1,
    .max_size = 1,
    .read = port61_read,
    .write = port61_write,
    .reset = port61_reset,
};
