/* SPDX-License-Identifier: MIT */
/* dirty.c - see dirty.h. */
#include "monitor/memory/dirty.h"

#include "monitor/cpu/listener.h"
#include "monitor/memory/page.h"
#include "monitor/memory/region.h"

size_t dirty_log_words(const struct vm *vm)
{
    return (size_t)((vm->ram_size >> GUEST_PAGE_SHIFT) + 63) / 64;
}

void dirty_log_note(struct vm *vm, gpa_t page)
{
    gpa_t n = page >> GUEST_PAGE_SHIFT;
    const struct region *r = vm->region_count ? region_at(vm, page) : NULL;
    const struct region *of = r && r->of ? r->of : r; /* who has the log */

    page_unmark(vm, page, PAGE_LOGGED);
    if (vm->dirty && page < vm->ram_size)
        vm->dirty[n / 64] |= 1ull << (n % 64);
    if (!of || !of->dirty)
        return;
    n = (page - r->base + r->off) >> GUEST_PAGE_SHIFT;
    of->dirty[n / 64] |= 1ull << (n % 64);
}

static void written(void *self, gpa_t page, unsigned first, unsigned last)
{
    (void)first, (void)last;
    dirty_log_note(self, page);
}

static const struct page_watcher watcher = {
    .mark = PAGE_LOGGED,
    .same_too = true,
    .written = written,
};

void dirty_log_listen(struct vm *vm)
{
    page_watch(vm, &watcher, vm);
}

/* Devices are not memory; ROM changes only by vm_set_page_kind(). */
static void watch(struct vm *vm, gpa_t page)
{
    if (!(vm->page[page >> GUEST_PAGE_SHIFT] & (PAGE_MMIO | PAGE_LOGGED)))
        page_mark(vm, page, PAGE_LOGGED);
}

void dirty_log_start(struct vm *vm, uint64_t *bitmap)
{
    for (size_t n = 0; n < dirty_log_words(vm); n++)
        bitmap[n] = 0;
    vm->dirty = bitmap;
    dirty_log_listen(vm);
    for (unsigned c = 0; c < vm->cpu_count; c++)
        mmu_flush_all(vm->cpu[c]); /* an empty TLB makes the flushes by page cheap */
    for (gpa_t page = 0; page < vm->ram_size; page += GUEST_PAGE_SIZE)
        watch(vm, page);
}

void dirty_log_stop(struct vm *vm)
{
    for (gpa_t page = 0; page < vm->ram_size; page += GUEST_PAGE_SIZE)
        page_unmark(vm, page, PAGE_LOGGED);
    vm->dirty = NULL;
}

unsigned dirty_log_collect(struct vm *vm, uint64_t *out)
{
    unsigned count = 0;

    for (size_t n = 0; n < dirty_log_words(vm); n++) {
        uint64_t bits = out[n] = vm->dirty[n];

        vm->dirty[n] = 0;
        for (; bits; bits &= bits - 1) {
            watch(vm, ((gpa_t)n * 64 + (unsigned)__builtin_ctzll(bits)) << GUEST_PAGE_SHIFT);
            count++;
        }
    }
    return count;
}
