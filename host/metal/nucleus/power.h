/* SPDX-License-Identifier: MIT */
/* power.h - turns the real machine off. */
#ifndef RING1_HOST_METAL_POWER_H
#define RING1_HOST_METAL_POWER_H

/* By the ACPI power management block of the chipsets known, else the machine halts, after a
 * sentence that says so. Source: 82371AB (PIIX4) data sheet, PMCNTRL; ACPI 6.3, section 4.8.3.2. */
_Noreturn void power_off(void);

#endif
