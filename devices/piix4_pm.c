/* SPDX-License-Identifier: MIT */
/*
 * piix4_pm.c - see piix4_pm.h.
 */
#include "devices/piix4_pm.h"

#include "include/ring1/mem.h"

/* Configuration registers. */
#define CFG_PMBA      0x40
#define CFG_DEVACTB   0x58
#define CFG_PMREGMISC 0x80
#define CFG_SMBBA     0x90
#define CFG_SMBHSTCFG 0xd2

#define DEVACTB_APMC_EN 0x02000000u /* a write to APMC raises an SMI */

#define PM_IO_SIZE  64u
#define SMB_IO_SIZE 16u

#define PM_STS_RTC    0x0400u
#define PM_STS_BITS   0x8d31u /* RSM, PWRBTNOR, RTC, PWRBTN, GBL, BM, TMROF */
#define PM_EN_BITS    0x0521u
#define PM_CNTRL_KEPT 0x1c03u /* SUS_TYP, BRLD_EN_BM, SCI_EN; SUS_EN and GBL_RLS read 0 */
#define GP_STS_BITS   0x0f81u
#define TMR_HALF      0x800000u

enum smb_reg { SMB_STS = 0, SMB_SLVSTS = 1, SMB_CNT = 2, SMB_BLKDAT = 7 };
#define SMB_STS_BITS    0x1eu
#define SMB_STS_DEV_ERR 0x04u
#define SMB_SLVSTS_BITS 0x3cu
#define SMB_CNT_INTEREN 0x01u
#define SMB_CNT_START   0x40u

/* Whole ticks of the PM timer at time `now`, without overflow for 500 years. */
static uint64_t timer_ticks(ns_t now)
{
    return now / NS_PER_SEC * PM_TIMER_HZ + now % NS_PER_SEC * PM_TIMER_HZ / NS_PER_SEC;
}

/* The first ns at which the timer has reached `tick`. */
static ns_t timer_ns(uint64_t tick)
{
    return tick / PM_TIMER_HZ * NS_PER_SEC +
           (tick % PM_TIMER_HZ * NS_PER_SEC + PM_TIMER_HZ - 1) / PM_TIMER_HZ;
}

static void timer_roll(struct piix4_pm *d, ns_t now)
{
    uint64_t ticks = timer_ticks(now);

    if (ticks < d->next_overflow)
        return;
    d->pm_sts |= PM_STS_TMROF;
    d->next_overflow = (ticks / TMR_HALF + 1) * TMR_HALF;
}

static void sci_update(struct piix4_pm *d)
{
    bool smb = (d->smb[SMB_STS] & SMB_STS_BITS) && (d->smb[SMB_CNT] & SMB_CNT_INTEREN) &&
               (d->cfg.byte[CFG_SMBHSTCFG] & 0x0f) == 0x09; /* enabled, interrupt is IRQ 9 */
    bool level = (d->pm_cntrl & PM_CNTRL_SCI_EN) &&
                 ((d->pm_sts & d->pm_en & PM_EN_BITS) || (d->gp_sts & d->gp_en));

    level = level || smb;
    if (level != d->sci_level) {
        d->sci_level = level;
        wire_set(&d->sci, level);
    }
}

/* Brings the port bus in step with PMBA/PMREGMISC and SMBBA/SMBHSTCFG. Where a range would collide,
 * the chip is silent. */
static void range_update(struct piix4_pm *d, const struct dev_ops *ops, bool wanted, uint16_t at,
                         unsigned size, bool *mapped, uint16_t *mapped_at)
{
    struct bus *port = d->fn.host->port;

    if (*mapped && (!wanted || at != *mapped_at)) {
        bus_remove(port, *mapped_at, d);
        *mapped = false;
    }
    if (!*mapped && wanted && bus_add(port, at, at + size - 1u, ops, d, 0) == 0) {
        *mapped = true;
        *mapped_at = at;
    }
}

