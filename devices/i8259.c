/* SPDX-License-Identifier: MIT */
/*
 * i8259.c - the cascaded 8259A pair. See i8259.h.
 *
 * Each chip keeps the levels of its inputs and a latch of edges seen; what the data sheet calls IRR
 * is computed: level inputs request while they are high, edge inputs while the latch is set.
 * Priorities are counted from lowest + 1, modulo 8.
 */
#include "devices/i8259.h"

#include "include/ring1/mem.h"

#define CASCADE 2 /* master input that the slave drives */

#define ICW1_IC4      0x01
#define ICW1_SNGL     0x02
#define ICW1_INIT     0x10
#define ICW4_AEOI     0x02
#define ICW4_SFNM     0x10
#define OCW3_SELECT   0x08
#define OCW3_READ_ISR 0x01
#define OCW3_READ     0x02
#define OCW3_POLL     0x04
#define OCW3_SMM      0x20
#define OCW3_ESMM     0x40

static uint8_t chip_irr(const struct i8259_chip *c)
{
    return (uint8_t)(c->edge | (c->lines & c->elcr));
}

/* Rank of the most urgent input in `set`: 0 highest .. 7, 8 if the set is empty. */
static unsigned chip_rank(const struct i8259_chip *c, uint8_t set)
{
    unsigned rank;

    for (rank = 0; rank < 8; rank++)
        if (set & (1u << ((c->lowest + 1 + rank) & 7)))
            break;
    return rank;
}

static unsigned chip_input(const struct i8259_chip *c, unsigned rank)
{
    return (c->lowest + 1 + rank) & 7;
}

/* The input that may interrupt now, or -1. */
static int chip_winner(const struct i8259_chip *c, bool master)
{
    uint8_t blocking = c->isr;
    unsigned request = chip_rank(c, (uint8_t)(chip_irr(c) & ~c->imr));

    /* Special mask mode: a masked input in service blocks nobody. */
    if (c->special_mask)
        blocking &= (uint8_t)~c->imr;
    /* Special fully nested: the slave may interrupt while the slave is in service. */
    if (c->fully_nested && master && request < 8 && chip_input(c, request) == CASCADE)
        blocking &= (uint8_t) ~(1u << CASCADE);
    if (request >= 8 || request >= chip_rank(c, blocking))
        return -1;
    return (int)chip_input(c, request);
}

static void chip_set_line(struct i8259_chip *c, unsigned n, bool level)
{
    uint8_t bit = (uint8_t)(1u << n);

    if (level) {
        if (!(c->lines & bit) && !(c->elcr & bit))
            c->edge |= bit;
        c->lines |= bit;
    } else {
        c->lines &= (uint8_t)~bit;
        c->edge &= (uint8_t)~bit;
    }
}

static void pic_update(struct i8259 *pic)
{
    struct i8259_chip *master = &pic->chip[0], *slave = &pic->chip[1];
    bool out;

    slave->out = slave->expect == 0 && chip_winner(slave, false) >= 0;
    chip_set_line(master, CASCADE, slave->out);
    out = master->expect == 0 && chip_winner(master, true) >= 0;
    if (out != master->out) {
        master->out = out;
        wire_set(&pic->intr, out);
    }
}

static void chip_eoi(struct i8259_chip *c, unsigned n)
{
    c->isr &= (uint8_t) ~(1u << n);
}

/* What the chip does with `n` at the second INTA pulse, or when it is polled. */
static void chip_acknowledge(struct i8259_chip *c, unsigned n)
{
    c->edge &= (uint8_t) ~(1u << n);
    if (!c->aeoi)
        c->isr |= (uint8_t)(1u << n);
    else if (c->rotate_aeoi)
        c->lowest = (uint8_t)n;
}

/* Acknowledges on one chip; returns its input, 7 and *spurious when nothing requests. */
static unsigned chip_intack(struct i8259_chip *c, bool master, bool *spurious)
{
    int n = chip_winner(c, master);

    *spurious = n < 0;
    if (n < 0)
        return 7;
    chip_acknowledge(c, (unsigned)n);
    return (unsigned)n;
}

