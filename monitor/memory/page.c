/* SPDX-License-Identifier: MIT */
/* page.c - see page.h and vm.h: RAM by physical address. */
#include "monitor/memory/page.h"

#include "monitor/cpu/listener.h"
#include "monitor/memory/dirty.h"
#include "monitor/memory/phys.h"
#include "monitor/memory/region.h"

#define MEMORY_END (1ull << 32) /* no memory lies above */

void page_watch(struct vm *vm, const struct page_watcher *w, void *self)
{
    for (unsigned n = 0; n < vm->watcher_count; n++)
        if (vm->watcher[n].ops == w && vm->watcher[n].self == self)
            return;
    VMM_CHECK(vm->watcher_count < ARRAY_LEN(vm->watcher));
    vm->watcher[vm->watcher_count].ops = w;
    vm->watcher[vm->watcher_count++].self = self;
}

static void mark_at(struct vm *vm, gpa_t page, uint8_t mark)
{
    uint8_t *kind = region_entry(vm, page);

    if (!(*kind & mark)) {
        *kind |= mark;
        mmu_flush_gpa(vm, page);
    }
    for (unsigned n = 0; n < vm->watcher_count; n++)
        if (vm->watcher[n].ops->marked)
            vm->watcher[n].ops->marked(vm->watcher[n].self, page);
}

void page_mark(struct vm *vm, gpa_t page, uint8_t mark)
{
    gpa_t at[VM_REGIONS + 1];

    if (!region_entry(vm, page))
        return;
    for (unsigned n = region_views(vm, page, at); n--;)
        mark_at(vm, at[n], mark);
}

static bool is_held(const struct vm *vm, gpa_t page, uint8_t mark)
{
    for (unsigned n = 0; n < vm->watcher_count; n++) {
        const struct page_watcher *w = vm->watcher[n].ops;

        if (w->mark == mark && w->holds && w->holds(vm->watcher[n].self, page))
            return true;
    }
    return false;
}

void page_unmark(struct vm *vm, gpa_t page, uint8_t mark)
{
    gpa_t at[VM_REGIONS + 1];

    if (!region_entry(vm, page))
        return;
    unsigned count = region_views(vm, page, at);
    for (unsigned n = 0; n < count; n++)
        if (is_held(vm, at[n], mark))
            return;
    for (unsigned n = 0; n < count; n++)
        *region_entry(vm, at[n]) &= (uint8_t)~mark;
}

static void tell(struct vm *vm, gpa_t page, uint8_t marks, unsigned first, unsigned last, bool same)
{
    for (unsigned n = 0; n < vm->watcher_count; n++) {
        const struct page_watcher *w = vm->watcher[n].ops;

        if ((marks & w->mark) && (!same || w->same_too))
            w->written(vm->watcher[n].self, page, first, last);
    }
}

void page_written(struct vm *vm, gpa_t page, unsigned first, unsigned last, bool same)
{
    uint8_t marks = *region_entry(vm, page); /* of all addresses, until somebody takes one away */
    gpa_t at[VM_REGIONS + 1];

    for (unsigned n = region_views(vm, page, at); n--;)
        tell(vm, at[n], marks, first, last, same);
}

void page_gone(struct vm *vm, gpa_t page)
{
    const uint8_t *kind = region_entry(vm, page);

    if (kind)
        tell(vm, page, *kind & (uint8_t)~PAGE_LOGGED, 0, GUEST_PAGE_SIZE - 1, false);
}

void page_code_bits(const struct vm *vm, gpa_t page, uint8_t *bits)
{
    gpa_t at[VM_REGIONS + 1];
    unsigned count = region_views(vm, page, at);

    for (unsigned n = 0; n < vm->watcher_count; n++) {
        const struct page_watcher *w = vm->watcher[n].ops;

        for (unsigned i = 0; w->code_bits && i < count; i++)
            w->code_bits(vm->watcher[n].self, at[i], bits);
    }
}

