/* SPDX-License-Identifier: MIT */
/*
 * acpi_tables.h - the ACPI and MP tables that firmware would have left in memory, for direct
 * kernel boot.
 *
 * Promises   Every table has its right length and checksum; the description matches the board it
 *            is given.
 * Source     ACPI specification 2.0, chapter 5; MultiProcessor Specification 1.4, chapter 4.
 */
#ifndef RING1_DEVICES_ACPI_TABLES_H
#define RING1_DEVICES_ACPI_TABLES_H

#include "devices/pci.h"

/* What the tables describe. */
struct board_facts {
    unsigned cpu_count;
    uint16_t pm_base, smb_base;
    uint8_t sci_irq;
    uint16_t level_irqs; /* bit n: ISA line n is level-triggered (PCI, SCI) */
    uint8_t io_apic_id;
    bool no_apic; /* a board with 8259s only: no MADT */
    bool vga;
    bool serial_present[4];
    const struct pci_host *pci;
};

/* What [base, end) of guest memory will hold; tables are put into it, front to back. The caller
 * owns `bytes`, which are zeroed. */
struct table_area {
    uint8_t *bytes;
    uint32_t base, at, end; /* guest addresses; at: from here on it is free */
    bool full;              /* a table did not fit */
};

/* Where the byte of guest address `at`, which lies in the area, is made. */
static inline uint8_t *table_at(const struct table_area *area, uint32_t at)
{
    return area->bytes + (at - area->base);
}

/* Reserves `len` zeroed bytes at the next multiple of `align`. Returns their guest address; 0 when
 * they do not fit, with area->full set. */
uint32_t table_alloc(struct table_area *area, uint32_t len, uint32_t align);
/* Makes the bytes of [table, table+len) sum to 0 by setting *sum, which lies inside. */
void table_checksum(const uint8_t *table, uint32_t len, uint8_t *sum);

/* Writes the ACPI tables into `area`, and the FACS, ACPI_FACS_LEN bytes that will be at guest
 * address `facs` (64-byte aligned, writable for the guest), to facs_bytes. Returns the RSDP's
 * address, 0 when the area is too small. */
#define ACPI_FACS_LEN 64u
uint32_t acpi_build(struct table_area *area, uint32_t facs, uint8_t *facs_bytes,
                    const struct board_facts *facts);
/* Writes the DSDT to `out`. Returns its length, header included; 0 when it does not fit.
 * (acpi_dsdt.c) */
uint32_t acpi_build_dsdt(uint8_t *out, uint32_t size, const struct board_facts *facts);
/* Fills in a table's common 36-byte header; the checksum comes last, by table_checksum(). */
void acpi_header(uint8_t *table, const char *signature, uint32_t len, uint8_t revision);

/* Writes the MP floating pointer and configuration table. Returns the pointer's guest address; 0
 * when they do not fit. (mptable.c) */
uint32_t mptable_build(struct table_area *area, const struct board_facts *facts);

#endif
