/* SPDX-License-Identifier: MIT */
/* dirty.c - see dirty.h. */
#include "shadow-mmu/dirty.h"

#include "monitor/vm.h"
#include "shadow-mmu/mmu.h"

size_t dirty_log_words(const struct vm *vm)
{
    return (size_t)((vm->ram_size >> GUEST_PAGE_SHIFT) + 63) / 64;
}

/* Devices are not memory; ROM changes only by vm_set_page_kind(). */
static void watch(struct vm *vm, gpa_t page)
{
    uint8_t *kind = &vm->page[page >> GUEST_PAGE_SHIFT];

    if (*kind & (PAGE_MMIO | PAGE_LOGGED))
        return;
    *kind |= PAGE_LOGGED;
    mmu_flush_gpa(vm, page);
}

void dirty_log_start(struct vm *vm, uint64_t *bitmap)
{
    for (size_t n = 0; n < dirty_log_words(vm); n++)
        bitmap[n] = 0;
    vm->dirty = bitmap;
    for (unsigned c = 0; c < vm->cpu_count; c++)
        mmu_flush_all(vm->cpu[c]); /* an empty TLB makes the flushes by page cheap */
    for (gpa_t page = 0; page < vm->ram_size; page += GUEST_PAGE_SIZE)
        watch(vm, page);
}

void dirty_log_stop(struct vm *vm)
{
    for (gpa_t page = 0; page < vm->ram_size; page += GUEST_PAGE_SIZE)
        vm->page[page >> GUEST_PAGE_SHIFT] &= (uint8_t)~PAGE_LOGGED;
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

void dirty_log_note(struct vm *vm, gpa_t gpa)
{
    gpa_t n = gpa >> GUEST_PAGE_SHIFT;

    vm->page[n] &= (uint8_t)~PAGE_LOGGED;
    if (vm->dirty)
        vm->dirty[n / 64] |= 1ull << (n % 64);
}
