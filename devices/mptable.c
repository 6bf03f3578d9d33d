/* SPDX-License-Identifier: MIT */
/*
 * mptable.c - the MP 1.4 floating pointer and configuration table: how a kernel without ACPI finds
 * the APICs.
 *
 * Source     MultiProcessor Specification 1.4 (242016-006), chapter 4.
 */
#include "devices/acpi_tables.h"
#include "devices/ioapic.h"
#include "devices/lapic.h"
#include "include/ring1/mem.h"

enum { BUS_PCI = 0, BUS_ISA = 1 };
enum { MP_INT = 0, MP_NMI = 1, MP_EXTINT = 3 };
#define MAX_LEN    1024u
#define HEADER_LEN 44u

struct mp_writer {
    uint8_t *start, *p;
    uint16_t entries;
};

static void put(uint8_t *p, unsigned len, uint32_t v)
{
    for (unsigned i = 0; i < len; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

/* Starts an entry of `len` bytes (zeroed by the allocator) and returns it. */
static uint8_t *entry(struct mp_writer *w, uint8_t type, unsigned len)
{
    uint8_t *e = w->p;

    VMM_CHECK(w->p + len <= w->start + MAX_LEN);
    e[0] = type;
    w->p += len;
    w->entries++;
    return e;
}

/* An interrupt of bus `bus` arrives at pin `pin` of APIC `apic`. Polarity and trigger conform to
 * the bus. */
static void interrupt(struct mp_writer *w, uint8_t type, uint8_t kind, unsigned bus, unsigned irq,
                      uint8_t apic, unsigned pin)
{
    uint8_t *e = entry(w, type, 8);

    e[1] = kind;
    e[4] = (uint8_t)bus;
    e[5] = (uint8_t)irq;
    e[6] = apic;
    e[7] = (uint8_t)pin;
}

static void processors(struct mp_writer *w, const struct board_facts *facts)
{
    for (unsigned i = 0; i < facts->cpu_count; i++) {
        uint8_t *e = entry(w, 0, 20);
        e[1] = (uint8_t)i;
        e[2] = 0x14;
        e[3] = i == 0 ? 3 : 1; /* enabled; the first is the boot processor */
        put(e + 4, 4, 0x600);  /* family 6 */
        put(e + 8, 4, 0x201);  /* FPU, APIC */
    }
}

/* PCI functions by their interrupt line register, which firmware set; returns the ISA lines they
 * use. */
static uint16_t pci_interrupts(struct mp_writer *w, const struct board_facts *facts)
{
    uint16_t used = 0;

    for (unsigned devfn = 0; devfn < 256; devfn++) {
        const struct pci_fn *f = pci_find(facts->pci, devfn);
        unsigned pin, line;
        if (!f)
            continue;
        pin = pci_config_read8(f, PCI_INT_PIN);
        line = pci_config_read8(f, PCI_INT_LINE);
        if (!pin || line > 15)
            continue;
        interrupt(w, 3, MP_INT, BUS_PCI, (devfn >> 3) << 2 | (pin - 1), facts->io_apic_id, line);
        used |= (uint16_t)(1u << line);
    }
    return used;
}

static void isa_interrupts(struct mp_writer *w, const struct board_facts *facts, uint16_t taken)
{
    for (unsigned irq = 0; irq < 16; irq++)
        if (irq != 2 && !(taken >> irq & 1))
            interrupt(w, 3, MP_INT, BUS_ISA, irq, facts->io_apic_id, irq ? irq : 2);
}

static void config_header(struct mp_writer *w)
{
    uint32_t len = (uint32_t)(w->p - w->start);
    uint8_t *t = w->start;

    memcpy(t, "PCMP", 4);
    put(t + 4, 2, len);
    t[6] = 4; /* specification 1.4 */
    memcpy(t + 8, "RING1   ", 8);
    memcpy(t + 16, "PC          ", 12);
    put(t + 34, 2, w->entries);
    put(t + 36, 4, LAPIC_DEFAULT_BASE);
    table_checksum(t, len, t + 7);
}

uint32_t mptable_build(struct table_area *area, const struct board_facts *facts)
{
    uint32_t pointer = table_alloc(area, 16, 16);
    uint32_t config = table_alloc(area, MAX_LEN, 16);
    struct mp_writer w = {0};
    uint8_t *e;
    uint16_t taken;

    if (area->full)
        return 0;
    w.start = table_at(area, config);
    w.p = w.start + HEADER_LEN;
    processors(&w, facts);
    e = entry(&w, 1, 8);
    e[1] = BUS_PCI;
    memcpy(e + 2, "PCI   ", 6);
    e = entry(&w, 1, 8);
    e[1] = BUS_ISA;
    memcpy(e + 2, "ISA   ", 6);
    e = entry(&w, 2, 8);
    e[1] = facts->io_apic_id;
    e[2] = 0x20;
    e[3] = 1;
    put(e + 4, 4, IOAPIC_BASE);
    taken = pci_interrupts(&w, facts);
    isa_interrupts(&w, facts, taken);
    interrupt(&w, 4, MP_EXTINT, BUS_ISA, 0, 0xff, 0);
    interrupt(&w, 4, MP_NMI, BUS_ISA, 0, 0xff, 1);
    config_header(&w);
    area->at = config + (uint32_t)(w.p - w.start);

    e = table_at(area, pointer);
    memcpy(e, "_MP_", 4);
    put(e + 4, 4, config);
    e[8] = 1; /* 16 bytes long */
    e[9] = 4;
    table_checksum(e, 16, e + 10);
    return pointer;
}
