/* SPDX-License-Identifier: MIT */
/*
 * piix3_ide.c - see ide.h: the PCI function, and the two channels as a board wires them.
 */
#include "devices/ide_priv.h"

#define CLASS_IDE_LEGACY 0x010180u /* bus master, both channels at their ISA addresses */
#define BM_PORTS         16u
#define CYLINDERS_MAX    16383u

/* Which ports answer, and whether the bus may be mastered: PCICMD (section 2.3.3), IDETIM
 * (section 2.3.9). */
static void apply(struct ide *d)
{
    const uint8_t *reg = d->cfg.byte;

    for (unsigned n = 0; n < 2; n++) {
        d->channel[n].decoded = (reg[PCI_COMMAND] & PCI_COMMAND_IO) &&
                                (reg[PIIX3_IDETIM + 2 * n + 1] & PIIX3_IDETIM_ON);
        d->channel[n].master = reg[PCI_COMMAND] & PCI_COMMAND_MASTER;
    }
}

static void function_changed(void *dev, unsigned off)
{
    struct ide *d = dev;

    if (off != PCI_COMMAND && (off < PIIX3_IDETIM || off > PIIX3_IDETIM + 3))
        return;
    apply(d);
    for (unsigned n = 0; n < 2; n++)
        ide_bm_run(&d->channel[n]);
}

static void function_reset(void *dev)
{
    static const struct {
        uint8_t off, len;
        uint32_t value, writable;
    } regs[] = {
        {0x04, 2, 0x0000, 0x0005},         /* PCICMD */
        {0x06, 2, 0x0280, 0},              /* PCISTS */
        {0x0d, 1, 0x00, 0xf0},             /* MLT */
        {0x40, 4, 0x00000000, 0xf3fff3ff}, /* IDETIM */
        {0x44, 1, 0x00, 0xff},             /* SIDETIM */
    };
    struct ide *d = dev;

    pci_fn_reset(&d->fn);
    for (unsigned i = 0; i < ARRAY_LEN(regs); i++)
        pci_fn_reg(&d->fn, regs[i].off, regs[i].len, regs[i].value, regs[i].writable);
    apply(d);
}

static bool function_loaded(void *dev, ns_t now)
{
    struct ide *d = dev;

    (void)now;
    pci_fn_loaded(&d->fn);
    apply(d);
    return true;
}

static bool geometry_is_possible(const struct pc_drive *c)
{
    return !c->cylinders ||
           (c->cylinders <= CYLINDERS_MAX && c->heads >= 1 && c->heads <= 16 && c->sectors >= 1);
}

static int drive_init(struct ide_channel *ch, unsigned n, const struct pc_drive *c)
{
    struct ide_drive *d = &ch->drive[n];

    ch->config[n] = *c;
    d->kind = (uint8_t)c->kind;
    if (c->kind == DRIVE_CD)
        atapi_init(d);
    if (c->kind != DRIVE_DISK)
        return 0;
    if (!geometry_is_possible(c))
        return -1;
    ata_init(d, c);
    return d->disk.sectors && d->disk.sectors <= 1ull << 48 ? 0 : -1;
}

int ide_init(struct ide *d, struct ide_channel channel[2], const struct pc_drive drive[4],
             const struct dma *dma, struct completion_queue *q, const struct wire irq[2])
{
    d->channel = channel;
    d->dma = *dma;
    for (unsigned n = 0; n < 2; n++) {
        channel[n].dma = &d->dma;
        channel[n].queue = q;
        channel[n].number = (uint8_t)n;
        channel[n].irq = irq[n];
        for (unsigned k = 0; k < 2; k++)
            channel[n].door[k] = (struct ide_door){&channel[n], k};
        for (unsigned k = 0; k < 2; k++)
            if (drive_init(&channel[n], k, &drive[2 * n + k]))
                return -1;
    }
    pci_fn_init(&d->fn, &d->cfg, d, 0x8086, 0x7010, CLASS_IDE_LEGACY, 0x00);
    pci_fn_bar(&d->fn, 4, true, BM_PORTS, &ide_bm_ops, d);
    d->fn.changed = function_changed;
    return 0;
}

void ide_firmware_setup(struct ide *d, uint16_t base)
{
    pci_config_write(&d->fn, PIIX3_IDETIM, 4, PIIX3_IDETIM_ON << 24 | PIIX3_IDETIM_ON << 8);
    pci_config_write(&d->fn, PCI_BAR0 + 16, 4, base);
    pci_config_write(&d->fn, PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MASTER);
}

/* What the code above counts on when the state comes from a file. */
static const struct state_rule rules[] = {
    STATE_BOOL(struct ide, cfg.intx),
    STATE_BOOL(struct ide, cfg.intx_seen),
};

const struct dev_ops ide_function_ops = {
    .name = "piix3-ide",
    .state_size = offsetof(struct ide, wires_begin),
    .min_size = 1,
    .max_size = 4,
    .reset = function_reset,
    .rules = rules,
    .rule_count = ARRAY_LEN(rules),
    .loaded = function_loaded,
};
