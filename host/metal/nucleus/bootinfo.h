/* SPDX-License-Identifier: MIT */
/*
 * bootinfo.h - what the boot loader tells: memory, modules, command line.
 *
 * Promises   The same struct for Multiboot 1 and 2. Strings are copied, cut to their arrays, and
 *            end in NUL. Entries beyond the arrays are dropped, and counted.
 * Source     Multiboot Specification 0.6.96, section 3.3; Multiboot2 Specification 2.0, section
 * 3.6.
 */
#ifndef RING1_HOST_METAL_BOOTINFO_H
#define RING1_HOST_METAL_BOOTINFO_H

#include "include/ring1/types.h"

#define BOOTINFO_RANGES  64u
#define BOOTINFO_MODULES 128u

/* Physical memory [base, base + size), in bytes. */
struct range {
    uint64_t base, size;
};

struct module {
    struct range bytes;
    char cmdline[2048]; /* FILE ARGUMENTS, as the loader's user gave it */
};

struct bootinfo {
    char cmdline[1024];
    struct range usable[BOOTINFO_RANGES];
    unsigned usable_count;
    struct module module[BOOTINFO_MODULES];
    unsigned module_count;
    unsigned dropped;
};

/* Reads what the loader left at physical address `info`, through DIRECT_BASE, below 4 GiB. Returns
 * false when `magic` is no loader's. */
bool bootinfo_read(struct bootinfo *out, uint32_t magic, uint32_t info);

/* The value of NAME=VALUE among the words of a command line: copied into out[size], false when
 * there is none. */
bool bootinfo_option(const char *cmdline, const char *name, char *out, size_t size);

#endif