static void ranges_update(struct piix4_pm *d)
{
    const uint8_t *c = d->cfg.byte;
    uint16_t pm = (uint16_t)((c[CFG_PMBA] | c[CFG_PMBA + 1] << 8) & 0xffc0);
    uint16_t smb = (uint16_t)((c[CFG_SMBBA] | c[CFG_SMBBA + 1] << 8) & 0xfff0);

    range_update(d, &piix4_pm_ops, (c[CFG_PMREGMISC] & 1) && pm, pm, PM_IO_SIZE, &d->pm_mapped,
                 &d->pm_at);
    range_update(d, &piix4_smb_ops, (c[CFG_SMBHSTCFG] & 1) && smb, smb, SMB_IO_SIZE, &d->smb_mapped,
                 &d->smb_at);
}

static void pm_config_changed(void *dev, unsigned off)
{
    struct piix4_pm *d = dev;

    if (off == CFG_PMBA || off == CFG_PMBA + 1 || off == CFG_PMREGMISC || off == CFG_SMBBA ||
        off == CFG_SMBBA + 1 || off == CFG_SMBHSTCFG)
        ranges_update(d);
    sci_update(d);
}

static uint8_t pm_byte_read(const struct piix4_pm *d, unsigned off, uint32_t timer)
{
    unsigned shift = (off & 1) * 8;

    switch (off & ~1u) {
    case PM_STS:
        return (uint8_t)(d->pm_sts >> shift);
    case PM_EN:
        return (uint8_t)(d->pm_en >> shift);
    case PM_CNTRL:
        return (uint8_t)(d->pm_cntrl >> shift);
    case PM_TMR:
    case PM_TMR + 2:
        return (uint8_t)(timer >> (off & 3) * 8);
    case PM_GPSTS:
        return (uint8_t)(d->gp_sts >> shift);
    case PM_GPEN:
        return (uint8_t)(d->gp_en >> shift);
    default:
        return d->other[off & 63];
    }
}

static void control_write(struct piix4_pm *d, uint16_t val)
{
    d->pm_cntrl = val & PM_CNTRL_KEPT;
    if ((val & PM_CNTRL_SUS_EN) && (val >> 10 & 7) == PIIX4_SLP_TYP_S5)
        wire_pulse(&d->poweroff);
}

static void pm_byte_write(struct piix4_pm *d, unsigned off, uint8_t val)
{
    unsigned shift = (off & 1) * 8;
    uint16_t bits = (uint16_t)(val << shift), keep = (uint16_t)(0xff00 >> shift);

    switch (off & ~1u) {
    case PM_STS:
        d->pm_sts &= (uint16_t) ~(bits & PM_STS_BITS);
        break;
    case PM_EN:
        d->pm_en = (uint16_t)((d->pm_en & keep) | (bits & PM_EN_BITS));
        break;
    case PM_CNTRL:
        control_write(d, (uint16_t)((d->pm_cntrl & keep) | bits));
        break;
    case PM_TMR:
    case PM_TMR + 2:
        break;
    case PM_GPSTS:
        d->gp_sts &= (uint16_t) ~(bits & GP_STS_BITS);
        break;
    case PM_GPEN:
        d->gp_en = (uint16_t)((d->gp_en & keep) | (bits & GP_STS_BITS));
        break;
    case 0x10:
    case 0x12: /* processor control */
    case 0x20: /* GLBEN */
    case 0x28:
    case 0x2a: /* GLBCTL */
    case 0x2c:
    case 0x2e: /* DEVCTL */
    case 0x34:
    case 0x36: /* GPO */
        d->other[off & 63] = val;
        break;
    default:
        break; /* read-only, or write-1-to-clear with nothing set */
    }
}

