/* SPDX-License-Identifier: MIT */
/* bootinfo.c - see bootinfo.h. */
#include "host/metal/nucleus/bootinfo.h"

#include "host/metal/nucleus/layout.h"
#include "include/ring1/bytes.h"
#include "include/ring1/mem.h"

#define MB1_LOADER 0x2badb002u
#define MB2_LOADER 0x36d76289u

/* Multiboot 1: offsets and flags of the information structure. */
#define MB1_HAS_CMDLINE (1u << 2)
#define MB1_HAS_MODULES (1u << 3)
#define MB1_HAS_MAP     (1u << 6)
#define MB1_CMDLINE     16
#define MB1_MODS_COUNT  20
#define MB1_MODS_ADDR   24
#define MB1_MAP_LENGTH  44
#define MB1_MAP_ADDR    48
#define MB1_MOD_SIZE    16

/* Multiboot 2: tag types. */
#define MB2_END     0u
#define MB2_CMDLINE 1u
#define MB2_MODULE  3u
#define MB2_MAP     6u

#define MAP_USABLE 1u

static const uint8_t *phys(uint32_t pa)
{
    return (const uint8_t *)(DIRECT_BASE + pa);
}

static void copy_text(char *to, size_t size, const uint8_t *from)
{
    size_t n = 0;

    for (; n + 1 < size && from[n]; n++)
        to[n] = (char)from[n];
    to[n] = 0;
}

static void add_range(struct bootinfo *b, uint64_t base, uint64_t size, uint32_t type)
{
    if (type != MAP_USABLE || !size)
        return;
    if (b->usable_count == BOOTINFO_RANGES)
        b->dropped++;
    else
        b->usable[b->usable_count++] = (struct range){base, size};
}

static void add_module(struct bootinfo *b, uint32_t start, uint32_t end, const uint8_t *text)
{
    struct module *m = &b->module[b->module_count];

    if (b->module_count == BOOTINFO_MODULES || end < start) {
        b->dropped++;
        return;
    }
    b->module_count++;
    m->bytes = (struct range){start, end - start};
    copy_text(m->cmdline, sizeof m->cmdline, text);
}

static void read_mb1(struct bootinfo *b, const uint8_t *info)
{
    uint32_t flags = get_le32(info);

    if (flags & MB1_HAS_CMDLINE)
        copy_text(b->cmdline, sizeof b->cmdline, phys(get_le32(info + MB1_CMDLINE)));
    if (flags & MB1_HAS_MODULES)
        for (uint32_t n = 0; n < get_le32(info + MB1_MODS_COUNT); n++) {
            const uint8_t *m = phys(get_le32(info + MB1_MODS_ADDR) + n * MB1_MOD_SIZE);
            add_module(b, get_le32(m), get_le32(m + 4), phys(get_le32(m + 8)));
        }
    if (!(flags & MB1_HAS_MAP))
        return;
    uint32_t at = get_le32(info + MB1_MAP_ADDR), end = at + get_le32(info + MB1_MAP_LENGTH);
    while (at < end) { /* the size field does not count itself */
        const uint8_t *e = phys(at);
        add_range(b, get_le64(e + 4), get_le64(e + 12), get_le32(e + 20));
        at += get_le32(e) + 4;
    }
}

static void read_map(struct bootinfo *b, const uint8_t *tag, uint32_t size)
{
    uint32_t entry = get_le32(tag + 8);

    for (uint32_t at = 16; entry >= 24 && at + entry <= size; at += entry)
        add_range(b, get_le64(tag + at), get_le64(tag + at + 8), get_le32(tag + at + 16));
}

static void read_mb2(struct bootinfo *b, const uint8_t *info)
{
    uint32_t total = get_le32(info), at = 8;

    while (at + 8 <= total) {
        const uint8_t *tag = info + at;
        uint32_t type = get_le32(tag), size = get_le32(tag + 4);
        if (type == MB2_END || size < 8)
            return;
        if (type == MB2_CMDLINE)
            copy_text(b->cmdline, sizeof b->cmdline, tag + 8);
        else if (type == MB2_MODULE)
            add_module(b, get_le32(tag + 8), get_le32(tag + 12), tag + 16);
        else if (type == MB2_MAP)
            read_map(b, tag, size);
        at += (size + 7) & ~7u;
    }
}

bool bootinfo_read(struct bootinfo *out, uint32_t magic, uint32_t info)
{
    memset(out, 0, sizeof *out);
    if (magic == MB1_LOADER)
        read_mb1(out, phys(info));
    else if (magic == MB2_LOADER)
        read_mb2(out, phys(info));
    else
        return false;
    return true;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n';
}

bool bootinfo_option(const char *cmdline, const char *name, char *out, size_t size)
{
    for (const char *p = cmdline; *p;) {
        while (is_space(*p))
            p++;
        const char *n = name;
        const char *word = p;
        while (*n && *word == *n)
            word++, n++;
        if (!*n && *word == '=') {
            size_t len = 0;
            for (word++; *word && !is_space(*word) && len + 1 < size; word++)
                out[len++] = *word;
            out[len] = 0;
            return true;
        }
        while (*p && !is_space(*p))
            p++;
    }
    return false;
}
