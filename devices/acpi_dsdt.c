/* SPDX-License-Identifier: MIT */
/*
 * acpi_dsdt.c - the DSDT: what an operating system cannot find by itself on this board.
 *
 * \_S5; one processor object per CPU; \_SB.PCI0 with its windows, its interrupt routing through
 * four link devices, and the ISA bridge with the legacy devices of the table below.
 * Source     ACPI specification 2.0, chapters 6, 7 and 17; Plug and Play device ids of Microsoft's
 *            devids list.
 */
#include "devices/acpi_tables.h"
#include "devices/aml.h"
#include "devices/piix3.h"
#include "devices/piix4_pm.h"

#define PCI_MEM_FIRST 0xe0000000u
#define PCI_MEM_LAST  0xfebfffffu
#define NO_IRQ        0xff

/* The legacy devices. Ports: base and length, a length of 0 ends the list. */
static const struct isa_device {
    const char *name, *hid;
    struct {
        uint16_t base;
        uint8_t len;
    } io[4];
    uint8_t irq;
    int8_t serial; /* present only when this serial port is; -1: always */
} isa_devices[] = {
    {"PIC_", "PNP0000", {{0x20, 2}, {0xa0, 2}, {0x4d0, 2}}, 2, -1},
    {"TMR_", "PNP0100", {{0x40, 4}}, 0, -1},
    {"DMAC", "PNP0200", {{0x00, 16}, {0x81, 15}, {0xc0, 32}}, NO_IRQ, -1},
    {"RTC_", "PNP0B00", {{0x70, 2}}, 8, -1},
    {"SPKR", "PNP0800", {{0x61, 1}}, NO_IRQ, -1},
    {"FPU_", "PNP0C04", {{0xf0, 2}}, 13, -1},
    {"KBD_", "PNP0303", {{0x60, 1}, {0x64, 1}}, 1, -1},
    {"MOU_", "PNP0F13", {{0}}, 12, -1},
    {"COM1", "PNP0501", {{0x3f8, 8}}, 4, 0},
    {"COM2", "PNP0501", {{0x2f8, 8}}, 3, 1},
    {"COM3", "PNP0501", {{0x3e8, 8}}, 4, 2},
    {"COM4", "PNP0501", {{0x2e8, 8}}, 3, 3},
};

static void name_only(struct aml *a, const char *name)
{
    aml_op(a, AML_NAME);
    aml_path(a, name);
}

static void build_isa_device(struct aml *a, const struct isa_device *d)
{
    aml_open_named(a, AML_DEVICE, d->name);
    aml_name_eisa(a, "_HID", d->hid);
    if (d->serial >= 0)
        aml_name_int(a, "_UID", (uint32_t)d->serial + 1);
    name_only(a, "_CRS");
    aml_res_open(a);
    for (unsigned i = 0; i < ARRAY_LEN(d->io) && d->io[i].len; i++)
        aml_res_io(a, d->io[i].base, d->io[i].len);
    if (d->irq != NO_IRQ)
        aml_res_irq(a, d->irq);
    aml_res_close(a);
    aml_close(a);
}

/* Ports of the board itself, so that nobody else gets them. */
static void build_system_resources(struct aml *a, const struct board_facts *facts)
{
    aml_open_named(a, AML_DEVICE, "SYSR");
    aml_name_eisa(a, "_HID", "PNP0C02");
    name_only(a, "_CRS");
    aml_res_open(a);
    aml_res_io(a, 0x80, 1);
    aml_res_io(a, 0x92, 1);
    aml_res_io(a, 0xb2, 2);
    aml_res_io(a, facts->pm_base, 64);
    aml_res_io(a, facts->smb_base, 16);
    aml_res_close(a);
    aml_close(a);
}

static const char *const routing_reg[4] = {"PRQ0", "PRQ1", "PRQ2", "PRQ3"};

static void build_isa_bridge(struct aml *a, const struct board_facts *facts)
{
    aml_open_named(a, AML_DEVICE, "ISA_");
    aml_name_int(a, "_ADR", 0x00010000);
    aml_op(a, AML_REGION);
    aml_path(a, "PIRQ");
    aml_byte(a, 2); /* PCI_Config */
    aml_int(a, PIIX3_PIRQRC);
    aml_int(a, 4);
    aml_open_named(a, AML_FIELD, "PIRQ");
    aml_byte(a, 0x01); /* byte access, no lock, preserve */
    for (unsigned i = 0; i < 4; i++)
        aml_field_unit(a, routing_reg[i], 8);
    aml_close(a);
    for (unsigned i = 0; i < ARRAY_LEN(isa_devices); i++)
        if (isa_devices[i].serial < 0 || facts->serial_present[isa_devices[i].serial])
            build_isa_device(a, &isa_devices[i]);
    build_system_resources(a, facts);
    aml_close(a);
}

static const char *const link_name[4] = {"LNKA", "LNKB", "LNKC", "LNKD"};

/* _PRT: (slot, pin) -> link device, with the same rotation as the wires have. */
static void build_routing(struct aml *a)
{
    name_only(a, "_PRT");
    aml_open(a, AML_PACKAGE);
    aml_byte(a, 31 * 4);
    for (unsigned slot = 1; slot < 32; slot++) {
        for (unsigned pin = 0; pin < 4; pin++) {
            aml_open(a, AML_PACKAGE);
            aml_byte(a, 4);
            aml_int(a, slot << 16 | 0xffff);
            aml_int(a, pin);
            aml_path(a, link_name[pci_pirq_of(PCI_DEVFN(slot, 0), pin + 1)]);
            aml_int(a, 0);
            aml_close(a);
        }
    }
    aml_close(a);
}