static uint32_t pm_read(void *dev, uint32_t off, unsigned size, ns_t now)
{
    struct piix4_pm *d = dev;
    uint32_t timer = (uint32_t)timer_ticks(now) & 0xffffff, val = 0;

    timer_roll(d, now);
    for (unsigned i = 0; i < size; i++)
        val |= (uint32_t)pm_byte_read(d, off + i, timer) << 8 * i;
    return val;
}

/* Words of PM1 are written whole: SUS_TYP and SUS_EN arrive together, in the upper byte. */
static void pm_write(void *dev, uint32_t off, unsigned size, uint32_t val, ns_t now)
{
    struct piix4_pm *d = dev;

    timer_roll(d, now);
    for (unsigned i = 0; i < size; i++)
        pm_byte_write(d, off + i, (uint8_t)(val >> 8 * i));
    sci_update(d);
    wire_pulse(&d->kick);
}

static ns_t pm_run_until(void *dev, ns_t now)
{
    struct piix4_pm *d = dev;

    timer_roll(d, now);
    sci_update(d);
    return (d->pm_en & PM_STS_TMROF) ? timer_ns(d->next_overflow) : NS_NEVER;
}

void piix4_pm_power_button(struct piix4_pm *d)
{
    d->pm_sts |= PM_STS_PWRBTN;
    sci_update(d);
}

bool piix4_pm_listens(const struct piix4_pm *d, bool rtc_runs)
{
    uint16_t events = PM_STS_PWRBTN | (rtc_runs ? PM_STS_RTC : 0);

    return (d->pm_cntrl & PM_CNTRL_SCI_EN) && (d->pm_en & events);
}

void piix4_pm_rtc(void *pm, unsigned pin, bool level)
{
    struct piix4_pm *d = pm;

    (void)pin;
    if (level)
        d->pm_sts |= PM_STS_RTC;
    sci_update(d);
}

static uint32_t apm_read(void *dev, uint32_t off, unsigned size, ns_t now)
{
    const struct piix4_pm *d = dev;

    (void)size;
    (void)now;
    return off == 0 ? d->apmc : d->apms;
}

static void apm_write(void *dev, uint32_t off, unsigned size, uint32_t val, ns_t now)
{
    struct piix4_pm *d = dev;

    (void)size;
    (void)now;
    if (off != 0) {
        d->apms = (uint8_t)val;
        return;
    }
    d->apmc = (uint8_t)val;
    if (d->apmc == PIIX4_ACPI_ENABLE)
        d->pm_cntrl |= PM_CNTRL_SCI_EN;
    else if (d->apmc == PIIX4_ACPI_DISABLE)
        d->pm_cntrl &= (uint16_t)~PM_CNTRL_SCI_EN;
    sci_update(d);
}

static uint32_t smb_read(void *dev, uint32_t off, unsigned size, ns_t now)
{
    struct piix4_pm *d = dev;

    (void)size;
    (void)now;
    return off == SMB_BLKDAT ? 0 : d->smb[off & 15];
}

/* A transfer ends at once: nobody acknowledged the address. */
static void smb_write(void *dev, uint32_t off, unsigned size, uint32_t val, ns_t now)
{
    struct piix4_pm *d = dev;

    (void)size;
    (void)now;
    switch (off & 15) {
    case SMB_STS:
        d->smb[SMB_STS] &= (uint8_t) ~(val & SMB_STS_BITS);
        break;
    case SMB_SLVSTS:
        d->smb[SMB_SLVSTS] &= (uint8_t) ~(val & SMB_SLVSTS_BITS);
        break;
    case SMB_CNT:
        d->smb[SMB_CNT] = val & 0x1f;
        if (val & SMB_CNT_START)
            d->smb[SMB_STS] |= SMB_STS_DEV_ERR;
        break;
    case 9 ... 12:
        break; /* shadow command and slave data: read-only */
    default:
        d->smb[off & 15] = (uint8_t)val;
        break;
    }
    sci_update(d);
}

