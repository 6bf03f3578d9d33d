/* SPDX-License-Identifier: MIT */
/*
 * region.h - memory of the guest besides its RAM: ROM, frame buffers, wherever the board puts them.
 *
 * Promises   A region is as good as RAM: read, fetched from, walked through, mapped in windows, its
 *            code decoded and translated, by DMA too. It may be placed, moved and taken away
 *            between any two instructions; whoever knows anything about the addresses concerned
 *            hears of it, and only of these (mmu_memory_changed()).
 * Kinds      RAM and frame buffers (RAM with a log) take writes. ROM takes none: they are dropped,
 *            or given to the device on the bus at that address (a flash chip), and never fault.
 * Over RAM   Below vm.ram_size a region hides the RAM there (PAGE_OVER in vm.page[]), until
 *            vm_set_page_kind() shows the RAM again. Writes to such a region are slow.
 * Invariant  Regions do not overlap each other, end at or below 4 GiB, and are whole pages. Pages
 *            at vm.ram_size and above have their PAGE_* in region.page[], others in vm.page[]. The
 *            RAM at 0 is no region: it stays the quick case.
 * Not here   Two places for one piece of memory that takes writes: stores to one would not reach
 *            the watchers of the other. ROM may be shared.
 * Writer     The vCPU's thread.
 */
#ifndef RING1_MONITOR_MEMORY_REGION_H
#define RING1_MONITOR_MEMORY_REGION_H

#include "monitor/cpu/vm.h"

enum region_kind { REGION_RAM, REGION_ROM, REGION_FRAME };

#define REGION_NOWHERE UINT64_MAX

/* The owner of a region fills in the first part and keeps the struct and the memory until the VM
 * ends. */
struct region {
    const char *name; /* of its section in a snapshot; no other has it */
    enum region_kind kind;
    bool bus_writes; /* ROM: writes go to vm.mem */
    uint64_t size;   /* bytes */
    uint8_t *host;   /* the memory */
    uint64_t at;     /* where the host finds it for windows (host.h, window_map()) */
    uint8_t *page;   /* size >> GUEST_PAGE_SHIFT bytes, zero */

    struct vm *vm;   /* vm_region_add() writes it */
    gpa_t base;      /* vm_region_add() and vm_region_place() write it */
    uint64_t *dirty; /* which pages were written, NULL: nobody asks; see below */
};

/* Makes *r a region of the VM, nowhere at first. Returns 0, or -1: there are too many, or r->size
 * is not possible. */
int vm_region_add(struct vm *vm, struct region *r);

/* Puts *r at `base`, or REGION_NOWHERE. 0; -1 when it cannot lie there (something else does, or the
 * base is odd): it is nowhere then. All its pages count as written. */
int vm_region_place(struct vm *vm, struct region *r, gpa_t base);

/* ---- what a region holds ---- */

/* The PAGE_* byte of a page; NULL: there is no memory. */
uint8_t *region_entry(const struct vm *vm, gpa_t gpa);
/* Its host memory, where a region is; NULL: none. */
uint8_t *region_host(const struct vm *vm, gpa_t gpa);
/* The region that lies there, shown or not; NULL: none. */
struct region *region_at(const struct vm *vm, gpa_t gpa);

/* ---- which of its pages were written ---- */

/* How many 64-bit words a bitmap has with a bit for each page of the region. */
static inline size_t region_log_words(const struct region *r)
{
    return (size_t)((r->size >> GUEST_PAGE_SHIFT) + 63) / 64;
}

/* From now on r->dirty, the caller's bitmap, is kept; all pages count as written. The first write
 * to a page that was collected takes the slow path, those after it none. */
void region_log_start(struct vm *vm, struct region *r, uint64_t *bitmap);
void region_log_stop(struct vm *vm, struct region *r);
/* Moves the log to `out` and watches those pages again. Returns how many they are. */
unsigned region_log_collect(struct vm *vm, struct region *r, uint64_t *out);
/* To be called when the region's owner itself changed bytes [off, off+len) of r->host. */
void region_written(struct vm *vm, struct region *r, uint64_t off, uint64_t len);

#endif
