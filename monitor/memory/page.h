/* SPDX-License-Identifier: MIT */
/*
 * page.h - physical pages: what each is (vm.page[]), who watches writes to it.
 *
 * Promises   Whoever keeps something that was made from the bytes of a page (decoded instructions,
 *            translated code, a dirty log) marks it and hears of each write to it: by instructions,
 *            by the walker (A and D), by DMA. A marked page is writable in no TLB and no window.
 * Invariant  A watcher takes only its own mark away: page_unmark() asks the others that use the
 *            same mark, on other CPUs, whether they still need it.
 * Addresses  Memory that is seen at several (region.h, Views) is marked at all of them, and its
 *            watchers hear of a store for each.
 * Writer     The thread that runs the vCPU; with several CPUs, one thread at a time.
 */
#ifndef RING1_MONITOR_MEMORY_PAGE_H
#define RING1_MONITOR_MEMORY_PAGE_H

#include "monitor/cpu/vm.h"

struct page_watcher {
    uint8_t mark;  /* the PAGE_* bit that it sets */
    bool same_too; /* it also hears of a store that changes no byte */
    /* Bytes first..last of a page with its mark were written. `page` is the address of byte 0. */
    void (*written)(void *self, gpa_t page, unsigned first, unsigned last);
    /* Does it still need the mark? NULL: nobody else uses this mark. */
    bool (*holds)(void *self, gpa_t page);
    /* Sets a bit of bits[] for each byte of the page that it has made code from. NULL: none. */
    void (*code_bits)(void *self, gpa_t page, uint8_t *bits);
    /* Somebody marked the page, perhaps once more, because more of its bytes are code now. NULL: it
     * does not matter. */
    void (*marked)(void *self, gpa_t page);
};

/* *w, which must stay valid, hears of writes from now on, with `self`; to register it twice changes
 * nothing. */
void page_watch(struct vm *vm, const struct page_watcher *w, void *self);

/* Sets and takes away a mark. Pages without memory have no marks: nothing happens there. */
void page_mark(struct vm *vm, gpa_t page, uint8_t mark);
void page_unmark(struct vm *vm, gpa_t page, uint8_t mark);

/* Other memory, or none, is seen at this address from now on: what was made from its bytes there is
 * stale. The memory itself has not changed: no log notes it, no other address of it hears. */
void page_gone(struct vm *vm, gpa_t page);

/* Sets a bit of bits[] for each byte of the page that any watcher of any CPU has made code from. */
void page_code_bits(const struct vm *vm, gpa_t page, uint8_t *bits);

/* Bytes first..last of the page were stored to; `same`: none of them changed. */
void page_written(struct vm *vm, gpa_t page, unsigned first, unsigned last, bool same);

/* Opens or closes the A20 gate; flushes what depends on it. */
void vm_set_a20(struct vm *vm, bool enabled);

/* Host pointer to guest-physical [gpa, gpa+len), which does not leave its page, if that is RAM or
 * ROM; else NULL. */
uint8_t *vm_ram_ptr(struct vm *vm, gpa_t gpa, uint64_t len);

/* Tells the watchers of [gpa, gpa+len) that it was written, not by a store of the CPU: DMA or a
 * device did it. */
void vm_ram_written(struct vm *vm, gpa_t gpa, uint64_t len);

/* Sets PAGE_ROM / PAGE_MMIO / PAGE_RAM for whole pages [gpa, gpa+len) below ram_size and flushes
 * what knew them. With PAGE_OVER the region that lies there is seen, with PAGE_UNDER too its writes
 * go to the RAM; without a region both mean nothing. A page under the local APIC becomes so when
 * the APIC goes. */
void vm_set_page_kind(struct vm *vm, gpa_t gpa, uint64_t len, uint8_t kind);

/* For region.c: sets the page's entry, if it has one, to `kind`, now or when the local APIC goes.
 * Tells nobody. */
void page_set_own_kind(struct vm *vm, gpa_t page, uint8_t kind);

/* The local APIC's registers are at the page gpa from now on, and nowhere else: where there is RAM
 * or ROM, they win. Any address of a page; UINT64_MAX: nowhere. */
void vm_cover_page(struct vm *vm, gpa_t gpa);

#endif
