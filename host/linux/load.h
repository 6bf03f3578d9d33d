/* SPDX-License-Identifier: MIT */
/*
 * load.h - puts a kernel into guest RAM and says in which state the CPU enters it, as firmware and
 * a boot loader would.
 *
 * Promises   Nothing in a kernel or initrd file can make a loader read or write outside the file
 *            and guest RAM; what is wrong with a file is one sentence in *e. boot_load() may be
 *            called again at each reset of the guest: it writes the same bytes again.
 * Not here   ACPI and MP tables (devices/pc.h), the CPU's own state after reset
 *            (monitor/cpu/vcpu.h).
 */
#ifndef RING1_HOST_LINUX_LOAD_H
#define RING1_HOST_LINUX_LOAD_H

#include "host/linux/error.h"
#include "host/linux/file.h"
#include "include/ring1/types.h"

struct vcpu;

#define MAX_MODULES 32u

enum kernel_kind { KERNEL_LINUX, KERNEL_MULTIBOOT };

/* The files of one boot. Loaders only read it. */
struct boot_files {
    enum kernel_kind kind;
    struct file kernel;
    unsigned module_count; /* Linux: at most one, the initrd */
    struct file module[MAX_MODULES];
    const char *module_args[MAX_MODULES]; /* multiboot: "FILE ARGS" as given */
    const char *append;
    char *list; /* storage of the split -initrd list */
};

/* State at the kernel's entry: 32-bit protected mode, flat segments, paging and interrupts off. */
struct boot_entry {
    uint32_t eip, esp, eax, ebx, esi;
    uint32_t gdt_base;
    uint16_t gdt_limit, code_sel, data_sel;
};

/* One line of the memory map that both boot protocols hand over. Types as in ACPI: 1 RAM, 2
 * reserved. */
struct map_range {
    uint64_t base, len;
    uint32_t type;
};
#define MAP_RANGES 5u
#define EBDA_BASE  0x9fc00u

/* Fills out[0..MAP_RANGES); returns how many. */
unsigned memory_map(uint64_t ram_size, struct map_range *out);

/* Opens the kernel, recognises it, opens the modules. initrd may be NULL. Returns 0, or -1 with *e
 * (nothing stays open). */
int boot_open(struct boot_files *b, const char *kernel, const char *initrd, const char *append,
              struct error *e);
void boot_close(struct boot_files *b);

/* rsdp: physical address of the ACPI root pointer, 0 without ACPI. */
int boot_load(const struct boot_files *b, uint8_t *ram, uint64_t ram_size, uint32_t rsdp,
              struct boot_entry *out, struct error *e);

/* The loaders behind boot_load(), for RAM of at least 1 MiB. */
int load_linux(const struct boot_files *b, uint8_t *ram, uint64_t ram_size, uint32_t rsdp,
               struct boot_entry *out, struct error *e);
int load_multiboot(const struct boot_files *b, uint8_t *ram, uint64_t ram_size,
                   struct boot_entry *out, struct error *e);
bool is_linux(const struct file *f);
bool is_multiboot(const struct file *f);

/* After vcpu_reset(): the state that firmware leaves (caches on, MTRRs set), then that of
 * *entry. */
void boot_enter(struct vcpu *v, const struct boot_entry *entry);

/* Writes the flat GDT of a boot loader at ram[gpa]: null descriptors, then code at selector `code`,
 * data at `code` + 8. */
void put_flat_gdt(uint8_t *ram, uint32_t gpa, uint16_t code, struct boot_entry *out);

/* "RAM too small": names what is needed, in MiB rounded up. */
int ram_too_small(struct error *e, uint64_t ram_size, uint64_t needed, const char *what);

static inline uint32_t get_le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}
static inline uint64_t get_le64(const uint8_t *p)
{
    return get_le32(p) | (uint64_t)get_le32(p + 4) << 32;
}
static inline uint16_t get_le16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}
static inline void put_le32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)v, p[1] = (uint8_t)(v >> 8), p[2] = (uint8_t)(v >> 16),
    p[3] = (uint8_t)(v >> 24);
}
static inline void put_le16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v, p[1] = (uint8_t)(v >> 8);
}
static inline void put_le64(uint8_t *p, uint64_t v)
{
    put_le32(p, (uint32_t)v);
    put_le32(p + 4, (uint32_t)(v >> 32));
}

#endif
