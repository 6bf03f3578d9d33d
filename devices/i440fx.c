/* SPDX-License-Identifier: MIT */
/*
 * i440fx.c - see i440fx.h.
 *
 * PAM0 bits 7-4 cover 0xf0000-0xfffff; PAM1..PAM6 cover 16 KiB per nibble from 0xc0000 up. A
 * nibble's bit 0 directs reads to RAM, bit 1 writes.
 */
#include "devices/i440fx.h"

#define PAM_RE     1u
#define PAM_WE     2u
#define SMRAM_OPEN 0x40u
#define SMRAM_LOCK 0x10u /* from then on the register is read-only and OPEN is 0 */

static void segment_update(const struct i440fx *d, uint64_t gpa, uint64_t len, unsigned attr)
{
    if (d->set_shadow)
        d->set_shadow(d->target, gpa, len, attr & PAM_RE, attr & PAM_WE);
}

static void pam_update(const struct i440fx *d, unsigned off)
{
    uint8_t pam = d->cfg.byte[off];
    uint64_t at;

    if (off == I440FX_PAM) {
        segment_update(d, 0xf0000, 0x10000, pam >> 4);
        return;
    }
    at = 0xc0000 + (uint64_t)(off - I440FX_PAM - 1) * 0x8000;
    segment_update(d, at, 0x4000, pam & 0xf);
    segment_update(d, at + 0x4000, 0x4000, pam >> 4);
}

static void i440fx_changed(void *dev, unsigned off)
{
    struct i440fx *d = dev;

    if (off >= I440FX_PAM && off <= I440FX_PAM + 6)
        pam_update(d, off);
    if (off == I440FX_SMRAM) {
        if (!(d->smram & SMRAM_LOCK)) {
            d->smram = d->cfg.byte[off];
            if (d->smram & SMRAM_LOCK)
                d->smram &= (uint8_t)~SMRAM_OPEN;
        }
        d->cfg.byte[off] = d->smram;
    }
}

static void i440fx_reset(void *dev)
{
    struct i440fx *d = dev;
    struct pci_fn *f = &d->fn;

    pci_fn_reset(f);
    pci_fn_reg(f, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 0x0140);
    pci_fn_reg(f, PCI_STATUS, 2, 0x0280, 0);
    pci_fn_reg(f, 0x0d, 1, 0, 0xf8);       /* MLT */
    pci_fn_reg(f, 0x50, 4, 0, 0xff00ff44); /* PMCCFG, DETURBO, DBC... kept, no effect */
    pci_fn_reg(f, 0x54, 4, 0, 0xffffffff);
    pci_fn_reg(f, 0x58, 1, 0, 0xff);
    for (unsigned i = 0; i < 7; i++)
        pci_fn_reg(f, I440FX_PAM + i, 1, 0, i ? 0x33 : 0x30);
    for (unsigned i = 0; i < 8; i++)
        pci_fn_reg(f, 0x60 + i, 1, d->drb[i], 0xff);
    pci_fn_reg(f, 0x68, 1, 0, 0xff);            /* FDHC */
    pci_fn_reg(f, 0x70, 2, 0, 0xffff);          /* MTT, CLT */
    pci_fn_reg(f, I440FX_SMRAM, 1, 0x02, 0x78); /* SMRAM */
    d->smram = 0x02;
    pci_fn_reg(f, 0x90, 3, 0, 0xff1d00); /* ERRCMD, ERRSTS, TRC */
    for (unsigned i = 0; i < 7; i++)
        pam_update(d, I440FX_PAM + i);
}

void i440fx_init(struct i440fx *d, uint64_t ram_size,
                 void (*set_shadow)(void *target, uint64_t gpa, uint64_t len, bool read_ram,
                                    bool write_ram),
                 void *target)
{
    uint64_t units = ram_size >> 23; /* DRB counts 8 MiB */

    d->set_shadow = set_shadow;
    d->target = target;
    for (unsigned i = 0; i < 8;
         i++) /* rows of at most 256 MiB, as many as the register can tell of */
        d->drb[i] = (uint8_t)(units < (i + 1) * 31 ? units : (i + 1) * 31);
    pci_fn_init(&d->fn, &d->cfg, d, 0x8086, 0x1237, 0x060000, 0x02);
    d->fn.changed = i440fx_changed;
}

void i440fx_firmware_open(struct i440fx *d)
{
    for (unsigned i = 0; i < 7; i++)
        pci_config_write(&d->fn, I440FX_PAM + i, 1, (PAM_RE | PAM_WE) * 0x11u);
}

void i440fx_firmware_setup(struct i440fx *d)
{
    pci_config_write(&d->fn, I440FX_PAM, 1, PAM_RE << 4);
    for (unsigned i = 1; i < 7;
         i++) /* 0xe0000-0xe3fff holds what the OS writes to (the ACPI FACS) */
        pci_config_write(&d->fn, I440FX_PAM + i, 1, PAM_RE << 4 | PAM_RE | (i == 5 ? PAM_WE : 0));
}

static bool i440fx_loaded(void *dev, ns_t now)
{
    (void)now;
    pci_fn_loaded(&((struct i440fx *)dev)->fn);
    for (unsigned i = 0; i < 7; i++)
        pam_update(dev, I440FX_PAM + i);
    return true;
}

/* What the code above counts on when the state comes from a file. */
static const struct state_rule rules[] = {
    STATE_BOOL(struct i440fx, cfg.intx),
    STATE_BOOL(struct i440fx, cfg.intx_seen),
};

const struct dev_ops i440fx_ops = {
    .name = "i440fx",
    .state_size = offsetof(struct i440fx, wires_begin),
    .min_size = 1,
    .max_size = 4,
    .reset = i440fx_reset,
    .rules = rules,
    .rule_count = ARRAY_LEN(rules),
    .loaded = i440fx_loaded,
};