/* The slave's INT falls during INTA; if it still wants something it rises again as a new edge. */
static void drop_cascade(struct i8259 *pic)
{
    chip_set_line(&pic->chip[0], CASCADE, false);
}

int i8259_intack(struct i8259 *pic)
{
    bool spurious;
    unsigned n = chip_intack(&pic->chip[0], true, &spurious);
    int vector = pic->chip[0].base + (int)n;

    pic->spurious += spurious;
    if (!spurious && n == CASCADE && !pic->chip[0].single) {
        n = chip_intack(&pic->chip[1], false, &spurious);
        pic->spurious += spurious;
        vector = pic->chip[1].base + (int)n;
        drop_cascade(pic);
    }
    pic_update(pic);
    return vector;
}

void i8259_set_irq(void *dev, unsigned irq, bool level)
{
    struct i8259 *pic = dev;

    if (irq > 15 || irq == CASCADE)
        return;
    chip_set_line(&pic->chip[irq >> 3], irq & 7, level);
    pic_update(pic);
}

bool i8259_irq_taken(const struct i8259 *pic, unsigned irq)
{
    const struct i8259_chip *c = &pic->chip[(irq >> 3) & 1];

    return !(chip_irr(c) >> (irq & 7) & 1);
}

bool i8259_would_interrupt(const struct i8259 *pic, unsigned irq)
{
    struct i8259 trial = *pic;
    bool before;

    trial.intr = (struct wire){0};
    i8259_set_irq(&trial, irq, false);
    before = trial.chip[0].out;
    i8259_set_irq(&trial, irq, true);
    return !before && trial.chip[0].out;
}

static void chip_icw1(struct i8259_chip *c, uint8_t val)
{
    c->edge = 0; /* the edge sense circuit needs a new low-to-high transition */
    c->isr = c->imr = 0;
    c->lowest = 7;
    c->icw3 = 7;
    c->special_mask = c->read_isr = c->poll = false;
    c->aeoi = c->rotate_aeoi = c->fully_nested = false;
    c->single = (val & ICW1_SNGL) != 0;
    c->want_icw4 = (val & ICW1_IC4) != 0;
    c->expect = 2;
}

/* OCW2: end of interrupt and rotation, by its top three bits (R, SL, EOI). */
static void chip_ocw2(struct i8259_chip *c, uint8_t val)
{
    unsigned level = val & 7, rank;

    switch (val >> 5) {
    case 0: /* rotate in automatic EOI mode: clear */
    case 4: /* ... set */
        c->rotate_aeoi = val >> 5 == 4;
        break;
    case 1: /* non-specific EOI */
    case 5: /* ... and rotate */
        /* In special mask mode it does not clear inputs that are masked. */
        rank = chip_rank(c, c->special_mask ? (uint8_t)(c->isr & ~c->imr) : c->isr);
        if (rank < 8) {
            unsigned n = chip_input(c, rank);

            chip_eoi(c, n);
            if (val >> 5 == 5)
                c->lowest = (uint8_t)n;
        }
        break;
    case 3: /* specific EOI */
        chip_eoi(c, level);
        break;
    case 7: /* rotate on specific EOI */
        chip_eoi(c, level);
        c->lowest = (uint8_t)level;
        break;
    case 6: /* set priority */
        c->lowest = (uint8_t)level;
        break;
    default: /* 2: no operation */
        break;
    }
}

static void chip_ocw3(struct i8259_chip *c, uint8_t val)
{
    c->poll = (val & OCW3_POLL) != 0;
    if (val & OCW3_READ)
        c->read_isr = (val & OCW3_READ_ISR) != 0;
    if (val & OCW3_ESMM)
        c->special_mask = (val & OCW3_SMM) != 0;
}

static void chip_write_odd(struct i8259_chip *c, uint8_t val)
{
    switch (c->expect) {
    case 2:
        c->base = val & 0xf8;
        c->expect = !c->single ? 3 : c->want_icw4 ? 4 : 0;
        break;
    case 3:
        c->icw3 = val;
        c->expect = c->want_icw4 ? 4 : 0;
        break;
    case 4:
        c->aeoi = (val & ICW4_AEOI) != 0;
        c->fully_nested = (val & ICW4_SFNM) != 0;
        c->expect = 0;
        break;
    default:
        c->imr = val;
        break;
    }
}

