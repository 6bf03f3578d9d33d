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

static bool fits(const struct vm *vm, const struct region *r, gpa_t base)
{
    if ((base & GUEST_PAGE_MASK) || base > REGION_END - r->size)
        return false;
    for (unsigned n = 0; n < vm->region_count; n++) {
        const struct region *o = vm->region[n];

        if (o != r && o->base != REGION_NOWHERE && base < o->base + o->size &&
            o->base < base + r->size)
            return false;
    }
    return true;
}

/* What is made from these pages is stale, then the entries are `kind`. */
static void set_entries(struct vm *vm, const struct region *r, uint8_t above, uint8_t below)
{
    vm_ram_written(vm, r->base, r->size);
    for (gpa_t page = r->base; page < r->base + r->size; page += GUEST_PAGE_SIZE)
        page_set_own_kind(vm, page, page < vm->ram_size ? below : above);
}

static void log_all(struct region *r)
{
    for (uint64_t n = 0; r->dirty && n < r->size >> GUEST_PAGE_SHIFT; n++)
        r->dirty[n / 64] |= 1ull << (n % 64);
}

int vm_region_place(struct vm *vm, struct region *r, gpa_t base)
{
    uint8_t kind = r->kind == REGION_ROM ? PAGE_ROM : PAGE_RAM;
    gpa_t old = r->base;

    if (base == old)
        return 0;
    if (old != REGION_NOWHERE) {
        set_entries(vm, r, PAGE_MMIO, PAGE_RAM);
        r->base = REGION_NOWHERE;
        mmu_memory_changed(vm, old, r->size);
    }
    log_all(r);
    if (base == REGION_NOWHERE)
        return 0;
    if (!fits(vm, r, base))
        return -1;
    vm_ram_written(vm, base, r->size); /* RAM below it */
    r->base = base;
    set_entries(vm, r, kind, kind | PAGE_OVER);
    mmu_memory_changed(vm, base, r->size);
    return 0;
}

/* ---- the log ---- */

static bool is_clean(const struct region *r, uint64_t n)
{
    return !(r->dirty[n / 64] >> (n % 64) & 1);
}

/* Watches the pages whose bits are not set. */
static void watch(struct vm *vm, const struct region *r)
{
    for (uint64_t n = 0; r->base != REGION_NOWHERE && n < r->size >> GUEST_PAGE_SHIFT; n++) {
        const uint8_t *e = region_entry(vm, r->base + (n << GUEST_PAGE_SHIFT));

        if (is_clean(r, n) && !(*e & (PAGE_MMIO | PAGE_ROM | PAGE_LOGGED)))
            page_mark(vm, r->base + (n << GUEST_PAGE_SHIFT), PAGE_LOGGED);
    }
}

void region_log_start(struct vm *vm, struct region *r, uint64_t *bitmap)
{
    r->dirty = bitmap;
    dirty_log_listen(vm);
    log_all(r);
}

void region_log_stop(struct vm *vm, struct region *r)
{
    for (uint64_t off = 0; r->base != REGION_NOWHERE && off < r->size; off += GUEST_PAGE_SIZE)
        page_unmark(vm, r->base + off, PAGE_LOGGED);
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
    if (!len)
        return;
    if (r->base != REGION_NOWHERE)
        vm_ram_written(vm, r->base + off, len);
    for (uint64_t n = off >> GUEST_PAGE_SHIFT; r->dirty && n <= (off + len - 1) >> GUEST_PAGE_SHIFT;
         n++)
        r->dirty[n / 64] |= 1ull << (n % 64);
}
