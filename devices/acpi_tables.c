/* SPDX-License-Identifier: MIT */
/*
 * acpi_tables.c - RSDP, RSDT, FADT, FACS and, where there are APICs, MADT. The DSDT is in
 * acpi_dsdt.c.
 */
#include "devices/acpi_tables.h"

#include "devices/ioapic.h"
#include "devices/lapic.h"
#include "devices/piix4_pm.h"
#include "include/ring1/mem.h"

#define HEADER_LEN  36u
#define CHECKSUM_AT 9
#define FADT_LEN    244u
#define DSDT_MAX    0x2000u

/* Offsets in the FADT (ACPI 2.0, table 5-8). */
enum {
    F_FIRMWARE_CTRL = 36,
    F_DSDT = 40,
    F_INT_MODEL = 44,
    F_SCI_INT = 46,
    F_SMI_CMD = 48,
    F_ACPI_ENABLE = 52,
    F_ACPI_DISABLE = 53,
    F_PM1A_EVT = 56,
    F_PM1A_CNT = 64,
    F_PM_TMR = 76,
    F_GPE0 = 80,
    F_PM1_EVT_LEN = 88,
    F_PM1_CNT_LEN = 89,
    F_PM_TMR_LEN = 91,
    F_GPE0_LEN = 92,
    F_P_LVL2_LAT = 96,
    F_P_LVL3_LAT = 98,
    F_CENTURY = 108,
    F_BOOT_ARCH = 109,
    F_FLAGS = 112,
    F_RESET_REG = 116,
    F_RESET_VALUE = 128,
    F_X_FIRMWARE_CTRL = 132,
    F_X_DSDT = 140,
    F_X_PM1A_EVT = 148,
    F_X_PM1A_CNT = 172,
    F_X_PM_TMR = 208,
    F_X_GPE0 = 220,
};

#define BOOT_LEGACY_DEVICES 0x0001u
#define BOOT_8042           0x0002u
#define BOOT_NO_VGA         0x0004u
#define FLAG_WBINVD         (1u << 0)
#define FLAG_PROC_C1        (1u << 2)
#define FLAG_NO_SLP_BUTTON  (1u << 5)
#define FLAG_NO_FIX_RTC     (1u << 6)
#define FLAG_RESET_REG      (1u << 10)

#define RESET_PORT  0xcf9u
#define RESET_VALUE 0x06u
#define RTC_CENTURY 0x32

