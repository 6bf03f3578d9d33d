/* SPDX-License-Identifier: MIT */
/*
 * i8237.c - DMA controllers as a register file. See i8237.h.
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

static void dma_write(void *dev, uint32_t off, unsigned size, uint32_t val, ns_t now)
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

static uint32_t dma_read(void *dev, uint32_t off, unsigned size, ns_t now)
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

static void dma_reset(void *dev)
{
    struct i8237 *dma = dev;

    chip_clear(&dma->chip[0]);
    chip_clear(&dma->chip[1]);
}

void i8237_init(struct i8237 *dma)
{
    memset(dma, 0, sizeof(*dma));
    dma_reset(dma);
}

/* What the code above counts on when the state comes from a file. */
static const struct state_rule rules[] = {
    STATE_EACH(struct i8237, chip, .flipflop, 0, 1),
};

const struct dev_ops i8237_ops = {
    .name = "i8237",
    .state_size = sizeof(struct i8237),
    .min_size = 1,
    .max_size = 1,
    .read = dma_read,
    .write = dma_write,
    .reset = dma_reset,
    .rules = rules,
    .rule_count = ARRAY_LEN(rules),
};
