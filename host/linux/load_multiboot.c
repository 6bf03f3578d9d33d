/* SPDX-License-Identifier: MIT */
/*
 * load_multiboot.c - 32-bit kernels with a multiboot 1 header: ELF files, and flat ones by the
 * header's address fields.
 *
 * Promises   Every length and offset of the file is checked against the file and against guest RAM
 *            before use.
 * Source     Multiboot Specification 0.6.96, sections 3.1-3.3 (field names are its own); System V
 *            ABI, "Object Files".
 *
 * The information block is put into low memory (INFO_LOW) where kernels rarely load themselves;
 * behind the modules when this kernel does. Modules follow the kernel, page by page.
 */
#include <string.h>

#include "host/linux/guest_ram.h"
#include "host/linux/load.h"

#define MB_MAGIC       0x1badb002u
#define MB_HANDOVER    0x2badb002u
#define MB_SEARCH      8192u
#define MB_WANTS_MUST  0xffffu /* a loader which does not know one of these bits must refuse */
#define MB_PAGE_ALIGN  (1u << 0)
#define MB_MEMORY_INFO (1u << 1)
#define MB_VIDEO_MODE  (1u << 2) /* a wish; there is no screen */
#define MB_ADDRESSES   (1u << 16)

/* multiboot_info. */
enum {
    MBI_FLAGS = 0,
    MBI_MEM_LOWER = 4,
    MBI_MEM_UPPER = 8,
    MBI_BOOT_DEVICE = 12,
    MBI_CMDLINE = 16,
    MBI_MODS_COUNT = 20,
    MBI_MODS_ADDR = 24,
    MBI_MMAP_LENGTH = 44,
    MBI_MMAP_ADDR = 48,
    MBI_BOOT_LOADER_NAME = 64,
    MBI_SIZE = 120,
    MOD_SIZE = 16,
    MMAP_ENTRY = 24,
};
#define MBI_HAS_ALL (1u << 0 | 1u << 1 | 1u << 2 | 1u << 3 | 1u << 6 | 1u << 9)

#define INFO_LOW        0x9000u
#define INFO_LOW_END    0x80000u
#define HIGH_MEMORY     0x100000u
#define VGA_HOLE        0xa0000u
#define GDT_ROOM        32u
#define ELF_MAX_HEADERS 256u /* bounds the work that a crafted file can make */

static const char loader_name[] = "ring1";

struct loading {
    const struct boot_files *b;
    uint8_t *ram;
    uint64_t ram_size;
    struct error *e;
    bool placed;       /* first all pieces are only looked at, then they are written */
    uint64_t low, end; /* the kernel occupies [low, end) */
    uint32_t entry;
};

/* Offset of the header, or -1. */
static int64_t find_header(const struct file *f)
{
    size_t end = f->size < MB_SEARCH ? f->size : MB_SEARCH;

    for (size_t i = 0; i + 12 <= end; i += 4)
        if (get_le32(f->data + i) == MB_MAGIC &&
            get_le32(f->data + i) + get_le32(f->data + i + 4) + get_le32(f->data + i + 8) == 0)
            return (int64_t)i;
    return -1;
}

bool is_multiboot(const struct file *f)
{
    return find_header(f) >= 0;
}

/* One piece of the kernel: file_len bytes at file offset `off`, then zeros up to mem_len. */
static int put_piece(struct loading *l, uint64_t off, uint64_t file_len, uint64_t at,
                     uint64_t mem_len)
{
    const struct file *f = &l->b->kernel;

    if (off > f->size || file_len > f->size - off)
        return error_set(l->e,
                         "the kernel '%s' is cut off: a part of it lies behind the end of the file",
                         f->path);
    if (file_len > mem_len)
        return error_set(
            l->e, "the kernel '%s' is broken: a segment is longer in the file than in memory",
            f->path);
    if (mem_len == 0)
        return 0;
    uint64_t end = at + mem_len;
    if (end > 0xe0000000u || end < at)
        return error_set(l->e, "the kernel '%s' wants to be loaded at 0x%llx, where no RAM can be",
                         f->path, (unsigned long long)at);
    if (at < HIGH_MEMORY && end > VGA_HOLE)
        return error_set(
            l->e,
            "the kernel '%s' wants to be loaded over the PC's video memory and firmware at "
            "0x%x-0x%x",
            f->path, VGA_HOLE, HIGH_MEMORY - 1);
    if (l->placed) {
        memcpy(l->ram + at, f->data + off, file_len);
        memory_clear(l->ram + at + file_len, mem_len - file_len);
        return 0;
    }
    if (at < l->low)
        l->low = at;
    if (end > l->end)
        l->end = end;
    return 0;
}

