/* SPDX-License-Identifier: MIT */
/*
 * phys.h - guest-physical accesses to any kind of page: RAM, ROM, code, devices.
 *
 * Promises   A device sees naturally aligned accesses of 1, 2 or 4 bytes, in ascending order. The
 *            watchers of a page (page.h) hear of every store to it; a store that changes no byte
 *            makes no code stale.
 * Not here   Translation of linear addresses and its checks (shadow-mmu/).
 */
#ifndef RING1_MONITOR_MEMORY_PHYS_H
#define RING1_MONITOR_MEMORY_PHYS_H

#include "monitor/cpu/vm.h"
#include "monitor/memory/region.h"

/* gpa as the CPU's accesses get it: bit 20 is 0 while the A20 gate is closed. */
static inline gpa_t phys_a20(const struct vm *vm, gpa_t gpa)
{
    return vm->a20 ? gpa : gpa & ~(gpa_t)(1u << 20);
}

/* PAGE_* of the page that holds gpa. */
static inline uint8_t phys_kind(const struct vm *vm, gpa_t gpa)
{
    if (likely(gpa < vm->ram_size))
        return vm->page[gpa >> GUEST_PAGE_SHIFT];
    const uint8_t *entry = region_entry(vm, gpa);

    return entry ? *entry : PAGE_MMIO;
}

/* Host address of gpa, which is memory (not PAGE_MMIO); valid up to the page's end. */
static inline uint8_t *phys_host(const struct vm *vm, gpa_t gpa)
{
    if (likely(gpa < vm->ram_size && !(vm->page[gpa >> GUEST_PAGE_SHIFT] & PAGE_OVER)))
        return vm->ram + gpa;
    return region_host(vm, gpa);
}

/* Where the host keeps the memory at gpa: the offset that vcpu_host.window_map() takes as `at`. */
uint64_t phys_offset(const struct vm *vm, gpa_t gpa);

/* Access bytes of one page. gpa has A20 applied; [gpa, gpa+len) does not leave the page. */
void phys_load(struct vm *vm, gpa_t gpa, void *out, unsigned len);
void phys_store(struct vm *vm, gpa_t gpa, const void *in, unsigned len);

/* Access memory as the CPU does: through the A20 gate, across a page border too. size is 1, 2, 4 or
 * 8 bytes. */
uint64_t phys_read(struct vm *vm, gpa_t gpa, unsigned size);
void phys_write(struct vm *vm, gpa_t gpa, unsigned size, uint64_t val);

/* The same for page walks and fetches, with vm.implicit set meanwhile. */
uint64_t phys_read_implicit(struct vm *vm, gpa_t gpa, unsigned size);
void phys_write_implicit(struct vm *vm, gpa_t gpa, unsigned size, uint64_t val);

#endif