static void pm_reset(void *dev)
{
    struct piix4_pm *d = dev;
    struct pci_fn *f = &d->fn;

    pci_fn_reset(f);
    pci_fn_reg(f, PCI_COMMAND, 2, 0, 0x0001);
    pci_fn_reg(f, PCI_STATUS, 2, 0x0280, 0);
    pci_fn_reg(f, PCI_INT_PIN, 1, 1, 0);
    pci_fn_reg(f, CFG_PMBA, 4, 1, 0xffc0);
    for (unsigned off = 0x44; off < 0x7c; off += 4)
        pci_fn_reg(f, off, 4, 0, UINT32_MAX);
    pci_fn_reg(f, CFG_PMREGMISC, 1, 0, 0x01);
    pci_fn_reg(f, CFG_SMBBA, 4, 1, 0xfff0);
    pci_fn_reg(f, CFG_SMBHSTCFG, 4, 0, 0xffff0f);
    pci_fn_reg(f, CFG_SMBHSTCFG + 4, 1, 0, 0);
    if (d->smm_done)
        pci_fn_reg(f, CFG_DEVACTB, 4, DEVACTB_APMC_EN, UINT32_MAX);
    ranges_update(d);
    d->pm_sts = d->pm_en = d->pm_cntrl = d->gp_sts = d->gp_en = 0;
    memset(d->other, 0, sizeof d->other);
    memset(d->smb, 0, sizeof d->smb);
    d->apmc = d->apms = 0;
    if (!d->next_overflow)
        d->next_overflow = TMR_HALF;
    sci_update(d);
}

void piix4_pm_init(struct piix4_pm *d, struct wire sci, struct wire poweroff, struct wire kick)
{
    d->sci = sci;
    d->poweroff = poweroff;
    d->kick = kick;
    pci_fn_init(&d->fn, &d->cfg, d, 0x8086, 0x7113, 0x068000, 0x03);
    d->fn.changed = pm_config_changed;
}

void piix4_pm_firmware_setup(struct piix4_pm *d, uint16_t pm_base, uint16_t smb_base)
{
    struct pci_fn *f = &d->fn;

    pci_config_write(f, PCI_INT_LINE, 1, 9);
    pci_config_write(f, CFG_PMBA, 4, pm_base | 1u);
    pci_config_write(f, CFG_PMREGMISC, 1, 1);
    pci_config_write(f, CFG_SMBBA, 4, smb_base | 1u);
    pci_config_write(f, CFG_SMBHSTCFG, 1, 0x09);
    pci_config_write(f, PCI_COMMAND, 2, PCI_COMMAND_IO);
}

static bool pm_loaded(void *dev, ns_t now)
{
    struct piix4_pm *d = dev;

    (void)now;
    pci_fn_loaded(&d->fn);
    ranges_update(d);
    return true;
}

/* What the code above counts on when the state comes from a file. */
static const struct state_rule rules[] = {
    STATE_BOOL(struct piix4_pm, cfg.intx),
    STATE_BOOL(struct piix4_pm, cfg.intx_seen),
    STATE_BOOL(struct piix4_pm, sci_level),
};

const struct dev_ops piix4_pm_ops = {
    .name = "piix4-pm",
    .state_size = offsetof(struct piix4_pm, wires_begin),
    .min_size = 1,
    .max_size = 4,
    .read = pm_read,
    .write = pm_write,
    .reset = pm_reset,
    .run_until = pm_run_until,
    .rules = rules,
    .rule_count = ARRAY_LEN(rules),
    .loaded = pm_loaded,
};

const struct dev_ops piix4_apm_ops = {
    .name = "piix4-apm",
    .min_size = 1,
    .max_size = 1,
    .read = apm_read,
    .write = apm_write,
};

const struct dev_ops piix4_smb_ops = {
    .name = "piix4-smbus",
    .min_size = 1,
    .max_size = 1,
    .read = smb_read,
    .write = smb_write,
};
