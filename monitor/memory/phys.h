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

/* The A20 gate as every physical access of the CPU sees it. */
static inline gpa_t phys_a20(const struct vm *vm, gpa_t gpa)
{
    return vm->a20 ? gpa : gpa & ~(gpa_t)(1u << 20);
}

/* PAGE_* of the page that holds gpa. */
static inline uint8_t phys_kind(const struct vm *vm, gpa_t gpa)
{
    return gpa < vm->ram_size ? vm->page[gpa >> GUEST_PAGE_SHIFT] : PAGE_MMIO;
}

/* Bytes of one page. gpa has A20 applied; [gpa, gpa+len) does not leave the page. */
void phys_load(struct vm *vm, gpa_t gpa, void *out, unsigned len);
void phys_store(struct vm *vm, gpa_t gpa, const void *in, unsigned len);

/* As the CPU accesses it: through the A20 gate, across a page border too. size 1, 2, 4, 8. */
uint64_t phys_read(struct vm *vm, gpa_t gpa, unsigned size);
void phys_write(struct vm *vm, gpa_t gpa, unsigned size, uint64_t val);

/* The same for page walks and fetches. */
uint64_t phys_read_implicit(struct vm *vm, gpa_t gpa, unsigned size);
void phys_write_implicit(struct vm *vm, gpa_t gpa, unsigned size, uint64_t val);

#endif
