/* SPDX-License-Identifier: MIT */
/*
 * piix4_pm.h - power management of the 82371AB (PIIX4), function 8086:7113: ACPI PM1 and GPE
 * registers, PM timer, SCI, the APM ports 0xb2/0xb3, and an SMBus host without devices.
 *
 * Promises   The PM timer counts 3.579545 MHz exactly, 24 bits. Soft-off (SUS_TYP 0 with SUS_EN)
 *            pulses `poweroff`.
 * Deviations No system management mode: a write of ACPI_ENABLE or ACPI_DISABLE to 0xb2 sets or
 *            clears SCI_EN as firmware's handler would, every other SMI source does nothing. No
 *            sleeping state but S5.
 * Windows    PM: PMBA + 0..0x3f -> offset 0; SMBus: SMBBA + 0..0xf -> piix4_smb_ops offset 0; both
 *            placed by the chip itself. 0xb2-0xb3 -> piix4_apm_ops offset 0.
 * Source     Intel 82371AB (PIIX4) data sheet 290562-001, chapters 7 and 11; ACPI specification
 *            2.0, section 4.7.
 */
#ifndef RING1_DEVICES_PIIX4_PM_H
#define RING1_DEVICES_PIIX4_PM_H

#include "devices/pci.h"

#define PM_TIMER_HZ        3579545u
#define PIIX4_ACPI_ENABLE  0xf1u
#define PIIX4_ACPI_DISABLE 0xf0u
#define PIIX4_SLP_TYP_S5   0u

/* Offsets from PMBA. */
enum piix4_pm_reg {
    PM_STS = 0x00,
    PM_EN = 0x02,
    PM_CNTRL = 0x04,
    PM_TMR = 0x08,
    PM_GPSTS = 0x0c,
    PM_GPEN = 0x0e,
};

#define PM_STS_TMROF    0x0001u
#define PM_STS_PWRBTN   0x0100u
#define PM_CNTRL_SCI_EN 0x0001u
#define PM_CNTRL_SUS_EN 0x2000u

struct piix4_pm {
    struct pci_cfg cfg;
    uint16_t pm_sts, pm_en, pm_cntrl, gp_sts, gp_en;
    uint8_t other[64];      /* PM registers that only keep what is written, at their offsets */
    uint64_t next_overflow; /* PM timer tick at which bit 23 changes next, not seen yet */
    uint8_t apmc, apms;
    uint8_t smb[16];
    bool sci_level;
    char wires_begin[1];
    struct pci_fn fn;
    bool smm_done; /* the board's, before reset: APMC_EN is set, so firmware does without SMM */
    bool pm_mapped, smb_mapped;
    uint16_t pm_at, smb_at;
    struct wire sci;
    struct wire poweroff; /* pulsed */
    struct wire kick;
};

extern const struct dev_ops piix4_pm_ops, piix4_apm_ops, piix4_smb_ops;

void piix4_pm_init(struct piix4_pm *d, struct wire sci, struct wire poweroff, struct wire kick);
void piix4_pm_firmware_setup(struct piix4_pm *d, uint16_t pm_base, uint16_t smb_base);
void piix4_pm_power_button(struct piix4_pm *d);
/* May the power button, or the real-time clock if its timer runs, raise the SCI? */
bool piix4_pm_listens(const struct piix4_pm *d, bool rtc_runs);
/* The real-time clock raised its interrupt: sets RTC_STS. A wire target. */
void piix4_pm_rtc(void *pm, unsigned pin, bool level);

#endif
