/* SPDX-License-Identifier: MIT */
/*
 * pc_tables.c - what firmware in a ROM fetches through fw_cfg: the ACPI tables, and the script that
 * says where they go.
 *
 * How        The tables are one file whose addresses are offsets in it. Firmware allocates memory,
 *            adds the file's address where the script says, and mends the checksums.
 * When       They are made again whenever firmware selects one of the files: it has programmed the
 *            ports of the power management by then, which the tables name. Lengths never change.
 * Source     QEMU's hw/acpi/bios-linker-loader.c (the format of the script);
 *            ACPI specification 2.0, chapter 5.
 */
#include "devices/acpi_tables.h"
#include "devices/pc_board.h"
#include "include/ring1/mem.h"

#define TABLES_FILE "etc/acpi/tables"
#define RSDP_FILE   "etc/acpi/rsdp"
#define LOADER_FILE "etc/table-loader"

#define FACS_ALIGN 64u
#define RSDP_ALIGN 16u

/* Offsets in the tables (ACPI 2.0: RSDP, header, RSDT, FADT). */
enum {
    RSDP_CHECKSUM = 8,
    RSDP_RSDT = 16,
    HEADER_LENGTH = 4,
    HEADER_CHECKSUM = 9,
    RSDT_ENTRIES = 36,
    FADT_FACS = 36,
    FADT_DSDT = 40,
    FADT_X_DSDT = 140,
};

/* ---- the script ---- */

enum command { LOADER_ALLOCATE = 1, LOADER_ADD_POINTER = 2, LOADER_ADD_CHECKSUM = 3 };
enum zone { ZONE_HIGH = 1, ZONE_FSEG = 2 };
#define NAME_LEN 56u

