/* SPDX-License-Identifier: MIT */
/*
 * pc.h - the board: the i440FX/PIIX PC as one table (devices/pc.c): what sits at which address and
 * on which IRQ.
 */
#ifndef RING1_DEVICES_PC_H
#define RING1_DEVICES_PC_H

#include "devices/backend.h"
#include "devices/bus.h"
#include "devices/dma.h"
#include "devices/drive.h"
#include "devices/memory.h"

struct pc; /* all chips by value; size from pc_size() */

enum pc_request { PC_POWEROFF, PC_RESET, PC_DEBUG_EXIT };

/* What firmware is to boot from, first one first; 0: nothing more. */
enum pc_boot_from { PC_BOOT_FLOPPY = 1, PC_BOOT_DISK = 2, PC_BOOT_CD = 3, PC_BOOT_NETWORK = 4 };
#define PC_BOOT_PLACES 3u
struct pc_boot {
    uint8_t order[PC_BOOT_PLACES]; /* enum pc_boot_from; all 0: disk, floppy, CD */
    uint8_t once[PC_BOOT_PLACES];  /* at power-on, instead of `order`; all 0: the same */
    bool menu;                     /* firmware waits for a key that opens its menu */
    uint32_t menu_ms;              /* so long; 0: as long as it likes */
};

/* A file that fw_cfg offers to firmware: for example "vgaroms/vgabios.bin". */
struct pc_file {
    const char *name;
    const void *bytes;
    uint32_t size;
};

/* What the board asks of the machine around it (monitor and host). All required unless said. */
struct pc_config {
    struct bus *mem, *port;
    uint64_t ram_size;
    struct dma dma; /* guest memory, for the devices and what firmware leaves there */
    unsigned cpu_count;
    uint32_t guest_tsc_khz;
    int64_t wall_seconds;           /* RTC start value, UTC (or local as -rtc says) */
    const char *cmdline;            /* for fw_cfg; may be NULL */
    const uint8_t *kernel, *initrd; /* for fw_cfg; may be NULL */
    uint32_t kernel_size, initrd_size;
    bool acpi; /* build tables */
    /* The CPU starts in a ROM, whose program sets up the chips and leaves the tables: the board is
     * as power-on leaves it, but for what the clock's RAM says of it. */
    bool firmware;
    bool nographic; /* firmware writes to the first serial port, and reads from there */
    struct pc_boot boot;
    const struct pc_file *file; /* more files for fw_cfg; they and their bytes stay the caller's */
    unsigned file_count;
    /* The CPU has no local APIC: neither it nor the I/O APIC answers, no table names them. */
    bool no_apic;
    int debug_exit_base; /* isa-debug-exit's iobase, or -1 */
    int debug_exit_size;
    bool testdev; /* pc-testdev */
    /* The graphics card's memory: zeroed bytes, a power of two, 256 KiB to 16 MiB (VGA_MEMORY in
     * vga.h); NULL: there is no card. */
    uint8_t *vga_memory;
    uint32_t vga_memory_size;
    /* The same memory as the guest reaches it without the bus, and the bank of 64 KiB at 0xa0000;
     * zeroes: it goes through the bus, and the board saves the memory. */
    struct dev_memory vga_frame;
    struct dev_view vga_bank;
    /* The IDE drives: primary master and slave, secondary master and slave. The PIIX3's IDE
     * function is there if one of them is, or if ide_always says so. */
    struct pc_drive ide[4];
    bool ide_always;
    struct chardev serial[4]; /* send NULL: UART present only if serial_present */
    bool serial_present[4];
    struct chardev debugcon; /* send NULL: absent */
    uint16_t debugcon_port;  /* 0: 0xe9 */
    void *opaque;            /* first argument of the functions below */
    void (*set_intr)(void *opaque, unsigned cpu, bool level);
    void (*raise_nmi)(void *opaque, unsigned cpu);
    void (*set_a20)(void *opaque, bool enabled);
    void (*request)(void *opaque, enum pc_request what, uint32_t code);
    void (*deadline_changed)(void *opaque);
    /* PAM: who answers in [gpa, gpa+len), pages of 0xc0000-0xfffff: reads and writes go to RAM, or
     * to the ROM that lies there (writes then go nowhere); without one, reads go to RAM. */
    void (*set_shadow)(void *opaque, uint64_t gpa, uint64_t len, bool read_ram, bool write_ram);
    /* The local APICs' page is at gpa from now on, UINT64_MAX: nowhere. It lies over RAM. May be
     * NULL. */
    void (*apic_at)(void *opaque, uint64_t gpa);
    /* Optional (may be NULL), for several CPUs: INIT and start-up IPIs. */
    void (*cpu_init)(void *opaque, unsigned cpu);
    void (*cpu_sipi)(void *opaque, unsigned cpu, uint8_t vector);
};

