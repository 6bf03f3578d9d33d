/* SPDX-License-Identifier: MIT */
/* pages.c - see pages.h. */
#include "host/metal/nucleus/pages.h"

#include "host/metal/nucleus/frames.h"
#include "host/metal/nucleus/image.h"
#include "host/metal/nucleus/insn.h"
#include "include/ring1/mem.h"

#define ENOMEM 12

/* SDM vol. 3A, tables 4-15 to 4-20. */
#define E_PRESENT 0x1ull
#define E_WRITE   0x2ull
#define E_USER    0x4ull
#define E_PCD     0x10ull
#define E_BIG     0x80ull
#define E_OWNED   0x200ull /* ignored by the CPU */
#define E_NX      (1ull << 63)
#define E_FRAME   0x000ffffffffff000ull
#define ENTRIES   512u

/* More pages than these: all of the TLB is dropped at once. */
#define FLUSH_SINGLE 32u

/* Page directories in here are never freed: see pages_pin(). */
#define PINNED_SPACE (1ull << 44)
#define WINDOW_SIZE  (1ull << 32)
#define ROOT_ENTRY   (1ull << 39) /* bytes that one entry of the root maps */

static uint64_t *root;
static uint64_t *low_table; /* the PDPT of the lower half */
static uint64_t low_window; /* what is seen there too; 0: nothing */

static uint64_t bits_of(unsigned rights)
{
    return E_PRESENT | (rights & PAGES_WRITE ? E_WRITE : 0) | (rights & PAGES_USER ? E_USER : 0) |
           (rights & PAGES_UNCACHED ? E_PCD : 0) | (rights & PAGES_OWNED ? E_OWNED : 0) |
           (rights & PAGES_EXEC ? 0 : E_NX);
}

static unsigned index_at(uint64_t va, unsigned level)
{
    return (unsigned)(va >> (12 + 9 * level)) & (ENTRIES - 1);
}

static uint64_t *table_of(uint64_t entry)
{
    return frame_at(entry & E_FRAME);
}

/* A 2-MiB page becomes 512 small ones of the same rights. */
static bool split(uint64_t *e)
{
    uint64_t pa = frame_new(), *t = frame_at(pa);

    if (pa == NO_FRAME)
        return false;
    for (unsigned n = 0; n < ENTRIES; n++)
        t[n] = (*e & ~E_BIG) + n * FRAME;
    *e = pa | E_PRESENT | E_WRITE | E_USER;
    return true;
}

/* The entry for va at `level` (0: 4 KiB, 1: 2 MiB). Missing tables are made if `make`; NULL when
 * there are none, or no memory. A bigger page on the way is split. */
static uint64_t *entry_of(uint64_t va, unsigned level, bool make)
{
    uint64_t *t = root;

    for (unsigned l = 3; l > level; l--) {
        uint64_t *e = &t[index_at(va, l)];
        if (!(*e & E_PRESENT)) {
            uint64_t pa = make ? frame_new() : NO_FRAME;
            if (pa == NO_FRAME)
                return NULL;
            *e = pa | E_PRESENT | E_WRITE | E_USER; /* the last level decides */
        } else if ((*e & E_BIG) && !split(e)) {
            return NULL;
        }
        t = table_of(*e);
    }
    return &t[index_at(va, level)];
}

static void forget(uint64_t va, uint64_t len)
{
    if (len / FRAME > FLUSH_SINGLE) {
        write_cr3(read_cr3());
        return;
    }
    for (uint64_t at = va; at < va + len; at += FRAME) {
        invlpg(at);
        if (low_window && at - low_window < WINDOW_SIZE)
            invlpg(at - low_window);
    }
}

/* Drops a table and what its entries own. */
static void free_table(uint64_t *t, unsigned level)
{
    for (unsigned n = 0; n < ENTRIES; n++) {
        if (!(t[n] & E_PRESENT))
            continue;
        if (level && !(t[n] & E_BIG))
            free_table(table_of(t[n]), level - 1);
        else if (t[n] & E_OWNED)
            frame_free(t[n] & E_FRAME);
    }
    frame_free((uint64_t)t - DIRECT_BASE);
}

static void clear_entry(uint64_t *e, unsigned level)
{
    uint64_t old = *e;

    *e = 0;
    if (!(old & E_PRESENT))
        return;
    if (level && !(old & E_BIG))
        free_table(table_of(old), level - 1);
    else if (old & E_OWNED)
        frame_free(old & E_FRAME);
}

/* Bytes from va to the end of its entry at `level`, at most len. */
static uint64_t step_of(uint64_t va, uint64_t len, unsigned level)
{
    uint64_t size = FRAME << (9 * level), left = size - (va & (size - 1));

    return left < len ? left : len;
}

