/* SPDX-License-Identifier: MIT */
/*
 * pc_firmware.c - a directly booted kernel has no firmware before it: this programs the chips as
 * firmware would, and leaves the tables it would leave.
 *
 * Guest memory used: 0-0x3ff (real-mode interrupt vectors), the video fields and the tick count
 * (0x46c) of the BIOS data area,
 * 0xe0000-0xe003f (FACS, writable), 0xf0000-0xf3fff (MP table, RSDP, ACPI tables, read-only),
 * 0xffe00-0xfffff (interrupt handlers). Loaders report 0xa0000-0xfffff as reserved.
 */
#include "devices/acpi_tables.h"
#include "devices/pc_board.h"
#include "include/ring1/mem.h"

#define FACS_AT      0xe0000u
#define TABLES_FIRST 0xf0000u
#define TABLES_END   (TABLES_FIRST + PC_TABLES_LEN)

struct port_write {
    uint16_t port;
    uint8_t value;
};

/* 8254: counter 0 at 18.2 Hz, counter 1 as the refresh rate, counter 2 ready for the speaker. The
 * 8254 comes first: an edge that its OUT may make is gone when the 8259s begin.
 * 8259s: vectors 0x08 and 0x70, everything masked but the timer and the cascade; lines 9-11
 * level-triggered.
 * 8237: channel 4 of the second controller passes the first one's requests on (cascade).
 * Clock: 32768 Hz base, 24-hour BCD. */
static const struct port_write script[] = {{0x43, 0x34},
                                           {0x40, 0x00},
                                           {0x40, 0x00},
                                           {0x43, 0x54},
                                           {0x41, 0x12},
                                           {0x43, 0xb6},
                                           {0x42, 0x00},
                                           {0x42, 0x00},
                                           {0x20, 0x11},
                                           {0x21, 0x08},
                                           {0x21, 0x04},
                                           {0x21, 0x01},
                                           {0x21, 0xfa},
                                           {0xa0, 0x11},
                                           {0xa1, 0x70},
                                           {0xa1, 0x02},
                                           {0xa1, 0x01},
                                           {0xa1, 0xff},
                                           {0x4d0, PC_LEVEL_IRQS & 0xff},
                                           {0x4d1, PC_LEVEL_IRQS >> 8},
                                           {0xd6, 0xc0},
                                           {0xd4, 0x00},
                                           {0x70, 0x0a},
                                           {0x71, 0x26},
                                           {0x70, 0x0b},
                                           {0x71, 0x02},
                                           {0x70, 0x0d}};

/* The serial ports as SeaBIOS leaves them under QEMU: 9600 baud, 8 data bits, no parity, one stop
 * bit, OUT2 on, FIFOs and interrupts off. Small kernels send without setting them up. */
static void setup_uarts(struct pc *pc, ns_t now)
{
    static const struct {
        uint8_t reg, value;
    } writes[] = {{3, 0x80}, {0, 12}, {1, 0}, {3, 0x03}, {4, 0x08}};

    for (unsigned n = 0; n < 4; n++)
        for (unsigned i = 0; pc->cfg.serial_present[n] && i < ARRAY_LEN(writes); i++)
            ns16550_ops.write(&pc->uart[n], writes[i].reg, 1, writes[i].value, now);
}

/* Gives each function with an interrupt pin the line that its PIRQ is routed to. PM keeps the
 * SCI's. */
static void assign_pci_lines(struct pc *pc)
{
    for (unsigned i = 0; i < pc->pci.count; i++) {
        struct pci_fn *f = pc->pci.fn[i];
        unsigned pin = pci_config_read8(f, PCI_INT_PIN);
        if (pin && f != &pc->pm.fn)
            pci_config_write(
                f, PCI_INT_LINE, 1,
                pci_config_read8(&pc->piix3.fn, PIIX3_PIRQRC + pci_pirq_of(f->devfn, pin)));
    }
}

/* Where SeaBIOS and its forerunner of Bochs look. */
#define CMOS_BOOT_THIRD 0x38u /* bits 7-4; bit 0: a floppy's boot sector need not be marked */
#define CMOS_BOOT_FIRST 0x3du /* bits 3-0; 7-4: the second */
#define CMOS_CPUS       0x5fu /* less one */

void pc_cmos_setup(struct pc *pc)
{
    static const uint8_t usual[PC_BOOT_PLACES] = {PC_BOOT_DISK, PC_BOOT_FLOPPY, PC_BOOT_CD};
    const struct pc_boot *b = &pc->cfg.boot;
    const uint8_t *o = b->once[0] ? b->once : b->order[0] ? b->order : usual;

    mc146818_set_memory(&pc->rtc, pc->cfg.ram_size);
    mc146818_poke(&pc->rtc, CMOS_CPUS, (uint8_t)(pc->cfg.cpu_count - 1));
    mc146818_poke(&pc->rtc, CMOS_BOOT_FIRST, (uint8_t)(o[1] << 4 | o[0]));
    mc146818_poke(&pc->rtc, CMOS_BOOT_THIRD, (uint8_t)(o[2] << 4));
}