uint8_t *vm_ram_ptr(struct vm *vm, gpa_t gpa, uint64_t len)
{
    if ((gpa & GUEST_PAGE_MASK) + len > GUEST_PAGE_SIZE || (phys_kind(vm, gpa) & PAGE_MMIO))
        return NULL;
    return phys_host(vm, gpa);
}

void vm_ram_written(struct vm *vm, gpa_t gpa, uint64_t len)
{
    gpa_t end = len > MEMORY_END || gpa > MEMORY_END - len ? MEMORY_END : gpa + len;

    while (gpa < end) {
        gpa_t page = gpa & ~(gpa_t)GUEST_PAGE_MASK;
        gpa_t stop = page + GUEST_PAGE_SIZE < end ? page + GUEST_PAGE_SIZE : end;

        if (region_entry(vm, page))
            page_written(vm, page, (unsigned)(gpa - page), (unsigned)(stop - 1 - page), false);
        gpa = stop;
    }
}

static uint8_t own_kind(uint8_t kind)
{
    return kind & (uint8_t)~PAGE_MARKS;
}

static void set_kind(struct vm *vm, gpa_t page, uint8_t kind)
{
    uint8_t *k = region_entry(vm, page);

    if (!k || own_kind(*k) == kind)
        return;
    bool other = (*k ^ kind) & PAGE_OVER;
    vm_ram_written(vm, page, GUEST_PAGE_SIZE);
    *k = kind;
    *k |= region_marks(vm, page);
    for (unsigned c = 0; c < vm->cpu_count; c++)
        vm->cpu[c]->stats.costly_events++;
    if (other) /* other memory is seen there */
        mmu_memory_changed(vm, page, GUEST_PAGE_SIZE);
    else
        mmu_flush_gpa(vm, page);
}

void vm_set_page_kind(struct vm *vm, gpa_t gpa, uint64_t len, uint8_t kind)
{
    for (gpa_t p = gpa & ~(gpa_t)GUEST_PAGE_MASK; p < gpa + len && p < vm->ram_size;
         p += GUEST_PAGE_SIZE) {
        uint8_t own = kind;

        if ((kind & PAGE_OVER) && !region_at(vm, p))
            own = kind & (uint8_t) ~(PAGE_OVER | PAGE_UNDER);
        if (vm->cover == (p | VM_COVERED))
            vm->cover_kind = own;
        else
            set_kind(vm, p, own);
    }
}

void page_set_own_kind(struct vm *vm, gpa_t page, uint8_t kind)
{
    uint8_t *k = region_entry(vm, page);

    if (vm->cover == (page | VM_COVERED))
        vm->cover_kind = kind;
    else if (k)
        *k = kind;
}

/* The dirty log does not watch devices, so it has not seen whether the page changed. */
static void uncover(struct vm *vm)
{
    gpa_t page = vm->cover & ~(gpa_t)GUEST_PAGE_MASK;

    vm->cover = 0;
    set_kind(vm, page, vm->cover_kind);
    dirty_log_note(vm, page);
}

void vm_cover_page(struct vm *vm, gpa_t gpa)
{
    gpa_t page = gpa & ~(gpa_t)GUEST_PAGE_MASK;
    gpa_t cover = gpa < MEMORY_END ? page | VM_COVERED : 0;

    if (cover == vm->cover)
        return;
    if (vm->cover)
        uncover(vm);
    if (!cover)
        return;
    vm->cover_kind = own_kind(phys_kind(vm, page));
    set_kind(vm, page, PAGE_MMIO);
    vm->cover = cover;
}

void vm_set_a20(struct vm *vm, bool enabled)
{
    if (vm->a20 == enabled)
        return;
    vm->a20 = enabled;
    for (unsigned i = 0; i < vm->cpu_count; i++) {
        mmu_flush_all(vm->cpu[i]);
        vcpu_attend(vm->cpu[i], ATT_MODE);
    }
}
