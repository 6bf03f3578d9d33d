/* SPDX-License-Identifier: MIT */
/*
 * i8237.c - DMA controllers. See i8237.h.
 */
#include "devices/i8237.h"

#include "include/ring1/mem.h"

static void chip_clear(struct i8237_chip *c)
{
    c->command = c->status = c->request = c->temp = 0;
    c->mask = 0x0f;
    c->flipflop = false;
}

/* Replaces the byte that the flip-flop points at. */
static uint16_t put_half(uint16_t old, uint8_t val, bool high)
{
    return (uint16_t)(high ? (old & 0x00ff) | val << 8 : (old & 0xff00) | val);
}

static void set_bit(uint8_t *reg, unsigned bit, bool on)
{
    *reg = (uint8_t)(on ? *reg | 1u << bit : *reg & ~(1u << bit));
}

static void chip_write(struct i8237_chip *c, unsigned reg, uint8_t val)
{
    unsigned n = reg >> 1;

    if (reg < 8) {
        uint16_t *base = reg & 1 ? &c->base_count[n] : &c->base_addr[n];

        *base = put_half(*base, val, c->flipflop);
        *(reg & 1 ? &c->count[n] : &c->addr[n]) = *base;
        c->flipflop = !c->flipflop;
        return;
    }
    switch (reg) {
    case 0x8:
        c->command = val;
        break;
    case 0x9:
        set_bit(&c->request, val & 3, val & 4);
        break;
    case 0xa:
        set_bit(&c->mask, val & 3, val & 4);
        break;
    case 0xb:
        c->mode[val & 3] = val;
        break;
    case 0xc:
        c->flipflop = false;
        break;
    case 0xd:
        chip_clear(c);
        break;
    case 0xe:
        c->mask = 0;
        break;
    default:
        c->mask = val & 0x0f;
        break;
    }
}

static uint8_t chip_read(struct i8237_chip *c, unsigned reg)
{
    unsigned n = reg >> 1;
    uint16_t val;

    if (reg < 8) {
        val = reg & 1 ? c->count[n] : c->addr[n];
        c->flipflop = !c->flipflop;
        return (uint8_t)(c->flipflop ? val : val >> 8);
    }
    switch (reg) {
    case 0x8:
        val = c->status;
        c->status &= 0xf0; /* terminal counts are cleared by reading */
        return (uint8_t)val;
    case 0xd:
        return c->temp;
    case 0xf: /* PIIX3 lets the mask be read */
        return c->mask | 0xf0;
    default:
        return 0xff;
    }
}

static void i8237_write(void *dev, uint32_t off, unsigned size, uint32_t val, ns_t now)
{
    struct i8237 *dma = dev;

    (void)size;
    (void)now;
    if (off >= 0x200)
        dma->page[off & 15] = (uint8_t)val;
    else if (off >= 0x100)
        chip_write(&dma->chip[1], (off >> 1) & 15, (uint8_t)val);
    else
        chip_write(&dma->chip[0], off & 15, (uint8_t)val);
}

static uint32_t i8237_read(void *dev, uint32_t off, unsigned size, ns_t now)
{
    struct i8237 *dma = dev;

    (void)size;
    (void)now;
    if (off >= 0x200)
        return dma->page[off & 15];
    if (off >= 0x100)
        return chip_read(&dma->chip[1], (off >> 1) & 15);
    return chip_read(&dma->chip[0], off & 15);
}

static void i8237_reset(void *dev)
{
    struct i8237 *dma = dev;

    chip_clear(&dma->chip[0]);
    chip_clear(&dma->chip[1]);
}

void i8237_init(struct i8237 *d, const struct dma *dma)
{
    memset(d, 0, sizeof(*d));
    d->dma = *dma;
    i8237_reset(d);
}

#define COMMAND_OFF   0x04u
#define MODE_VERIFY   0x00u
#define MODE_WRITE    0x04u /* into memory */
#define MODE_READ     0x08u
#define MODE_KIND     0x0cu
#define MODE_AUTOINIT 0x10u
#define MODE_DOWN     0x20u
#define MODE_CASCADE  0xc0u

/* The count ran out. */
static void terminal_count(struct i8237_chip *c, unsigned n)
{
    c->status |= (uint8_t)(1u << n);
    c->request &= (uint8_t) ~(1u << n);
    if (c->mode[n] & MODE_AUTOINIT) {
        c->addr[n] = c->base_addr[n];
        c->count[n] = c->base_count[n];
    } else {
        c->mask |= (uint8_t)(1u << n);
    }
}

/* Moves `units` bytes or words, all in one direction from the current address on. */
static void move_run(struct i8237 *d, unsigned channel, uint8_t *bytes, uint32_t units)
{
    static const uint8_t page_of[8] = {7, 3, 1, 2, 0xf, 0xb, 9, 0xa};
    struct i8237_chip *c = &d->chip[channel / 4];
    unsigned n = channel % 4, words = channel / 4;
    uint32_t page = d->page[page_of[channel]];
    uint32_t gpa =
        words ? (page & 0xfe) << 16 | (uint32_t)c->addr[n] << 1 : page << 16 | c->addr[n];

    if ((c->mode[n] & MODE_KIND) == MODE_WRITE)
        dma_write(&d->dma, gpa, bytes, units << words);
    else if ((c->mode[n] & MODE_KIND) == MODE_READ)
        dma_read(&d->dma, gpa, bytes, units << words);
    c->addr[n] = (uint16_t)(c->mode[n] & MODE_DOWN ? c->addr[n] - units : c->addr[n] + units);
    c->count[n] = (uint16_t)(c->count[n] - units);
}

uint32_t i8237_transfer(struct i8237 *d, unsigned channel, uint8_t *bytes, uint32_t len, bool *end)
{
    struct i8237_chip *c = &d->chip[channel / 4];
    unsigned n = channel % 4, words = channel / 4;
    uint32_t done = 0;

    *end = false;
    if (channel == 4 || (c->mask >> n & 1) || (c->command & COMMAND_OFF) ||
        (d->chip[1].command & COMMAND_OFF) || (c->mode[n] & MODE_CASCADE) == MODE_CASCADE ||
        (!words && (d->chip[1].mask & 1)))
        return 0;
    for (len >>= words; len && !*end;) {
        uint32_t left = (uint32_t)c->count[n] + 1, room = 0x10000u - c->addr[n];
        uint32_t units = len < left ? len : left;

        if (units > room)
            units = room;
        if (c->mode[n] & MODE_DOWN)
            units = 1;
        *end = units == left;
        move_run(d, channel, bytes + done, units);
        done += units << words;
        len -= units;
    }
    if (*end)
        terminal_count(c, n);
    return done;
}

/* What the code above counts on when the state comes from a file. */
static const struct state_rule rules[] = {
    STATE_EACH(struct i8237, chip, .flipflop, 0, 1),
};

const struct dev_ops i8237_ops = {
    .name = "i8237",
    .state_size = offsetof(struct i8237, wires_begin),
    .min_size = 1,
    .max_size = 1,
    .read = i8237_read,
    .write = i8237_write,
    .reset = i8237_reset,
    .rules = rules,
    .rule_count = ARRAY_LEN(rules),
};
