/* SPDX-License-Identifier: MIT */
/*
 * pc_board.h - the inside of struct pc, for the pc*.c files only.
 */
#ifndef RING1_DEVICES_PC_BOARD_H
#define RING1_DEVICES_PC_BOARD_H

#include "devices/acpi_tables.h"
#include "devices/debugcon.h"
#include "devices/fw_cfg.h"
#include "devices/i440fx.h"
#include "devices/i8042.h"
#include "devices/i8237.h"
#include "devices/i8254.h"
#include "devices/i8259.h"
#include "devices/ide.h"
#include "devices/ioapic.h"
#include "devices/isa_debug_exit.h"
#include "devices/lapic.h"
#include "devices/mc146818.h"
#include "devices/ns16550.h"
#include "devices/pc.h"
#include "devices/pc_testdev.h"
#include "devices/pci.h"
#include "devices/piix3.h"
#include "devices/piix4_pm.h"
#include "devices/port61.h"
#include "devices/port92.h"
#include "devices/vga.h"

#define PC_PM_BASE    0xb000u
#define PC_SMB_BASE   0xb100u
#define PC_BMIDE_BASE 0xc000u
#define PC_SCI_IRQ    9
#define PC_LEVEL_IRQS 0x0e00u /* 9: SCI; 10, 11: PCI */

/* Who drives an ISA line; a line is high while any of them drives it. A wire's pin is source << 8 |
 * line. */
enum pc_irq_source { SRC_ISA, SRC_ISA_SECOND, SRC_PIRQ, SRC_SCI, SRC_TESTDEV };
#define PC_IRQ_PIN(source, line) ((unsigned)(source) << 8 | (unsigned)(line))

#define PC_CHIPS_MAX 32

/* Bytes for the tables of ACPI and MP that firmware would leave. */
#define PC_TABLES_LEN 0x4000u

/* pc_tables.c: files for firmware. */
#define PC_RSDP_LEN        20u
#define PC_LOADER_COMMANDS 16u
#define PC_LOADER_LEN      128u /* bytes of a command */
struct pc_acpi_files {
    uint8_t rsdp[PC_RSDP_LEN];
    uint8_t loader[PC_LOADER_COMMANDS][PC_LOADER_LEN]; /* commands of zeroes do nothing */
    unsigned commands;
};

/* FERR# to IRQ 13, port 0xf0. */
struct pc_coproc {
    bool ferr, irq;
};

struct pc {
    struct i8259 pic;
    struct i8254 pit;
    struct mc146818 rtc;
    struct ns16550 uart[4];
    struct i8042 kbc;
    struct port61 port61;
    struct port92 port92;
    struct i8237 dma;
    struct pc_coproc coproc;
    struct pci_host pci;
    struct i440fx i440fx;
    struct piix3 piix3;
    struct piix4_pm pm;
    struct ioapic ioapic;
    struct lapic lapic[APIC_MAX_CPUS];
    struct fw_cfg fw_cfg;
    struct debugcon debugcon;
    struct isa_debug_exit debug_exit;
    struct pc_testdev testdev;
    struct vga vga;
    struct ide ide;
    struct ide_channel ide_channel[2];

    ns_t due[PC_CHIPS_MAX];  /* what each chip of pc.c's list said last about its next deadline */
    uint8_t irq_sources[16]; /* bit n: enum pc_irq_source n drives the line */
    uint64_t apic_window;    /* where the local APICs are on the memory bus */
    bool apic_window_mapped;
    unsigned mmio_cpu; /* whose local APIC answers (pc_select_cpu) */
    struct apic_bus apic_bus;
    struct completion_queue completions;
    struct pc_config cfg;
    uint8_t tables[PC_TABLES_LEN]; /* pc_build_tables() makes them here, or pc_tables.c */
    struct pc_acpi_files acpi_files;
    bool ready; /* pc_init() is done: wires may reach the machine */
};

extern const struct dev_ops pc_coproc_ops;

/* pc.c: is there an IDE function? */
bool pc_has_ide(const struct pc *pc);

/* pc.c: the deadline that a chip (a member of *pc) named when pc_run_until() asked last. */
ns_t pc_due(const struct pc *pc, const void *chip);

/* pc.c: chip n of those that are on this board, NULL: there are no more. *dev is a member of
 * *pc. The local APICs are not among them. */
const struct dev_ops *pc_chip(const struct pc *pc, unsigned n, const void **dev);

/* pc_wires.c: connects every wire; calls the chips' init functions. 0, or -1 with *why. */
int pc_wires_connect(struct pc *pc, const char **why);
/* The ISA line of UART n. */
unsigned pc_uart_line(unsigned n);
void pc_apic_window_update(struct pc *pc, bool enabled, uint64_t base);
void pc_a20(void *board, unsigned pin, bool level);
/* pc_firmware.c: programs the chips as firmware would before it starts a kernel. */
void pc_firmware_setup(struct pc *pc, ns_t now);
/* pc_firmware.c: the clock's RAM says how much memory there is, how many CPUs, and what to boot
 * from. */
void pc_cmos_setup(struct pc *pc);
/* pc_tables.c: what firmware fetches from fw_cfg: ACPI tables with the script that places them, the
 * caller's files. 0; -1: they are too many. */
int pc_fw_cfg_files(struct pc *pc);
/* pc_tables.c: what tables say of this board, with the power management's ports there. */
struct board_facts pc_facts(const struct pc *pc, uint16_t pm_base, uint16_t smb_base);

#endif