/* Clears [va, va + len) of a table at `level`. */
static void unmap_in(uint64_t *t, unsigned level, uint64_t va, uint64_t len)
{
    while (len) {
        uint64_t *e = &t[index_at(va, level)], step = step_of(va, len, level);
        if (*e & E_PRESENT) {
            if (step == FRAME << (9 * level) && !(level == 2 && va - WINDOW_BASE < PINNED_SPACE))
                clear_entry(e, level);
            else if (!(*e & E_BIG) || split(e))
                unmap_in(table_of(*e), level - 1, va, step);
            else /* no memory to keep the rest: a mapping may always be missing */
                *e = 0;
        }
        va += step;
        len -= step;
    }
}

void pages_unmap(uint64_t va, uint64_t len)
{
    unmap_in(root, 3, va, len);
    forget(va, len);
}

void pages_forget(void)
{
    low_window = 0;
    memset(low_table, 0, FRAME);
    pages_unmap(HEAP_BASE, (IMAGE_BASE & ~(ROOT_ENTRY - 1)) - HEAP_BASE);
}

int pages_map(uint64_t va, uint64_t pa, uint64_t len, unsigned rights)
{
    uint64_t start = va, total = len;

    while (len) {
        unsigned big = !((va | pa) & (BIG_FRAME - 1)) && len >= BIG_FRAME;
        uint64_t step = big ? BIG_FRAME : FRAME, *e = entry_of(va, big, true);
        if (!e) {
            pages_unmap(start, total);
            return -ENOMEM;
        }
        clear_entry(e, big);
        *e = pa | bits_of(rights) | (big ? E_BIG : 0);
        va += step;
        pa += step;
        len -= step;
    }
    forget(start, total);
    return 0;
}

static int protect_in(uint64_t *t, unsigned level, uint64_t va, uint64_t len, uint64_t bits)
{
    int err = 0;

    while (len && !err) {
        uint64_t *e = &t[index_at(va, level)], step = step_of(va, len, level);
        bool leaf = !level || (*e & E_BIG), whole = step == FRAME << (9 * level);
        if (*e & E_PRESENT) {
            if (leaf && whole)
                *e = (*e & (E_FRAME | E_BIG | E_OWNED | E_PCD)) | bits;
            else if (leaf && !split(e))
                err = -ENOMEM;
            else
                err = protect_in(table_of(*e), level - 1, va, step, bits);
        }
        va += step;
        len -= step;
    }
    return err;
}

int pages_protect(uint64_t va, uint64_t len, unsigned rights)
{
    int err = protect_in(root, 3, va, len, bits_of(rights & ~(unsigned)PAGES_OWNED));

    forget(va, len);
    return err;
}

uint64_t pages_lookup(uint64_t va)
{
    uint64_t *t = root;

    for (unsigned l = 3;; l--) {
        uint64_t e = t[index_at(va, l)], inside = (FRAME << (9 * l)) - 1;
        if (!(e & E_PRESENT))
            return NO_FRAME;
        if (!l || (e & E_BIG))
            return ((e & E_FRAME) & ~inside) | (va & inside);
        t = table_of(e);
    }
}

int pages_pin(uint64_t window)
{
    for (unsigned n = 0; n < 4; n++)
        if (!entry_of(window + ((uint64_t)n << 30), 1, true))
            return -ENOMEM;
    return 0;
}

void pages_low(uint64_t window)
{
    if (low_window == window)
        return;
    low_window = window;
    for (unsigned n = 0; n < 4; n++)
        low_table[n] = *entry_of(window + ((uint64_t)n << 30), 2, false);
    write_cr3(read_cr3());
}

bool pages_init(void)
{
    const struct {
        const uint8_t *from, *to;
        unsigned rights;
    } parts[] = {{image_start, image_text_end, PAGES_EXEC},
                 {image_text_end, image_rodata_end, 0},
                 {image_rodata_end, image_end, PAGES_WRITE}};
    uint64_t top = frames_top(), pa = frame_new();

    if (pa == NO_FRAME)
        return false;
    root = frame_at(pa);
    uint64_t low = frame_new();
    if (low == NO_FRAME)
        return false;
    low_table = frame_at(low);
    root[0] = low | E_PRESENT | E_WRITE | E_USER;
    if (top < 1ull << 32)
        top = 1ull << 32; /* devices have their registers below */
    if (pages_map(DIRECT_BASE, 0, (top + BIG_FRAME - 1) & ~(BIG_FRAME - 1), PAGES_WRITE))
        return false;
    for (unsigned n = 0; n < ARRAY_LEN(parts); n++)
        if (pages_map((uint64_t)parts[n].from, (uint64_t)parts[n].from - IMAGE_BASE,
                      (uint64_t)(parts[n].to - parts[n].from), parts[n].rights))
            return false;
    write_cr3(pa);
    return true;
}
