/* SPDX-License-Identifier: MIT */
/*
 * boot_priv.h - what boot.c offers the loaders, and the loaders boot.c.
 */
#ifndef RING1_BOOT_BOOT_PRIV_H
#define RING1_BOOT_BOOT_PRIV_H

#include "boot/boot.h"
#include "include/ring1/bytes.h"

#define HIGH_MEMORY 0x100000u
#define VGA_HOLE    0xa0000u
#define EBDA_BASE   0x9fc00u

/* The BIOS data area. The board writes its video fields (devices/pc_firmware.c). */
#define BDA_BASE           0x400u
#define BDA_VIDEO_MODE     0x49u
#define BDA_VIDEO_COLUMNS  0x4au /* 0: there is no graphics card */
#define BDA_VIDEO_LAST_ROW 0x84u
#define BDA_VIDEO_POINTS   0x85u

/* One line of the memory map that both boot protocols hand over. Types as in ACPI: 1 RAM, 2
 * reserved. */
struct map_range {
    uint64_t base, len;
    uint32_t type;
};
#define MAP_RANGES 5u

/* Fills out[0..MAP_RANGES); returns how many. */
unsigned boot_memory_map(uint64_t ram_size, struct map_range *out);

/* Writes the flat GDT of a boot loader at ram[gpa]: null descriptors, then code at selector `code`,
 * data at `code` + 8. */
void boot_put_gdt(uint8_t *ram, uint32_t gpa, uint16_t code, struct boot_entry *out);

/* Fills *e as fmt_line() does; returns -1 so that callers can `return boot_fail(...)`. */
int boot_fail(struct boot_error *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* "RAM too small": names what is needed, in MiB rounded up. Returns -1. */
int boot_ram_too_small(struct boot_error *e, uint64_t ram_size, uint64_t needed, const char *what);

/* How many bytes come before the NUL. */
size_t boot_text_len(const char *text);

/* The loaders that boot_load() calls, for RAM of at least 1 MiB. */
bool boot_is_linux(const struct boot_image *kernel);
int boot_load_linux(const struct boot *b, const struct boot_ram *ram, uint32_t rsdp,
                    struct boot_entry *out, struct boot_error *e);
bool boot_is_multiboot(const struct boot_image *kernel);
int boot_load_multiboot(const struct boot *b, const struct boot_ram *ram, struct boot_entry *out,
                        struct boot_error *e);

#endif