/* The header's address fields say it all. */
static int load_flat(struct loading *l, uint64_t hdr)
{
    const struct file *f = &l->b->kernel;
    const uint8_t *h = f->data + hdr;

    if (f->size - hdr < 32)
        return error_set(l->e, "the kernel '%s' is cut off in its multiboot header", f->path);
    uint32_t header_addr = get_le32(h + 12), load_addr = get_le32(h + 16);
    uint32_t load_end = get_le32(h + 20), bss_end = get_le32(h + 24);
    if (load_addr > header_addr || header_addr - load_addr > hdr)
        return error_set(
            l->e, "the kernel '%s' is broken: its multiboot header gives impossible load addresses",
            f->path);
    uint64_t off = hdr - (header_addr - load_addr);
    uint64_t len = f->size - off;
    if (load_end) {
        if (load_end < load_addr)
            return error_set(
                l->e, "the kernel '%s' is broken: its multiboot header ends before it begins",
                f->path);
        len = load_end - load_addr;
    }
    uint64_t mem_len = bss_end > load_addr && bss_end - load_addr > len ? bss_end - load_addr : len;
    l->entry = get_le32(h + 28);
    return put_piece(l, off, len, load_addr, mem_len);
}

static int load_elf(struct loading *l)
{
    const struct file *f = &l->b->kernel;
    const uint8_t *h = f->data;

    if (f->size < 52 || memcmp(h, "\177ELF", 4) != 0)
        return error_set(
            l->e,
            "the kernel '%s' has a multiboot header, but is no ELF file and gives no load "
            "addresses",
            f->path);
    if (h[4] == 2)
        return error_set(l->e, "the kernel '%s' is a 64-bit ELF file; ring1 runs 32-bit guests",
                         f->path);
    if (h[4] != 1 || h[5] != 1 || get_le16(h + 18) != 3)
        return error_set(l->e, "the kernel '%s' is an ELF file, but not for 32-bit x86", f->path);
    uint64_t phoff = get_le32(h + 28), entsize = get_le16(h + 42), count = get_le16(h + 44);
    if (count == 0 || count > ELF_MAX_HEADERS)
        return error_set(l->e, "the kernel '%s' is an ELF file with %s program headers", f->path,
                         count ? "too many" : "no");
    if (entsize < 32 || phoff > f->size || count * entsize > f->size - phoff)
        return error_set(l->e, "the kernel '%s' is cut off in its ELF program headers", f->path);
    l->entry = get_le32(h + 24);
    for (uint64_t i = 0; i < count; i++) {
        const uint8_t *p = h + phoff + i * entsize;
        if (get_le32(p) != 1) /* PT_LOAD */
            continue;
        uint32_t off = get_le32(p + 4), vaddr = get_le32(p + 8), paddr = get_le32(p + 12);
        uint32_t filesz = get_le32(p + 16), memsz = get_le32(p + 20);
        if (put_piece(l, off, filesz, paddr, memsz))
            return -1;
        /* An entry point given as a virtual address means its place in memory. */
        uint32_t into = get_le32(h + 24) - vaddr;
        if (into < memsz)
            l->entry = paddr + into;
    }
    if (!l->end)
        return error_set(l->e, "the kernel '%s' has no segment to load", f->path);
    return 0;
}

/* Before place(): says what the kernel occupies; after it: writes it. */
static int load_pieces(struct loading *l, int64_t hdr, uint32_t flags)
{
    return flags & MB_ADDRESSES ? load_flat(l, (uint64_t)hdr) : load_elf(l);
}

/* Bytes of the information block. */
static uint64_t info_size(const struct boot_files *b)
{
    uint64_t n = GDT_ROOM + MBI_SIZE + MAP_RANGES * MMAP_ENTRY + sizeof loader_name;

    n += strlen(b->kernel.path) + 1 + strlen(b->append) + 1;
    for (unsigned i = 0; i < b->module_count; i++)
        n += MOD_SIZE + strlen(b->module_args[i]) + 1;
    return (n + 15) & ~15ull;
}

static int place(struct loading *l, uint32_t mod_at[MAX_MODULES], uint64_t *info_at)
{
    uint64_t at = l->end > HIGH_MEMORY ? l->end : HIGH_MEMORY, need = info_size(l->b);

    for (unsigned i = 0; i < l->b->module_count; i++) {
        at = (at + GUEST_PAGE_MASK) & ~(uint64_t)GUEST_PAGE_MASK;
        mod_at[i] = (uint32_t)at;
        at += l->b->module[i].size;
        if (at > 0xe0000000u)
            break;
    }
    *info_at = INFO_LOW;
    bool low_taken = l->low < INFO_LOW + need && l->end > INFO_LOW;
    if (low_taken || INFO_LOW + need > INFO_LOW_END) {
        at = (at + GUEST_PAGE_MASK) & ~(uint64_t)GUEST_PAGE_MASK;
        *info_at = at;
        at += need;
    }
    if (at > l->ram_size)
        return ram_too_small(l->e, l->ram_size, at,
                             l->b->module_count ? "this kernel with its modules" : "this kernel");
    l->placed = true;
    return 0;
}