struct snapshot; /* devices/snapshot.h */

size_t pc_size(void);
/* Builds the board in *pc (zeroed memory of pc_size() bytes, the caller's) and puts every chip on
 * its bus. Returns 0, or -1 with a sentence in *why. */
int pc_init(struct pc *pc, const struct pc_config *cfg, const char **why);
/* A drive whose request is at the host stays busy until its completion, and the host may still
 * write to guest memory for it: who fills that memory anew waits for
 * completion_pending() to be 0. */
void pc_reset(struct pc *pc, ns_t now);
/* The guest was reset, so what pc_config.boot.once says is over. */
void pc_restarted(struct pc *pc);
ns_t pc_run_until(struct pc *pc, ns_t now);
/* Is there anything that may raise an NMI at this CPU while no instruction runs, as the chips are
 * programmed now? To be asked after pc_run_until(). */
bool pc_nmi_may_come(const struct pc *pc, unsigned cpu);
/* The CPU takes an interrupt: returns its vector, or -1 when none is requested any more. */
int pc_intr_ack(struct pc *pc, unsigned cpu);
void pc_apic_base_changed(struct pc *pc, unsigned cpu, uint64_t value);
/* A write of IA32_TSC_DEADLINE, and its value now, which is 0 once it fired; in ticks of
 * guest_tsc_khz since time 0 (without tsc_offset). */
void pc_tsc_deadline_changed(struct pc *pc, unsigned cpu, uint64_t guest_tsc);
uint64_t pc_tsc_deadline(const struct pc *pc, unsigned cpu);
/* Makes this CPU's local APIC answer on the memory bus from now on. Only several CPUs need it. */
void pc_select_cpu(struct pc *pc, unsigned cpu);
void pc_ferr(struct pc *pc, bool level);
/* Writes the ACPI tables, MP table into guest RAM, which PAM may hold read-only; returns the RSDP's
 * address, 0 without ACPI. */
uint32_t pc_build_tables(struct pc *pc);
/* Serial input: how many bytes UART n takes now; handing bytes over; a break on its line. */
unsigned pc_serial_room(struct pc *pc, unsigned n);
void pc_serial_receive(struct pc *pc, unsigned n, const uint8_t *bytes, unsigned len, ns_t now);
void pc_serial_break(struct pc *pc, unsigned n, ns_t now);
/* Hands on what UARTs and debug console have collected; call before the process ends. */
void pc_flush(struct pc *pc);
/* The graphics card; NULL when there is none. */
struct vga;
const struct vga *pc_vga(const struct pc *pc);
/* How the host tells drive n, one of pc_config's ide[], that its medium changed. n is below 4. */
struct blockdev_sink pc_drive_sink(struct pc *pc, unsigned n);
/* pc_save.c: the state of all chips, and of the wires between them. Loading wants a board that was
 * built with the same pc_config; `now` is the time at which it was saved. Errors are in s->error;
 * after one the board must be reset or thrown away. */
void pc_save(const struct pc *pc, struct snapshot *s);
bool pc_load(struct pc *pc, struct snapshot *s, ns_t now);
/* The queue by which the host's work for the board's devices comes back: the host sets its `wake`,
 * pc_run_until() delivers what was posted. */
struct completion_queue *pc_completions(struct pc *pc);
/* Presses the ACPI power button. */
void pc_power_button(struct pc *pc, ns_t now);

#endif
