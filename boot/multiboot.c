/* SPDX-License-Identifier: MIT */
/*
 * multiboot.c - 32-bit kernels with a multiboot 1 header: ELF files, and flat ones by the
 * header's address fields.
 *
 * Promises   Every length and offset of the file is checked against the file and against guest RAM
 *            before use.
 * Source     Multiboot Specification 0.6.96, sections 3.1-3.3 (field names are its own); System V
 *            ABI, "Object Files".
 *
 * The information block is put into low memory (INFO_LOW) where kernels rarely load themselves;
 * after the modules when this kernel does. Modules follow the kernel, page by page.
 */
#include "boot/boot_priv.h"
#include "include/ring1/mem.h"

#define MB_MAGIC       0x1badb002u
#define MB_HANDOVER    0x2badb002u
#define MB_SEARCH      8192u
#define MB_WANTS_MUST  0xffffu /* a loader which does not know one of these bits must refuse */
#define MB_PAGE_ALIGN  (1u << 0)
#define MB_MEMORY_INFO (1u << 1)
#define MB_VIDEO_MODE  (1u << 2) /* a wish; the screen is in text mode */
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
#define GDT_ROOM        32u
#define ELF_MAX_HEADERS 256u /* bounds the work that a crafted file can make */

static const char loader_name[] = "ring1";

struct loading {
    const struct boot *b;
    const struct boot_ram *ram;
    struct boot_error *e;
    bool placed;       /* first all pieces are only looked at, then they are written */
    uint64_t low, end; /* the kernel occupies [low, end) */
    uint32_t entry;
};

/* Offset of the header, or -1. */
static int64_t find_header(const struct boot_image *f)
{
    size_t end = f->size < MB_SEARCH ? f->size : MB_SEARCH;

    for (size_t i = 0; i + 12 <= end; i += 4)
        if (get_le32(f->bytes + i) == MB_MAGIC &&
            get_le32(f->bytes + i) + get_le32(f->bytes + i + 4) + get_le32(f->bytes + i + 8) == 0)
            return (int64_t)i;
    return -1;
}

bool boot_is_multiboot(const struct boot_image *f)
{
    return find_header(f) >= 0;
}

static void clear(const struct boot_ram *ram, uint64_t at, uint64_t len)
{
    if (ram->clear)
        ram->clear(ram->base + at, len);
    else
        memset(ram->base + at, 0, len);
}

/* Places one piece of the kernel: file_len bytes at file offset `off`, then zeros up to mem_len. */
static int put_piece(struct loading *l, uint64_t off, uint64_t file_len, uint64_t at,
                     uint64_t mem_len)
{
    const struct boot_image *f = &l->b->kernel;

    if (off > f->size || file_len > f->size - off)
        return boot_fail(l->e,
                         "the kernel '%s' is cut off: a part of it lies behind the end of the file",
                         f->name);
    if (file_len > mem_len)
        return boot_fail(
            l->e, "the kernel '%s' is broken: a segment is longer in the file than in memory",
            f->name);
    if (mem_len == 0)
        return 0;
    uint64_t end = at + mem_len;
    if (end > 0xe0000000u || end < at)
        return boot_fail(l->e, "the kernel '%s' wants to be loaded at 0x%llx, where no RAM can be",
                         f->name, (unsigned long long)at);
    if (at < HIGH_MEMORY && end > VGA_HOLE)
        return boot_fail(
            l->e,
            "the kernel '%s' wants to be loaded over the PC's video memory and firmware at "
            "0x%x-0x%x",
            f->name, VGA_HOLE, HIGH_MEMORY - 1);
    if (l->placed) {
        memcpy(l->ram->base + at, f->bytes + off, file_len);
        clear(l->ram, at + file_len, mem_len - file_len);
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
    const struct boot_image *f = &l->b->kernel;
    const uint8_t *h = f->bytes + hdr;

    if (f->size - hdr < 32)
        return boot_fail(l->e, "the kernel '%s' is cut off in its multiboot header", f->name);
    uint32_t header_addr = get_le32(h + 12), load_addr = get_le32(h + 16);
    uint32_t load_end = get_le32(h + 20), bss_end = get_le32(h + 24);
    if (load_addr > header_addr || header_addr - load_addr > hdr)
        return boot_fail(
            l->e, "the kernel '%s' is broken: its multiboot header gives impossible load addresses",
            f->name);
    uint64_t off = hdr - (header_addr - load_addr);
    uint64_t len = f->size - off;
    if (load_end) {
        if (load_end < load_addr)
            return boot_fail(
                l->e, "the kernel '%s' is broken: its multiboot header ends before it begins",
                f->name);
        len = load_end - load_addr;
    }
    uint64_t mem_len = bss_end > load_addr && bss_end - load_addr > len ? bss_end - load_addr : len;
    l->entry = get_le32(h + 28);
    return put_piece(l, off, len, load_addr, mem_len);
}

static int load_elf(struct loading *l)
{
    const struct boot_image *f = &l->b->kernel;
    const uint8_t *h = f->bytes;

    if (f->size < 52 || memcmp(h, "\177ELF", 4) != 0)
        return boot_fail(
            l->e,
            "the kernel '%s' has a multiboot header, but is no ELF file and gives no load "
            "addresses",
            f->name);
    if (h[4] == 2)
        return boot_fail(l->e, "the kernel '%s' is a 64-bit ELF file; ring1 runs 32-bit guests",
                         f->name);
    if (h[4] != 1 || h[5] != 1 || get_le16(h + 18) != 3)
        return boot_fail(l->e, "the kernel '%s' is an ELF file, but not for 32-bit x86", f->name);
    uint64_t phoff = get_le32(h + 28), entsize = get_le16(h + 42), count = get_le16(h + 44);
    if (count == 0 || count > ELF_MAX_HEADERS)
        return boot_fail(l->e, "the kernel '%s' is an ELF file with %s program headers", f->name,
                         count ? "too many" : "no");
    if (entsize < 32 || phoff > f->size || count * entsize > f->size - phoff)
        return boot_fail(l->e, "the kernel '%s' is cut off in its ELF program headers", f->name);
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
        return boot_fail(l->e, "the kernel '%s' has no segment to load", f->name);
    return 0;
}

/* Before l->placed is set: finds out what the kernel occupies; then: writes it. */
static int load_pieces(struct loading *l, int64_t hdr, uint32_t flags)
{
    return flags & MB_ADDRESSES ? load_flat(l, (uint64_t)hdr) : load_elf(l);
}

/* Bytes of the information block. */
static uint64_t info_size(const struct boot *b)
{
    uint64_t n = GDT_ROOM + MBI_SIZE + MAP_RANGES * MMAP_ENTRY + sizeof loader_name;

    n += boot_text_len(b->kernel.name) + 1 + boot_text_len(b->cmdline) + 1;
    for (unsigned i = 0; i < b->module_count; i++)
        n += MOD_SIZE + boot_text_len(b->module[i].name) + 1;
    return (n + 15) & ~15ull;
}

static int place(struct loading *l, uint32_t mod_at[BOOT_MODULES], uint64_t *info_at)
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
    if (at > l->ram->size)
        return boot_ram_too_small(l->e, l->ram->size, at,
                                  l->b->module_count ? "this kernel with its modules"
                                                     : "this kernel");
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
        memcpy(ram + *at, part[i], boot_text_len(part[i]));
        *at += boot_text_len(part[i]);
    }
    ram[(*at)++] = 0;
    return start;
}