/* Appends a string at *at; returns its address. */
static uint32_t put_string(uint8_t *ram, uint64_t *at, const char *s, const char *sep,
                           const char *s2)
{
    uint32_t start = (uint32_t)*at;
    const char *part[] = {s, sep, s2};

    for (unsigned i = 0; i < ARRAY_LEN(part); i++) {
        memcpy(ram + *at, part[i], strlen(part[i]));
        *at += strlen(part[i]);
    }
    ram[(*at)++] = 0;
    return start;
}

static uint32_t put_map(uint8_t *ram, uint64_t *at, uint64_t ram_size, uint32_t *len)
{
    struct map_range map[MAP_RANGES];
    unsigned n = memory_map(ram_size, map);
    uint32_t start = (uint32_t)*at;

    for (unsigned i = 0; i < n; i++, *at += MMAP_ENTRY) {
        put_le32(ram + *at, MMAP_ENTRY - 4);
        put_le64(ram + *at + 4, map[i].base);
        put_le64(ram + *at + 12, map[i].len);
        put_le32(ram + *at + 20, map[i].type);
    }
    *len = n * MMAP_ENTRY;
    return start;
}

static void put_info(struct loading *l, uint64_t info_at, const uint32_t mod_at[MAX_MODULES],
                     struct boot_entry *out)
{
    const struct boot_files *b = l->b;
    uint8_t *ram = l->ram, *mbi = ram + info_at + GDT_ROOM;
    uint64_t at = info_at + GDT_ROOM + MBI_SIZE;
    uint32_t map_len, mods = (uint32_t)at;

    memset(ram + info_at, 0, info_size(b));
    put_flat_gdt(ram, (uint32_t)info_at, 0x08, out);
    put_le32(mbi + MBI_FLAGS, MBI_HAS_ALL);
    put_le32(mbi + MBI_MEM_LOWER, EBDA_BASE >> 10);
    put_le32(mbi + MBI_MEM_UPPER, (uint32_t)((l->ram_size - HIGH_MEMORY) >> 10));
    put_le32(mbi + MBI_BOOT_DEVICE, 0x8000ffff); /* first hard disk, no partition */
    put_le32(mbi + MBI_MODS_COUNT, b->module_count);
    put_le32(mbi + MBI_MODS_ADDR, mods);
    at += (uint64_t)b->module_count * MOD_SIZE;
    put_le32(mbi + MBI_MMAP_ADDR, put_map(ram, &at, l->ram_size, &map_len));
    put_le32(mbi + MBI_MMAP_LENGTH, map_len);
    put_le32(mbi + MBI_BOOT_LOADER_NAME, put_string(ram, &at, loader_name, "", ""));
    /* Like other loaders: the kernel's own name comes first. */
    put_le32(mbi + MBI_CMDLINE, put_string(ram, &at, b->kernel.path, " ", b->append));
    for (unsigned i = 0; i < b->module_count; i++) {
        uint8_t *m = ram + mods + i * MOD_SIZE;
        memcpy(ram + mod_at[i], b->module[i].data, b->module[i].size);
        put_le32(m, mod_at[i]);
        put_le32(m + 4, (uint32_t)(mod_at[i] + b->module[i].size));
        put_le32(m + 8, put_string(ram, &at, b->module_args[i], "", ""));
    }
    out->eax = MB_HANDOVER;
    out->ebx = (uint32_t)(mbi - ram);
}

int load_multiboot(const struct boot_files *b, uint8_t *ram, uint64_t ram_size,
                   struct boot_entry *out, struct error *e)
{
    struct loading l = {.b = b, .ram = ram, .ram_size = ram_size, .e = e, .low = UINT64_MAX};
    uint32_t mod_at[MAX_MODULES];
    uint64_t info_at;
    int64_t hdr = find_header(&b->kernel);

    if (hdr < 0)
        return error_set(e, "the kernel '%s' has no multiboot header", b->kernel.path);
    uint32_t flags = get_le32(b->kernel.data + hdr + 4);
    uint32_t unknown = flags & MB_WANTS_MUST & ~(MB_PAGE_ALIGN | MB_MEMORY_INFO | MB_VIDEO_MODE);
    if (unknown)
        return error_set(
            e, "the kernel '%s' demands multiboot features that ring1 does not know (flags 0x%x)",
            b->kernel.path, unknown);
    if (load_pieces(&l, hdr, flags) || place(&l, mod_at, &info_at) || load_pieces(&l, hdr, flags))
        return -1;
    *out = (struct boot_entry){.eip = l.entry, .esp = INFO_LOW};
    put_info(&l, info_at, mod_at, out);
    return 0;
}
