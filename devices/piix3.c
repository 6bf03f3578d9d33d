/* SPDX-License-Identifier: MIT */
/*
 * piix3.c - see piix3.h.
 */
#include "devices/piix3.h"

#define RCR_SRST 0x02u /* kind of reset: 1 hard, 0 soft; both reset this machine */
#define RCR_RCPU 0x04u /* 0 -> 1 resets */

/* Lines a PIRQ may be routed to; the others are reserved and count as not routed. */
#define ROUTABLE 0xdef8u /* 3-7, 9-12, 14, 15 */

static uint8_t routed_to(const struct piix3 *d, unsigned n)
{
    uint8_t reg = d->cfg.byte[PIIX3_PIRQRC + n];

    return (reg & PIIX3_PIRQ_OFF) || !(ROUTABLE >> (reg & 15) & 1) ? 0 : reg & 15;
}

static bool line_driven(const struct piix3 *d, uint8_t line)
{
    for (unsigned n = 0; n < 4; n++)
        if (d->driven[n] == line)
            return true;
    return false;
}

static void line_set(const struct piix3 *d, uint8_t line, bool level)
{
    if (d->irq.set)
        d->irq.set(d->irq.target, d->irq.pin + line, level);
}

/* Two PIRQs may share a line: it falls when the last one lets go. */
static void pirq_update(struct piix3 *d, unsigned n)
{
    uint8_t old = d->driven[n], line = d->pirq[n] ? routed_to(d, n) : 0;

    if (line == old)
        return;
    d->driven[n] = line;
    if (old && !line_driven(d, old))
        line_set(d, old, false);
    if (line)
        line_set(d, line, true);
}

void piix3_pirq(void *piix3, unsigned n, bool level)
{
    struct piix3 *d = piix3;

    d->pirq[n & 3] = level;
    pirq_update(d, n & 3);
}

static void piix3_changed(void *dev, unsigned off)
{
    if (off >= PIIX3_PIRQRC && off < PIIX3_PIRQRC + 4)
        pirq_update(dev, off - PIIX3_PIRQRC);
}

static uint32_t rcr_read(void *dev, uint32_t off, unsigned size, ns_t now)
{
    const struct piix3 *d = dev;

    (void)size;
    (void)now;
    return off == 1 ? d->rcr : 0xff;
}

static void rcr_write(void *dev, uint32_t off, unsigned size, uint32_t val, ns_t now)
{
    struct piix3 *d = dev;

    (void)size;
    (void)now;
    if (off != 1)
        return;
    d->rcr = val & RCR_SRST; /* RCPU is 0 again after the reset it causes */
    if (val & RCR_RCPU)
        wire_pulse(&d->reset);
}

/* Values after reset: data sheet, section 2.2. */
static void piix3_reset(void *dev)
{
    static const struct {
        uint8_t off, len;
        uint32_t value, writable;
    } regs[] = {
        {0x04, 2, 0x0007, 0x0008},         /* PCICMD */
        {0x06, 2, 0x0200, 0},              /* PCISTS */
        {0x0e, 1, 0x80, 0},                /* multifunction */
        {0x4c, 1, 0x4d, 0xff},             /* IORT */
        {0x4e, 2, 0x0003, 0x01ff},         /* XBCS */
        {0x60, 4, 0x80808080, 0x8f8f8f8f}, /* PIRQRC[A:D] */
        {0x69, 1, 0x02, 0xfe},             /* TOM */
        {0x6a, 2, 0x0000, 0x8055},         /* MSTAT */
        {0x70, 2, 0x8080, 0xefef},         /* MBIRQ0-1 */
        {0x76, 2, 0x0c0c, 0x8f8f},         /* MBDMA0-1 */
        {0x78, 2, 0x0002, 0xfffe},         /* PCSC */
        {0x80, 1, 0x00, 0x7f},             /* APICBASE */
        {0x82, 1, 0x00, 0x0f},             /* DLC */
        {0xa0, 1, 0x08, 0x1f},             /* SMICNTL */
        {0xa2, 2, 0x0000, 0x00ff},         /* SMIEN */
        {0xa4, 4, 0x0000, 0xffffffff},     /* SEE */
        {0xa8, 1, 0x0f, 0xff},             /* FTMR */
        {0xac, 1, 0x00, 0xff},             /* CTLTMR */
        {0xae, 1, 0x00, 0xff},             /* CTHTMR */
    };
    struct piix3 *d = dev;

    pci_fn_reset(&d->fn);
    for (unsigned i = 0; i < ARRAY_LEN(regs); i++)
        pci_fn_reg(&d->fn, regs[i].off, regs[i].len, regs[i].value, regs[i].writable);
    d->fn.clear[0xaa] = 0xff; /* SMIREQ */
    d->rcr = 0;
    for (unsigned n = 0; n < 4; n++)
        pirq_update(d, n);
}

void piix3_init(struct piix3 *d, struct wire irq, struct wire reset)
{
    d->irq = irq;
    d->reset = reset;
    pci_fn_init(&d->fn, &d->cfg, d, 0x8086, 0x7000, 0x060100, 0x00);
    d->fn.changed = piix3_changed;
}

void piix3_firmware_setup(struct piix3 *d)
{
    pci_config_write(&d->fn, PIIX3_PIRQRC, 4, 0x0b0a0b0a);
}

static bool piix3_loaded(void *dev, ns_t now)
{
    (void)now;
    pci_fn_loaded(&((struct piix3 *)dev)->fn);
    return true;
}

/* What the code above counts on when the state comes from a file. */
static const struct state_rule rules[] = {
    STATE_BOOL(struct piix3, cfg.intx),
    STATE_BOOL(struct piix3, cfg.intx_seen),
    STATE_EACH(struct piix3, pirq, , 0, 1),
    STATE_EACH(struct piix3, driven, , 0, 15),
};

const struct dev_ops piix3_ops = {
    .name = "piix3",
    .state_size = offsetof(struct piix3, wires_begin),
    .min_size = 1,
    .max_size = 4,
    .reset = piix3_reset,
    .rules = rules,
    .rule_count = ARRAY_LEN(rules),
    .loaded = piix3_loaded,
};

const struct dev_ops piix3_rcr_ops = {
    .name = "piix3-rcr",
    .min_size = 1,
    .max_size = 1,
    .read = rcr_read,
    .write = rcr_write,
};