void pc_firmware_setup(struct pc *pc, ns_t now)
{
    for (unsigned i = 0; i < ARRAY_LEN(script); i++)
        bus_write(pc->cfg.port, script[i].port, 1, script[i].value, now);
    setup_uarts(pc, now);
    pc_cmos_setup(pc);
    i440fx_firmware_setup(&pc->i440fx);
    piix3_firmware_setup(&pc->piix3);
    piix4_pm_firmware_setup(&pc->pm, PC_PM_BASE, PC_SMB_BASE);
    if (pc_has_ide(pc))
        ide_firmware_setup(&pc->ide, PC_BMIDE_BASE);
    if (pc->cfg.vga_memory)
        vga_firmware_setup(&pc->vga);
    assign_pci_lines(pc);
    pc->ioapic.id = (uint8_t)pc->cfg.cpu_count;
    if (!pc->cfg.no_apic)
        lapic_virtual_wire(&pc->lapic[0]);
    pc_a20(pc, 0, true);
}

/* Real-mode handlers, at the addresses that a PC's vectors have before anybody changes them. */
#define BIOS_SEGMENT 0xf000u
#define AT_IRET      0xff53u /* the address that IBM's BIOS had it at, and everyone since */
#define AT_TIMER     0xfea5u /* likewise */
#define AT_MASTER    0xfee0u
#define AT_SLAVE     0xfef0u

static const uint8_t code_iret[] = {0xcf};
static const uint8_t code_timer[] = {
    0x1e, 0x50,                   /* push ds; push ax */
    0x31, 0xc0, 0x8e, 0xd8,       /* xor ax, ax; mov ds, ax */
    0x66, 0xff, 0x06, 0x6c, 0x04, /* inc dword [0x46c] */
    0xb0, 0x20, 0xe6, 0x20,       /* mov al, 0x20; out 0x20, al */
    0x58, 0x1f, 0xcf,             /* pop ax; pop ds; iret */
};
static const uint8_t code_master[] = {0x50, 0xb0, 0x20, 0xe6, 0x20, 0x58, 0xcf};
static const uint8_t code_slave[] = {0x50, 0xb0, 0x20, 0xe6, 0xa0, 0xe6, 0x20, 0x58, 0xcf};

/* A kernel that enters real mode with interrupts on, or halts there, finds vectors that return. */
static void build_vectors(const struct dma *dma)
{
    static const struct {
        uint16_t at;
        uint8_t len;
        const uint8_t *code;
    } handler[] = {
        {AT_IRET, sizeof code_iret, code_iret},
        {AT_TIMER, sizeof code_timer, code_timer},
        {AT_MASTER, sizeof code_master, code_master},
        {AT_SLAVE, sizeof code_slave, code_slave},
    };

    for (unsigned n = 0; n < ARRAY_LEN(handler); n++)
        dma_write(dma, BIOS_SEGMENT * 16u + handler[n].at, handler[n].code, handler[n].len);
    for (unsigned n = 0; n < 256; n++) {
        uint32_t at = AT_IRET;
        if (n == 8)
            at = AT_TIMER;
        else if (n > 8 && n < 16)
            at = AT_MASTER;
        else if (n >= 0x70 && n < 0x78)
            at = AT_SLAVE;
        dma_write_int(dma, 4 * n, BIOS_SEGMENT << 16 | at, 4);
    }
}

#define BIOS_DATA 0x400u

/* What a video BIOS says of mode 3 in the BIOS data area; without a card: nothing. */
static void build_video_data(struct pc *pc)
{
    static const struct {
        uint8_t at, len;
        uint16_t value;
    } fields[] = {
        {0x49, 1, 3},      /* mode */
        {0x4a, 2, 80},     /* columns */
        {0x4c, 2, 0x1000}, /* bytes of a page */
        {0x60, 2, 0x0d0e}, /* cursor's lines */
        {0x63, 2, 0x3d4},  /* CRT controller */
        {0x84, 1, 24},     /* the last row */
        {0x85, 2, 16},     /* lines of a character */
        {0x87, 1, 0x60},   /* 256 KiB, EGA or better is active */
        {0x88, 1, 0xf9},   /* switches: colour */
        {0x89, 1, 0x51},   /* 400 lines, a VGA */
    };
    static const uint8_t zeroes[0x66 - 0x49];
    const struct dma *dma = &pc->cfg.dma;

    dma_write(dma, BIOS_DATA + 0x49, zeroes, 0x66 - 0x49);
    dma_write(dma, BIOS_DATA + 0x84, zeroes, 0x8b - 0x84);
    for (unsigned i = 0; pc->cfg.vga_memory && i < ARRAY_LEN(fields); i++)
        dma_write_int(dma, BIOS_DATA + fields[i].at, fields[i].value, fields[i].len);
}

uint32_t pc_build_tables(struct pc *pc)
{
    struct table_area area = {
        .bytes = pc->tables, .base = TABLES_FIRST, .at = TABLES_FIRST, .end = TABLES_END};
    struct board_facts facts = pc_facts(pc, PC_PM_BASE, PC_SMB_BASE);
    uint8_t facs[ACPI_FACS_LEN];
    uint32_t rsdp = 0;

    if (pc->cfg.ram_size < 0x100000)
        return 0;
    if (!facts.no_apic)
        mptable_build(&area, &facts);
    if (pc->cfg.acpi)
        rsdp = acpi_build(&area, FACS_AT, facs, &facts);
    i440fx_firmware_open(&pc->i440fx);
    build_vectors(&pc->cfg.dma);
    build_video_data(pc);
    dma_write(&pc->cfg.dma, TABLES_FIRST, pc->tables, area.at - TABLES_FIRST);
    if (rsdp)
        dma_write(&pc->cfg.dma, FACS_AT, facs, sizeof facs);
    i440fx_firmware_setup(&pc->i440fx);
    return rsdp;
}
