/* SPDX-License-Identifier: MIT */
/*
 * boot.h - boots a kernel without firmware: puts its bytes into guest RAM, and the CPU into the
 * state in which firmware and a boot loader would enter it.
 *
 * Use        boot_recognise() the kernel's bytes; fill a struct boot; boot_start() at power-on and
 *            at each reset of the guest. It is made of boot_load() and boot_enter().
 * Promises   Nothing in an image makes a loader read outside the image or write outside guest RAM.
 *            What is wrong is one sentence for the user in *e. The work is bounded by the sizes of
 *            the images and of RAM.
 * Invariant  A struct boot and its images are only read, and nothing is kept between two calls:
 *            boot_load() writes the same bytes into RAM of the same size whenever it is called.
 * Not here   Files: images are bytes, which the host maps, reads or was linked with. ACPI and MP
 *            tables (devices/pc.h). The CPU's own state after reset (monitor/arch/reset.c). What
 *            follows when the guest ends (monitor/run/ending.h).
 *            No real-mode code is run, and nothing is decompressed.
 *
 * boot.c     what both kinds share, and boot_enter()
 * start.c    boot_start()
 * linux.c    bzImage and zImage by the x86 boot protocol
 * multiboot.c  ELF and flat kernels with a multiboot 1 header
 */
#ifndef RING1_BOOT_BOOT_H
#define RING1_BOOT_BOOT_H

#include "include/ring1/types.h"

struct pc;
struct vcpu;
struct vm;

#define BOOT_MODULES 32u

/* BOOT_FIRMWARE: no kernel is loaded, the CPU starts at its reset vector, where the board has a ROM
 * (struct pc_config, `firmware`). */
enum boot_kind { BOOT_UNKNOWN, BOOT_LINUX, BOOT_MULTIBOOT, BOOT_FIRMWARE };

/* A file's bytes. The caller owns them, and keeps them where they are as long as the guest may be
 * reset. */
struct boot_image {
    const uint8_t *bytes;
    size_t size; /* in bytes */
    /* A kernel's name as messages and its own command line show it; a multiboot module's string,
     * "FILE ARGUMENTS"; not read for an initrd. NUL-terminated. */
    const char *name;
};

struct boot {
    enum boot_kind kind;
    struct boot_image kernel;
    unsigned module_count; /* Linux: at most one, the initrd */
    struct boot_image module[BOOT_MODULES];
    const char *cmdline; /* "" without one, never NULL */
};

/* Guest RAM as the host sees it, physical address 0 first. */
struct boot_ram {
    uint8_t *base;
    uint64_t size; /* in bytes, at most 0xe0000000 */
    /* Makes [p, p+len) of RAM zero, without taking host memory for it if possible; NULL: zeros are
     * written. */
    void (*clear)(uint8_t *p, uint64_t len);
};

/* State at the kernel's entry: 32-bit protected mode, flat segments, paging and interrupts off. */
struct boot_entry {
    uint32_t eip, esp, eax, ebx, esi;
    uint32_t gdt_base;
    uint16_t gdt_limit, code_sel, data_sel;
};

/* One line without a newline. Names in it may hold any bytes but NUL: whoever shows it makes them
 * printable. */
struct boot_error {
    char text[640];
};

/* Says what kind of kernel this is; BOOT_UNKNOWN with *e when ring1 cannot boot it. */
enum boot_kind boot_recognise(const struct boot_image *kernel, struct boot_error *e);

/* Puts kernel, modules, command line and what firmware leaves in memory into RAM, and the state at
 * the kernel's entry into *out. rsdp: physical address of the ACPI root pointer, 0 without ACPI.
 * Returns 0, or -1 with *e (RAM may be written in part then). The caller tells the page watchers
 * (vm_ram_written()). */
int boot_load(const struct boot *b, const struct boot_ram *ram, uint32_t rsdp,
              struct boot_entry *out, struct boot_error *e);

/* Puts a CPU that was reset (vcpu_reset()) into the state that firmware leaves (caches on, MTRRs
 * set), and then to *entry. */
void boot_enter(struct vcpu *v, const struct boot_entry *entry);

/* Does what power-on and the reset button do: resets board and CPU, writes firmware's tables and
 * the kernel again, and puts CPU 0 at its entry; with firmware, at its reset vector. RAM keeps the
 * rest. *vm and *pc are wired (vm_wire_pc()), and no guest code runs meanwhile. clear: as in struct
 * boot_ram. Returns 0, or -1 with *e; the guest must not run then. */
int boot_start(const struct boot *b, struct vm *vm, struct pc *pc,
               void (*clear)(uint8_t *p, uint64_t len), struct boot_error *e);

#endif
