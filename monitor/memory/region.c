/* SPDX-License-Identifier: MIT */
/* region.c - see region.h. */
#include "monitor/memory/region.h"

#include "monitor/cpu/listener.h"
#include "monitor/memory/dirty.h"
#include "monitor/memory/page.h"

#define REGION_END (1ull << 32)

struct region *region_at(const struct vm *vm, gpa_t gpa)
{
    for (unsigned n = 0; n < vm->region_count; n++) {
        struct region *r = vm->region[n];

        if (r->base != REGION_NOWHERE && gpa - r->base < r->size)
            return r;
    }
    return NULL;
}

uint8_t *region_entry(const struct vm *vm, gpa_t gpa)
{
    if (gpa < vm->ram_size)
        return &vm->page[gpa >> GUEST_PAGE_SHIFT];
    const struct region *r = region_at(vm, gpa);

    return r ? &r->page[(gpa - r->base) >> GUEST_PAGE_SHIFT] : NULL;
}

uint8_t *region_host(const struct vm *vm, gpa_t gpa)
{
    const struct region *r = region_at(vm, gpa);

    return r ? r->host + (gpa - r->base) : NULL;
}

/* ---- views ---- */

static struct region *memory_of(struct region *r)
{
    return r->of ? r->of : r;
}

/* Is the region that lies at this page seen there? */
static bool is_seen(const struct vm *vm, gpa_t page)
{
    uint8_t kind = *region_entry(vm, page);

    return !(kind & PAGE_MMIO) && (page >= vm->ram_size || (kind & PAGE_OVER));
}

/* Adds to at[0..count) where byte `off` of *of is seen, except at `not`. */
static unsigned add_views(const struct vm *vm, const struct region *of, uint64_t off, gpa_t not,
                          gpa_t *at, unsigned count)
{
    for (unsigned n = 0; n < vm->region_count; n++) {
        struct region *r = vm->region[n];
        gpa_t page = r->base + off - r->off;

        if (memory_of(r) == of && r->base != REGION_NOWHERE && off - r->off < r->size &&
            page != not &&is_seen(vm, page))
            at[count++] = page;
    }
    return count;
}

unsigned region_views(const struct vm *vm, gpa_t page, gpa_t at[VM_REGIONS + 1])
{
    struct region *r = vm->region_views ? region_at(vm, page) : NULL;

    at[0] = page;
    if (!r || !is_seen(vm, page))
        return 1;
    return add_views(vm, memory_of(r), page - r->base + r->off, page, at, 1);
}

uint8_t region_marks(const struct vm *vm, gpa_t page)
{
    gpa_t at[VM_REGIONS + 1];
    uint8_t marks = 0;

    for (unsigned n = region_views(vm, page, at); n-- > 1;)
        marks |= *region_entry(vm, at[n]) & PAGE_MARKS;
    return marks;
}

/* ---- where they lie ---- */

int vm_region_add(struct vm *vm, struct region *r)
{
    if (vm->region_count == VM_REGIONS || !r->size || (r->size & GUEST_PAGE_MASK) ||
        r->size > REGION_END)
        return -1;
    r->vm = vm;
    r->base = REGION_NOWHERE;
    vm->region[vm->region_count++] = r;
    return 0;
}

/* The memory of a view begins at byte `off`. */
static void look_at(struct region *r, uint64_t off)
{
    r->off = off;
    r->host = r->of->host + off;
    r->at = r->of->at + off;
}

int vm_region_view(struct vm *vm, struct region *r, struct region *of)
{
    if (of->of || r->size > of->size || vm_region_add(vm, r))
        return -1;
    r->of = of;
    r->kind = of->kind;
    r->bus_writes = of->bus_writes;
    look_at(r, 0);
    vm->region_views = true;
    return 0;
}

static bool fits(const struct vm *vm, const struct region *r, gpa_t base)
{
    if ((base & GUEST_PAGE_MASK) || base > REGION_END - r->size ||
        (r->yields && base < vm->ram_size))
        return false;
    for (unsigned n = 0; n < vm->region_count; n++) {
        const struct region *o = vm->region[n];

        if (o != r && o->base != REGION_NOWHERE && base < o->base + o->size &&
            o->base < base + r->size)
            return false;
    }
    return true;
}

static bool is_clean(const struct region *r, uint64_t n)
{
    return !(r->dirty[n / 64] >> (n % 64) & 1);
}

static void log_all(struct region *r)
{
    for (uint64_t n = 0; r->dirty && n < r->size >> GUEST_PAGE_SHIFT; n++)
        r->dirty[n / 64] |= 1ull << (n % 64);
}

/* Its pages' entries are `above` at vm.ram_size and above, and else `below`. */
static void set_entries(struct vm *vm, const struct region *r, uint8_t above, uint8_t below)
{
    for (gpa_t page = r->base; page < r->base + r->size; page += GUEST_PAGE_SIZE)
        page_set_own_kind(vm, page, page < vm->ram_size ? below : above);
}