static void put(uint8_t *p, unsigned len, uint32_t v)
{
    for (unsigned i = 0; i < len; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

static uint32_t get32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void put_name(uint8_t *p, const char *name)
{
    for (unsigned i = 0; name[i]; i++)
        p[i] = (uint8_t)name[i];
}

/* The next entry, zeroed but for its command. */
static uint8_t *command(struct pc_acpi_files *f, enum command what)
{
    VMM_CHECK(f->commands < PC_LOADER_COMMANDS);
    uint8_t *p = f->loader[f->commands++];

    put(p, 4, what);
    return p + 4;
}

static void allocate(struct pc_acpi_files *f, const char *file, uint32_t align, enum zone zone)
{
    uint8_t *p = command(f, LOADER_ALLOCATE);

    put_name(p, file);
    put(p + NAME_LEN, 4, align);
    p[NAME_LEN + 4] = (uint8_t)zone;
}

/* The `size` bytes at `at` of `file` are an offset in the tables. */
static void pointer(struct pc_acpi_files *f, const char *file, uint32_t at, uint8_t size)
{
    uint8_t *p = command(f, LOADER_ADD_POINTER);

    put_name(p, file);
    put_name(p + NAME_LEN, TABLES_FILE);
    put(p + 2 * NAME_LEN, 4, at);
    p[2 * NAME_LEN + 4] = size;
}

static void checksum(struct pc_acpi_files *f, const char *file, uint32_t at, uint32_t start,
                     uint32_t len)
{
    uint8_t *p = command(f, LOADER_ADD_CHECKSUM);

    put_name(p, file);
    put(p + NAME_LEN, 4, at);
    put(p + NAME_LEN + 4, 4, start);
    put(p + NAME_LEN + 8, 4, len);
}

static void fadt_commands(struct pc_acpi_files *f, const uint8_t *tables, uint32_t fadt)
{
    pointer(f, TABLES_FILE, fadt + FADT_FACS, 4);
    pointer(f, TABLES_FILE, fadt + FADT_DSDT, 4);
    pointer(f, TABLES_FILE, fadt + FADT_X_DSDT, 8);
    checksum(f, TABLES_FILE, fadt + HEADER_CHECKSUM, fadt, get32(tables + fadt + HEADER_LENGTH));
}

static void script(struct pc_acpi_files *f, const uint8_t *tables)
{
    uint32_t rsdt = get32(f->rsdp + RSDP_RSDT), len = get32(tables + rsdt + HEADER_LENGTH);

    memset(f->loader, 0, sizeof f->loader);
    f->commands = 0;
    allocate(f, TABLES_FILE, FACS_ALIGN, ZONE_HIGH);
    allocate(f, RSDP_FILE, RSDP_ALIGN, ZONE_FSEG);
    for (uint32_t at = rsdt + RSDT_ENTRIES; at < rsdt + len; at += 4) {
        uint32_t table = get32(tables + at);

        if (!memcmp(tables + table, "FACP", 4))
            fadt_commands(f, tables, table);
        pointer(f, TABLES_FILE, at, 4);
    }
    checksum(f, TABLES_FILE, rsdt + HEADER_CHECKSUM, rsdt, len);
    pointer(f, RSDP_FILE, RSDP_RSDT, 4);
    checksum(f, RSDP_FILE, RSDP_CHECKSUM, 0, PC_RSDP_LEN);
}

/* ---- the tables ---- */

struct board_facts pc_facts(const struct pc *pc, uint16_t pm_base, uint16_t smb_base)
{
    struct board_facts facts = {
        .cpu_count = pc->cfg.cpu_count,
        .pm_base = pm_base,
        .smb_base = smb_base,
        .sci_irq = PC_SCI_IRQ,
        .level_irqs = PC_LEVEL_IRQS,
        .io_apic_id = (uint8_t)pc->cfg.cpu_count,
        .no_apic = pc->cfg.no_apic,
        .vga = pc->cfg.vga_memory != NULL,
        .pci = &pc->pci,
    };

    for (unsigned n = 0; n < 4; n++)
        facts.serial_present[n] = pc->cfg.serial_present[n];
    return facts;
}

/* The FACS is at offset 0, so the others' offsets are not 0, which would mean "none". */
static bool build(struct pc *pc)
{
    struct table_area area = {
        .bytes = pc->tables + ACPI_FACS_LEN,
        .base = ACPI_FACS_LEN,
        .at = ACPI_FACS_LEN,
        .end = PC_TABLES_LEN,
    };
    struct board_facts facts = pc_facts(pc, pc->pm.pm_at, pc->pm.smb_at);
    uint32_t rsdp;

    memset(pc->tables, 0, sizeof pc->tables);
    rsdp = acpi_build(&area, 0, pc->tables, &facts);
    if (!rsdp)
        return false;
    memcpy(pc->acpi_files.rsdp, pc->tables + rsdp, PC_RSDP_LEN);
    memset(pc->tables + rsdp, 0, PC_RSDP_LEN); /* it is a file of its own */
    script(&pc->acpi_files, pc->tables);
    return true;
}

static void selected(void *board, uint16_t key)
{
    if (key >= FW_CFG_FIRST_FILE)
        build(board);
}

int pc_fw_cfg_files(struct pc *pc)
{
    struct fw_cfg *f = &pc->fw_cfg;

    if (pc->cfg.boot.menu_ms && fw_cfg_add_file(f, "etc/boot-menu-wait", &pc->cfg.boot.menu_ms, 2))
        return -1;
    for (unsigned n = 0; n < pc->cfg.file_count; n++)
        if (fw_cfg_add_file(f, pc->cfg.file[n].name, pc->cfg.file[n].bytes, pc->cfg.file[n].size))
            return -1;
    if (!pc->cfg.acpi || !pc->cfg.firmware || !build(pc))
        return 0;
    if (fw_cfg_add_file(f, TABLES_FILE, pc->tables, sizeof pc->tables) ||
        fw_cfg_add_file(f, RSDP_FILE, pc->acpi_files.rsdp, PC_RSDP_LEN) ||
        fw_cfg_add_file(f, LOADER_FILE, pc->acpi_files.loader, sizeof pc->acpi_files.loader))
        return -1;
    fw_cfg_on_select(f, selected, pc);
    return 0;
}