static uint32_t put_map(uint8_t *ram, uint64_t *at, uint64_t ram_size, uint32_t *len)
{
    struct map_range map[MAP_RANGES];
    unsigned n = boot_memory_map(ram_size, map);
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

static void put_info(struct loading *l, uint64_t info_at, const uint32_t mod_at[BOOT_MODULES],
                     struct boot_entry *out)
{
    const struct boot *b = l->b;
    uint8_t *ram = l->ram->base, *mbi = ram + info_at + GDT_ROOM;
    uint64_t at = info_at + GDT_ROOM + MBI_SIZE;
    uint32_t map_len, mods = (uint32_t)at;

    memset(ram + info_at, 0, info_size(b));
    boot_put_gdt(ram, (uint32_t)info_at, 0x08, out);
    put_le32(mbi + MBI_FLAGS, MBI_HAS_ALL);
    put_le32(mbi + MBI_MEM_LOWER, EBDA_BASE >> 10);
    put_le32(mbi + MBI_MEM_UPPER, (uint32_t)((l->ram->size - HIGH_MEMORY) >> 10));
    put_le32(mbi + MBI_BOOT_DEVICE, 0x8000ffff); /* first hard disk, no partition */
    put_le32(mbi + MBI_MODS_COUNT, b->module_count);
    put_le32(mbi + MBI_MODS_ADDR, mods);
    at += (uint64_t)b->module_count * MOD_SIZE;
    put_le32(mbi + MBI_MMAP_ADDR, put_map(ram, &at, l->ram->size, &map_len));
    put_le32(mbi + MBI_MMAP_LENGTH, map_len);
    put_le32(mbi + MBI_BOOT_LOADER_NAME, put_string(ram, &at, loader_name, "", ""));
    /* Like other loaders: the kernel's own name comes first. */
    put_le32(mbi + MBI_CMDLINE, put_string(ram, &at, b->kernel.name, " ", b->cmdline));
    for (unsigned i = 0; i < b->module_count; i++) {
        uint8_t *m = ram + mods + i * MOD_SIZE;
        memcpy(ram + mod_at[i], b->module[i].bytes, b->module[i].size);
        put_le32(m, mod_at[i]);
        put_le32(m + 4, (uint32_t)(mod_at[i] + b->module[i].size));
        put_le32(m + 8, put_string(ram, &at, b->module[i].name, "", ""));
    }
    out->eax = MB_HANDOVER;
    out->ebx = (uint32_t)(mbi - ram);
}

int boot_load_multiboot(const struct boot *b, const struct boot_ram *ram, struct boot_entry *out,
                        struct boot_error *e)
{
    struct loading l = {.b = b, .ram = ram, .e = e, .low = UINT64_MAX};
    uint32_t mod_at[BOOT_MODULES];
    uint64_t info_at;
    int64_t hdr = find_header(&b->kernel);

    if (hdr < 0)
        return boot_fail(e, "the kernel '%s' has no multiboot header", b->kernel.name);
    uint32_t flags = get_le32(b->kernel.bytes + hdr + 4);
    uint32_t unknown = flags & MB_WANTS_MUST & ~(MB_PAGE_ALIGN | MB_MEMORY_INFO | MB_VIDEO_MODE);
    if (unknown)
        return boot_fail(
            e, "the kernel '%s' demands multiboot features that ring1 does not know (flags 0x%x)",
            b->kernel.name, unknown);
    if (load_pieces(&l, hdr, flags) || place(&l, mod_at, &info_at) || load_pieces(&l, hdr, flags))
        return -1;
    *out = (struct boot_entry){.eip = l.entry, .esp = INFO_LOW};
    put_info(&l, info_at, mod_at, out);
    return 0;
}