/* The marks that its memory has: those at other addresses, or what its log waits for. */
static void set_marks(struct vm *vm, struct region *r)
{
    const struct region *of = memory_of(r);

    for (gpa_t page = r->base; page < r->base + r->size; page += GUEST_PAGE_SIZE) {
        uint64_t n = (page - r->base + r->off) >> GUEST_PAGE_SHIFT;
        uint8_t marks = region_marks(vm, page);

        if (of->dirty && is_clean(of, n) && r->kind != REGION_ROM)
            marks |= PAGE_LOGGED;
        if (marks && is_seen(vm, page))
            *region_entry(vm, page) |= marks;
    }
}

/* What was made from its pages is stale; a view's memory is as it was. */
static void forget(struct vm *vm, const struct region *r)
{
    if (!r->of)
        vm_ram_written(vm, r->base, r->size);
    for (gpa_t page = r->base; r->of && page < r->base + r->size; page += GUEST_PAGE_SIZE)
        page_gone(vm, page);
}

static void remove_region(struct vm *vm, struct region *r)
{
    gpa_t old = r->base;

    if (old == REGION_NOWHERE)
        return;
    forget(vm, r);
    set_entries(vm, r, PAGE_MMIO, r->device_below ? PAGE_MMIO : PAGE_RAM);
    r->base = REGION_NOWHERE;
    mmu_memory_changed(vm, old, r->size);
}

static int place(struct vm *vm, struct region *r, gpa_t base)
{
    uint8_t kind = r->kind == REGION_ROM ? PAGE_ROM : PAGE_RAM;

    if (base == REGION_NOWHERE)
        return 0;
    if (!fits(vm, r, base))
        return -1;
    vm_ram_written(vm, base, r->size); /* RAM below it */
    r->base = base;
    set_entries(vm, r, kind, kind | PAGE_OVER);
    set_marks(vm, r);
    mmu_memory_changed(vm, base, r->size);
    return 0;
}

int vm_region_place(struct vm *vm, struct region *r, gpa_t base)
{
    if (base == r->base)
        return 0;
    remove_region(vm, r);
    if (!r->of)
        log_all(r);
    return place(vm, r, base);
}

int vm_region_show(struct vm *vm, struct region *r, gpa_t base, uint64_t off)
{
    if (base == r->base && off == r->off)
        return 0;
    remove_region(vm, r);
    if ((off & GUEST_PAGE_MASK) || off > r->of->size - r->size)
        return -1;
    look_at(r, off);
    return place(vm, r, base);
}

/* ---- the log ---- */

/* An address of its page n; false: it is seen at none. */
static bool find_page(const struct vm *vm, const struct region *r, uint64_t n, gpa_t *page)
{
    gpa_t at[VM_REGIONS];

    if (!add_views(vm, r, n << GUEST_PAGE_SHIFT, REGION_NOWHERE, at, 0))
        return false;
    *page = at[0];
    return true;
}

/* Watches the pages whose bits are not set. */
static void watch(struct vm *vm, const struct region *r)
{
    gpa_t page;

    for (uint64_t n = 0; n < r->size >> GUEST_PAGE_SHIFT; n++)
        if (is_clean(r, n) && find_page(vm, r, n, &page) &&
            !(*region_entry(vm, page) & (PAGE_ROM | PAGE_LOGGED)))
            page_mark(vm, page, PAGE_LOGGED);
}

void region_log_start(struct vm *vm, struct region *r, uint64_t *bitmap)
{
    r->dirty = bitmap;
    dirty_log_listen(vm);
    log_all(r);
}

void region_log_stop(struct vm *vm, struct region *r)
{
    gpa_t page;

    for (uint64_t n = 0; n < r->size >> GUEST_PAGE_SHIFT; n++)
        if (find_page(vm, r, n, &page))
            page_unmark(vm, page, PAGE_LOGGED);
    r->dirty = NULL;
}

unsigned region_log_collect(struct vm *vm, struct region *r, uint64_t *out)
{
    unsigned count = 0;

    for (size_t n = 0; n < region_log_words(r); n++) {
        out[n] = r->dirty[n];
        r->dirty[n] = 0;
        for (uint64_t bits = out[n]; bits; bits &= bits - 1)
            count++;
    }
    if (count)
        watch(vm, r);
    return count;
}

void region_written(struct vm *vm, struct region *r, uint64_t off, uint64_t len)
{
    gpa_t page;

    while (len) {
        uint64_t n = off >> GUEST_PAGE_SHIFT, in = off & GUEST_PAGE_MASK;
        uint64_t part = GUEST_PAGE_SIZE - in < len ? GUEST_PAGE_SIZE - in : len;

        if (find_page(vm, r, n, &page) && (*region_entry(vm, page) & PAGE_MARKS))
            page_written(vm, page, (unsigned)in, (unsigned)(in + part - 1), false);
        if (r->dirty)
            r->dirty[n / 64] |= 1ull << (n % 64);
        off += part;
        len -= part;
    }
}