static void build_pci_root(struct aml *a, const struct board_facts *facts)
{
    aml_open_named(a, AML_DEVICE, "PCI0");
    aml_name_eisa(a, "_HID", "PNP0A03");
    aml_name_int(a, "_BBN", 0);
    aml_name_int(a, "_UID", 0);
    name_only(a, "_CRS");
    aml_res_open(a);
    aml_res_window(a, AML_WINDOW_BUS, 0, 0);
    aml_res_io(a, 0xcf8, 8);
    aml_res_window(a, AML_WINDOW_IO, 0x0000, 0x0cf7);
    aml_res_window(a, AML_WINDOW_IO, 0x0d00, 0xffff);
    aml_res_window(a, AML_WINDOW_MEMORY, 0xa0000, 0xbffff);
    aml_res_window(a, AML_WINDOW_MEMORY, PCI_MEM_FIRST, PCI_MEM_LAST);
    aml_res_close(a);
    build_routing(a);
    build_isa_bridge(a, facts);
    aml_close(a);
}

/* Path of the routing register of link n. */
static void routing_path(struct aml *a, unsigned n)
{
    char path[] = "\\_SB_.PCI0.ISA_.PRQ0";

    path[sizeof path - 2] = (char)('0' + n);
    aml_path(a, path);
}

/* _CRS: a template whose interrupt is filled in from the routing register. The interrupt number
 * lies 5 bytes into it. */
static void build_link_crs(struct aml *a, unsigned n)
{
    static const uint8_t none[] = {0};

    name_only(a, "BUFA");
    aml_res_open(a);
    aml_res_interrupts(a, none);
    aml_res_close(a);
    aml_open_method(a, "_CRS", 0x08); /* serialized: it creates a name */
    aml_op(a, AML_CREATE_DWORD_FIELD);
    aml_path(a, "BUFA");
    aml_int(a, 5);
    aml_path(a, "IRQW");
    aml_op(a, AML_AND);
    routing_path(a, n);
    aml_int(a, 0x0f);
    aml_path(a, "IRQW");
    aml_open(a, AML_IF);
    aml_op(a, AML_AND);
    routing_path(a, n);
    aml_int(a, PIIX3_PIRQ_OFF);
    aml_byte(a, 0); /* no target */
    aml_op(a, AML_STORE);
    aml_int(a, 0);
    aml_path(a, "IRQW");
    aml_close(a);
    aml_op(a, AML_RETURN);
    aml_path(a, "BUFA");
    aml_close(a);
}

static void build_link(struct aml *a, unsigned n)
{
    static const uint8_t possible[] = {10, 11, 0};

    aml_open_named(a, AML_DEVICE, link_name[n]);
    aml_name_eisa(a, "_HID", "PNP0C0F");
    aml_name_int(a, "_UID", n + 1);
    name_only(a, "_PRS");
    aml_res_open(a);
    aml_res_interrupts(a, possible);
    aml_res_close(a);

    aml_open_method(a, "_STA", 0);
    aml_open(a, AML_IF);
    aml_op(a, AML_AND);
    routing_path(a, n);
    aml_int(a, PIIX3_PIRQ_OFF);
    aml_byte(a, 0);
    aml_op(a, AML_RETURN);
    aml_int(a, 0x09); /* present, functioning, not enabled */
    aml_close(a);
    aml_op(a, AML_RETURN);
    aml_int(a, 0x0b);
    aml_close(a);

    build_link_crs(a, n);

    aml_open_method(a, "_DIS", 0);
    aml_op(a, AML_OR);
    routing_path(a, n);
    aml_int(a, PIIX3_PIRQ_OFF);
    routing_path(a, n);
    aml_close(a);

    aml_open_method(a, "_SRS", 0x09); /* serialized, one argument */
    aml_op(a, AML_CREATE_DWORD_FIELD);
    aml_op(a, AML_ARG0);
    aml_int(a, 5);
    aml_path(a, "IRQW");
    aml_op(a, AML_STORE);
    aml_path(a, "IRQW");
    routing_path(a, n);
    aml_close(a);
    aml_close(a);
}

static void build_processors(struct aml *a, unsigned count)
{
    char name[] = "CPU0";

    aml_open_named(a, AML_SCOPE, "\\_PR_");
    for (unsigned i = 0; i < count; i++) {
        name[3] = (char)('0' + i);
        aml_open_named(a, AML_PROCESSOR, name);
        aml_byte(a, (uint8_t)i);
        aml_dword(a, 0); /* no processor control block */
        aml_byte(a, 0);
        aml_close(a);
    }
    aml_close(a);
}

static void build_s5(struct aml *a)
{
    name_only(a, "\\_S5_");
    aml_open(a, AML_PACKAGE);
    aml_byte(a, 4);
    aml_int(a, PIIX4_SLP_TYP_S5);
    aml_int(a, PIIX4_SLP_TYP_S5);
    aml_int(a, 0);
    aml_int(a, 0);
    aml_close(a);
}

uint32_t acpi_build_dsdt(uint8_t *out, uint32_t size, const struct board_facts *facts)
{
    struct aml a = {.buf = out, .len = 36, .size = size};

    build_s5(&a);
    build_processors(&a, facts->cpu_count);
    aml_open_named(&a, AML_SCOPE, "\\_SB_");
    build_pci_root(&a, facts);
    for (unsigned n = 0; n < 4; n++)
        build_link(&a, n);
    aml_close(&a);
    if (a.failed)
        return 0;
    acpi_header(out, "DSDT", (uint32_t)a.len, 1);
    return (uint32_t)a.len;
}