static void pic_write(void *dev, uint32_t off, unsigned size, uint32_t val, ns_t now)
{
    struct i8259 *pic = dev;
    struct i8259_chip *c = &pic->chip[(off >> 1) & 1];
    uint8_t byte = (uint8_t)val;

    (void)size;
    (void)now;
    if (off >= 4) {
        c = &pic->chip[off & 1];
        c->elcr = byte & c->elcr_writable;
        c->edge &= (uint8_t)~c->elcr;
    } else if (off & 1) {
        chip_write_odd(c, byte);
    } else if (byte & ICW1_INIT) {
        chip_icw1(c, byte);
    } else if (byte & OCW3_SELECT) {
        chip_ocw3(c, byte);
    } else {
        chip_ocw2(c, byte);
    }
    pic_update(pic);
}

/* The read that follows a poll command stands for INTA. */
static uint8_t chip_poll(struct i8259 *pic, unsigned which)
{
    bool spurious;
    unsigned n = chip_intack(&pic->chip[which], which == 0, &spurious);

    pic->chip[which].poll = false;
    if (spurious)
        return 0;
    if (which == 1)
        drop_cascade(pic);
    return (uint8_t)(0x80 | n);
}

static uint32_t pic_read(void *dev, uint32_t off, unsigned size, ns_t now)
{
    struct i8259 *pic = dev;
    unsigned which = (off >> 1) & 1;
    struct i8259_chip *c = &pic->chip[which];
    uint32_t val;

    (void)size;
    (void)now;
    if (off >= 4)
        return pic->chip[off & 1].elcr;
    if (c->poll) {
        val = chip_poll(pic, which);
        pic_update(pic);
        return val;
    }
    if (off & 1)
        return c->imr;
    return c->read_isr ? c->isr : chip_irr(c);
}

/* Power-on leaves the 8259A undefined until ICW1: here it asks for nothing. The inputs keep their
 * levels. */
static void pic_reset(void *dev)
{
    struct i8259 *pic = dev;

    for (unsigned i = 0; i < 2; i++) {
        struct i8259_chip *c = &pic->chip[i];
        uint8_t lines = c->lines;

        memset(c, 0, sizeof(*c));
        c->lines = i == 0 ? (uint8_t)(lines & ~(1u << CASCADE)) : lines;
        c->imr = 0xff;
        c->lowest = 7;
        /* PIIX3: inputs 0, 1, 2, 8 and 13 are always edge triggered. */
        c->elcr_writable = i == 0 ? 0xf8 : 0xde;
    }
    wire_set(&pic->intr, false);
}

void i8259_init(struct i8259 *pic, struct wire intr)
{
    memset(pic, 0, sizeof(*pic));
    pic->intr = intr;
    pic_reset(pic);
}

/* What the code above counts on when the state comes from a file. */
static const struct state_rule rules[] = {
    STATE_EACH(struct i8259, chip, .lowest, 0, 7),
    STATE_EACH(struct i8259, chip, .expect, 0, 4),
    STATE_EACH(struct i8259, chip, .single, 0, 1),
    STATE_EACH(struct i8259, chip, .want_icw4, 0, 1),
    STATE_EACH(struct i8259, chip, .aeoi, 0, 1),
    STATE_EACH(struct i8259, chip, .rotate_aeoi, 0, 1),
    STATE_EACH(struct i8259, chip, .special_mask, 0, 1),
    STATE_EACH(struct i8259, chip, .fully_nested, 0, 1),
    STATE_EACH(struct i8259, chip, .read_isr, 0, 1),
    STATE_EACH(struct i8259, chip, .poll, 0, 1),
    STATE_EACH(struct i8259, chip, .out, 0, 1),
};

const struct dev_ops i8259_ops = {
    .name = "i8259",
    .state_size = offsetof(struct i8259, wires_begin),
    .min_size = 1,
    .max_size = 1,
    .read = pic_read,
    .write = pic_write,
    .reset = pic_reset,
    .rules = rules,
    .rule_count = ARRAY_LEN(rules),
};