static void put(uint8_t *p, unsigned len, uint64_t v)
{
    for (unsigned i = 0; i < len; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

uint32_t table_alloc(struct table_area *area, uint32_t len, uint32_t align)
{
    uint32_t at = (area->at + align - 1) & ~(align - 1);

    if (area->full || at > area->end || len > area->end - at) {
        area->full = true;
        return 0;
    }
    area->at = at + len;
    memset(table_at(area, at), 0, len);
    return at;
}

void table_checksum(const uint8_t *table, uint32_t len, uint8_t *sum)
{
    uint8_t total = 0;

    *sum = 0;
    for (uint32_t i = 0; i < len; i++)
        total = (uint8_t)(total + table[i]);
    *sum = (uint8_t)-total;
}

void acpi_header(uint8_t *table, const char *signature, uint32_t len, uint8_t revision)
{
    memcpy(table, signature, 4);
    put(table + 4, 4, len);
    table[8] = revision;
    memcpy(table + 10, "RING1 ", 6);
    memcpy(table + 16, "RING1PC ", 8);
    put(table + 24, 4, 1);
    memcpy(table + 28, "RNG1", 4);
    put(table + 32, 4, 1);
}

static void seal(uint8_t *table, uint32_t len)
{
    table_checksum(table, len, table + CHECKSUM_AT);
}

/* A generic address of `bits` bits in I/O space (ACPI 2.0, section 5.2.3.1). */
static void put_io_address(uint8_t *p, uint8_t bits, uint16_t port)
{
    p[0] = 1;
    p[1] = bits;
    put(p + 4, 8, port);
}

static void fadt_blocks(uint8_t *t, uint16_t pm)
{
    static const struct {
        uint8_t at, x_at, len_at, len, reg;
    } block[] = {
        {F_PM1A_EVT, F_X_PM1A_EVT, F_PM1_EVT_LEN, 4, PM_STS},
        {F_PM1A_CNT, F_X_PM1A_CNT, F_PM1_CNT_LEN, 2, PM_CNTRL},
        {F_PM_TMR, F_X_PM_TMR, F_PM_TMR_LEN, 4, PM_TMR},
        {F_GPE0, F_X_GPE0, F_GPE0_LEN, 4, PM_GPSTS},
    };

    for (unsigned i = 0; i < ARRAY_LEN(block); i++) {
        uint16_t port = (uint16_t)(pm + block[i].reg);
        put(t + block[i].at, 4, port);
        t[block[i].len_at] = block[i].len;
        put_io_address(t + block[i].x_at, (uint8_t)(block[i].len * 8), port);
    }
}

static uint32_t build_fadt(struct table_area *area, uint32_t facs, uint32_t dsdt,
                           const struct board_facts *facts)
{
    uint32_t at = table_alloc(area, FADT_LEN, 16);
    uint8_t *t;

    if (!at)
        return 0;
    t = table_at(area, at);
    acpi_header(t, "FACP", FADT_LEN, 3);
    put(t + F_FIRMWARE_CTRL, 4, facs);
    put(t + F_DSDT, 4, dsdt);
    t[F_INT_MODEL] = 1;
    put(t + F_SCI_INT, 2, facts->sci_irq);
    put(t + F_SMI_CMD, 4, 0xb2);
    t[F_ACPI_ENABLE] = PIIX4_ACPI_ENABLE;
    t[F_ACPI_DISABLE] = PIIX4_ACPI_DISABLE;
    fadt_blocks(t, facts->pm_base);
    put(t + F_P_LVL2_LAT, 2, 0xfff); /* above 100 and 1000 us: no C2, no C3 */
    put(t + F_P_LVL3_LAT, 2, 0xfff);
    t[F_CENTURY] = RTC_CENTURY;
    put(t + F_BOOT_ARCH, 2, BOOT_LEGACY_DEVICES | BOOT_8042 | (facts->vga ? 0 : BOOT_NO_VGA));
    put(t + F_FLAGS, 4,
        FLAG_WBINVD | FLAG_PROC_C1 | FLAG_NO_SLP_BUTTON | FLAG_NO_FIX_RTC | FLAG_RESET_REG);
    put_io_address(t + F_RESET_REG, 8, RESET_PORT);
    t[F_RESET_VALUE] = RESET_VALUE;
    put(t + F_X_FIRMWARE_CTRL, 8,
        0); /* the 32-bit field counts; both at once is an error in later versions */
    put(t + F_X_DSDT, 8, dsdt);
    seal(t, FADT_LEN);
    return at;
}

/* Writes one MADT entry: type, its length, then `len` - 2 bytes. */
static uint8_t *madt_entry(uint8_t *p, uint8_t type, uint8_t len, const uint8_t *body)
{
    p[0] = type;
    p[1] = len;
    memcpy(p + 2, body, len - 2u);
    return p + len;
}

/* Interrupt source override: ISA line `irq` arrives at `gsi`. */
static uint8_t *madt_override(uint8_t *p, uint8_t irq, uint8_t gsi, uint8_t flags)
{
    return madt_entry(p, 2, 10, (const uint8_t[]){0, irq, gsi, 0, 0, 0, flags, 0});
}

static uint32_t build_madt(struct table_area *area, const struct board_facts *facts)
{
    unsigned level = 0;
    for (uint32_t irqs = facts->level_irqs; irqs; irqs &= irqs - 1)
        level++;
    uint32_t len = HEADER_LEN + 8 + 8 * facts->cpu_count + 12 + 10 * (1 + level) + 6;
    uint32_t at = table_alloc(area, len, 16);
    uint8_t *t, *p;

    if (!at)
        return 0;
    t = table_at(area, at);
    acpi_header(t, "APIC", len, 1);
    put(t + 36, 4, LAPIC_DEFAULT_BASE);
    put(t + 40, 4, 1); /* there are 8259s too */
    p = t + 44;
    for (unsigned i = 0; i < facts->cpu_count; i++)
        p = madt_entry(p, 0, 8, (const uint8_t[]){(uint8_t)i, (uint8_t)i, 1, 0, 0, 0});
    p = madt_entry(p, 1, 12,
                   (const uint8_t[]){facts->io_apic_id, 0, IOAPIC_BASE & 0xff,
                                     IOAPIC_BASE >> 8 & 0xff, IOAPIC_BASE >> 16 & 0xff,
                                     IOAPIC_BASE >> 24, 0, 0, 0, 0});
    p = madt_override(p, 0, 2, 0); /* conforms to ISA: edge, active high */
    for (uint8_t irq = 0; irq < 16; irq++)
        if (facts->level_irqs >> irq & 1)
            p = madt_override(p, irq, irq, 0x0d);              /* level, active high */
    p = madt_entry(p, 4, 6, (const uint8_t[]){0xff, 0, 0, 1}); /* NMI: LINT1 of every CPU */
    VMM_CHECK(p == t + len);
    seal(t, len);
    return at;
}

static uint32_t build_dsdt(struct table_area *area, const struct board_facts *facts)
{
    uint32_t at = table_alloc(area, DSDT_MAX, 16), len;

    if (!at)
        return 0;
    len = acpi_build_dsdt(table_at(area, at), DSDT_MAX, facts);
    if (!len)
        return 0;
    seal(table_at(area, at), len);
    area->at = at + len; /* give the rest back */
    return at;
}

uint32_t acpi_build(struct table_area *area, uint32_t facs, uint8_t *facs_bytes,
                    const struct board_facts *facts)
{
    uint32_t rsdp = table_alloc(area, 20, 16);
    uint32_t dsdt = build_dsdt(area, facts);
    uint32_t fadt = build_fadt(area, facs, dsdt, facts);
    uint32_t madt = facts->no_apic ? 0 : build_madt(area, facts);
    uint32_t len = HEADER_LEN + (madt ? 8 : 4), rsdt = table_alloc(area, len, 16);
    uint8_t *p;

    if (!dsdt || area->full)
        return 0;
    p = facs_bytes;
    memset(p, 0, ACPI_FACS_LEN);
    memcpy(p, "FACS", 4);
    put(p + 4, 4, ACPI_FACS_LEN);
    p[32] = 1; /* version */

    p = table_at(area, rsdt);
    acpi_header(p, "RSDT", len, 1);
    put(p + 36, 4, fadt);
    if (madt)
        put(p + 40, 4, madt);
    seal(p, len);

    p = table_at(area, rsdp);
    memcpy(p, "RSD PTR ", 8);
    memcpy(p + 9, "RING1 ", 6);
    put(p + 16, 4, rsdt);
    table_checksum(p, 20, p + 8);
    return rsdp;
}
