/* SPDX-License-Identifier: MIT */
/* uses: devices/pc_tables.c, devices/pc_firmware.c, devices/fw_cfg.c */
/*
 * dev_firmware.c - the board as firmware in a ROM finds it: the chips as power-on leaves them, the
 * clock's RAM, and the files of fw_cfg. The script of the ACPI tables is executed here as firmware
 * would.
 */
#define _GNU_SOURCE
#include "tests/rig/pc_fixture.h"

#define TABLES_AT 0x123000u
#define RSDP_AT   0xf5b40u
#define PM_BASE   0x600u
#define FILES     24u
#define NAME      56u
#define FADT_PM1A 56u

static struct machine *start(struct pc_boot boot)
{
    struct machine *m = calloc(1, sizeof *m);
    static const char rom[] = "a card's program";
    static const struct pc_file file = {.name = "pci1234,1111.rom", .bytes = rom, .size = 16};
    const char *why = NULL;
    struct pc_config cfg;

    m->ram = calloc(1, 64u << 20);
    m->vga = calloc(1, 1u << 20);
    m->pc = calloc(1, pc_size());
    cfg = machine_config(m, 1);
    cfg.firmware = true;
    cfg.boot = boot;
    cfg.kernel = (const uint8_t *)rom; /* it must not be offered: firmware would start it */
    cfg.kernel_size = sizeof rom;
    cfg.file = &file;
    cfg.file_count = 1;
    cr_assert(pc_init(m->pc, &cfg, &why) == 0, "%s", why);
    return m;
}

static uint8_t cmos(struct machine *m, uint8_t at)
{
    out(m, 0x70, 1, at);
    return (uint8_t)in(m, 0x71, 1);
}

static uint32_t be(const uint8_t *p, unsigned bytes)
{
    uint32_t v = 0;

    while (bytes--)
        v = v << 8 | *p++;
    return v;
}

static uint32_t le(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void bytes_of(struct machine *m, unsigned key, uint8_t *to, uint32_t len)
{
    out(m, 0x510, 2, key);
    while (len--)
        *to++ = (uint8_t)in(m, 0x511, 1);
}

/* Copies the file into `to`; its length, 0: there is none. */
static uint32_t file(struct machine *m, const char *name, uint8_t *to, uint32_t room)
{
    static uint8_t dir[4 + 64 * FILES];

    bytes_of(m, 0x19, dir, sizeof dir);
    for (unsigned n = 0; n < be(dir, 4) && n < FILES; n++) {
        const uint8_t *e = dir + 4 + 64 * n;
        uint32_t len = be(e, 4);

        if (strcmp((const char *)e + 8, name))
            continue;
        cr_assert(len <= room, "%s", name);
        bytes_of(m, be(e + 4, 2), to, len);
        return len;
    }
    return 0;
}

static uint8_t sum(const uint8_t *p, uint32_t len)
{
    uint8_t s = 0;

    while (len--)
        s = (uint8_t)(s + *p++);
    return s;
}

/* Guest memory that a file of the script was put to. */
static uint8_t *place(struct machine *m, const uint8_t *name)
{
    if (!strcmp((const char *)name, "etc/acpi/tables"))
        return m->ram + TABLES_AT;
    cr_assert_str_eq((const char *)name, "etc/acpi/rsdp");
    return m->ram + RSDP_AT;
}

static void add(uint8_t *field, unsigned bytes, uint64_t value)
{
    uint64_t v = 0;

    memcpy(&v, field, bytes);
    v += value;
    memcpy(field, &v, bytes);
}

/* What the script says, once the files are where allocate() puts them. */
static unsigned run_script(struct machine *m, const uint8_t *script, uint32_t len)
{
    unsigned done = 0;

    for (const uint8_t *c = script; c < script + len; c += 128) {
        const uint8_t *a = c + 4, *b = a + NAME;
        uint8_t *to = le(c) ? place(m, a) : NULL;

        if (le(c) == 1) {
            uint32_t align = le(b);
            cr_expect((to - m->ram) % align == 0 && b[4] == (to == m->ram + RSDP_AT ? 2 : 1));
        } else if (le(c) == 2) {
            add(to + le(b + NAME), b[NAME + 4], (uint64_t)(place(m, b) - m->ram));
        } else if (le(c) == 3) {
            to[le(b)] = (uint8_t)(to[le(b)] - sum(to + le(b + 4), le(b + 8)));
        } else {
            cr_assert(!le(c));
        }
        done += le(c) != 0;
    }
    return done;
}

Test(firmware, board_as_power_on_leaves_it)
{
    struct machine *m = start((struct pc_boot){0});

    cr_expect_eq(pci_get(m, PCI_DEVFN(0, 0), 0x58, 4) >> 8, 0, "PAM: ROM");
    cr_expect(m->rom_f0000 && m->rom_e0000);
    cr_expect_eq(pci_get(m, PCI_DEVFN(1, 0), 0x60, 4), 0x80808080, "PIRQs go nowhere");
    cr_expect_eq(pci_get(m, PCI_DEVFN(2, 0), 0x10, 4) >> 4, 0, "the card's memory is nowhere");
    cr_expect_eq(pci_get(m, PCI_DEVFN(1, 3), 0x58, 4), 0x02000000, "APMC_EN: no SMM to set up");
    cr_expect_eq(in(m, 0x3f8 + 3, 1), 0, "UART");
    cr_expect_eq(cmos(m, 0x34) | cmos(m, 0x35) << 8, 48 * 16, "64 KiB blocks above 16 MiB");
    machine_free(m);
}

Test(firmware, boot_order)
{
    struct machine *m = start((struct pc_boot){0});

    cr_expect(cmos(m, 0x3d) == 0x12 && cmos(m, 0x38) == 0x30, "disk, floppy, CD");
    machine_free(m);
    m = start((struct pc_boot){.order = {PC_BOOT_DISK, PC_BOOT_CD}, .once = {PC_BOOT_CD}});
    cr_expect(cmos(m, 0x3d) == 0x03 && cmos(m, 0x38) == 0);
    pc_reset(m->pc, 0);
    cr_expect(cmos(m, 0x3d) == 0x03, "power-on is not over");
    pc_restarted(m->pc);
    pc_reset(m->pc, 0);
    cr_expect(cmos(m, 0x3d) == 0x32 && cmos(m, 0x38) == 0);
    machine_free(m);
}

Test(firmware, files)
{
    struct machine *m = start((struct pc_boot){.menu = true, .menu_ms = 1234});
    uint8_t bytes[32];

    cr_expect(file(m, "pci1234,1111.rom", bytes, sizeof bytes) == 16);
    cr_expect_arr_eq(bytes, "a card's program", 16);
    cr_expect(file(m, "etc/boot-menu-wait", bytes, sizeof bytes) == 2);
    cr_expect_eq(bytes[0] | bytes[1] << 8, 1234);
    bytes_of(m, 0x0e, bytes, 2);
    cr_expect_eq(bytes[0], 1, "the menu");
    bytes_of(m, 0x08, bytes, 4);
    cr_expect_eq(le(bytes), 0, "no kernel");
    machine_free(m);
}

Test(firmware, acpi_tables)
{
    struct machine *m = start((struct pc_boot){0});
    static uint8_t script[0x4000];

    /* As firmware programs it before it asks. */
    pci_put(m, PCI_DEVFN(1, 3), 0x40, 4, PM_BASE | 1);
    pci_put(m, PCI_DEVFN(1, 3), 0x80, 1, 1);
    pci_put(m, PCI_DEVFN(1, 3), 0x04, 2, 1);
    uint32_t len = file(m, "etc/table-loader", script, sizeof script);
    cr_assert(len && len % 128 == 0);
    cr_assert(file(m, "etc/acpi/tables", m->ram + TABLES_AT, 0x10000));
    cr_assert_eq(file(m, "etc/acpi/rsdp", m->ram + RSDP_AT, 64), 20);
    cr_expect(run_script(m, script, len) >= 10);

    const uint8_t *rsdp = m->ram + RSDP_AT, *rsdt = m->ram + le(rsdp + 16);
    cr_expect(!memcmp(rsdp, "RSD PTR ", 8) && !sum(rsdp, 20));
    cr_assert(!memcmp(rsdt, "RSDT", 4) && !sum(rsdt, le(rsdt + 4)));
    cr_assert_eq(le(rsdt + 4), 36 + 8, "FADT and MADT");
    const uint8_t *fadt = m->ram + le(rsdt + 36), *madt = m->ram + le(rsdt + 40);
    cr_assert(!memcmp(fadt, "FACP", 4) && !sum(fadt, le(fadt + 4)));
    cr_expect(!memcmp(madt, "APIC", 4) && !sum(madt, le(madt + 4)));
    cr_expect_eq(le(fadt + FADT_PM1A), PM_BASE, "the ports that firmware chose");
    const uint8_t *facs = m->ram + le(fadt + 36), *dsdt = m->ram + le(fadt + 40);
    cr_expect(!memcmp(facs, "FACS", 4) && (facs - m->ram) % 64 == 0);
    cr_expect(!memcmp(dsdt, "DSDT", 4) && !sum(dsdt, le(dsdt + 4)));
    cr_expect_eq(le(fadt + 140), le(fadt + 40), "X_DSDT");
    cr_expect_null(memmem(m->ram + TABLES_AT, 0x4000, "RSD PTR ", 8), "only in its own file");
    machine_free(m);
}
