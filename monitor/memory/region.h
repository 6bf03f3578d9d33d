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
 *            vm_set_page_kind() shows the RAM again.
 * Views      A region may be a view: a piece of another region's memory at another address (`of`).
 *            The marks of a page are its memory's, not an address's: a mark set through one address
 *            is there through all, a store through one is heard at all, and the dirty log is the
 *            one of the memory's own region.
 * RAM at 0   Is no struct region, so that it stays the quick case, but has all that a region has:
 *            its marks are in vm.page[], its dirty log is dirty.h's.
 * Invariant  Regions do not overlap each other, end at or below 4 GiB, and are whole pages. Pages
 *            at vm.ram_size and above have their PAGE_* in region.page[], others in vm.page[]. All
 *            addresses where a page of memory is seen have the same PAGE_MARKS.
 * Not here   Two regions with the same `host` bytes, but for ROM: make a view.
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
    /* Where it lies below vm.ram_size, a device is there when it does not, not RAM. */
    bool device_below;
    bool yields; /* RAM wins: it cannot lie below vm.ram_size */

    struct region *of; /* a view: whose memory it is; else NULL. vm_region_view() writes it */
    uint64_t off;      /* a view: where in that memory it begins; else 0 */
    struct vm *vm;     /* vm_region_add() writes it */
    gpa_t base;        /* vm_region_add() and vm_region_place() write it */
    uint64_t *dirty;   /* which pages were written, NULL: nobody asks; see below */
};

/* Makes *r a region of the VM, nowhere at first. Returns 0, or -1: there are too many, or r->size
 * is not possible. */
int vm_region_add(struct vm *vm, struct region *r);

/* *r, of which name, size, page and device_below are filled in, becomes a view of *of, which is
 * none itself and not smaller. 0, or -1 as vm_region_add(). */
int vm_region_view(struct vm *vm, struct region *r, struct region *of);
/* Puts a view at `base`, beginning at byte `off` of the memory, a whole page within it. As
 * vm_region_place(), but no page counts as written. */
int vm_region_show(struct vm *vm, struct region *r, gpa_t base, uint64_t off);

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

/* All addresses where the memory of this page is seen now, itself first. Returns how many. */
unsigned region_views(const struct vm *vm, gpa_t page, gpa_t at[VM_REGIONS + 1]);
/* PAGE_MARKS that the page has at the other addresses. */
uint8_t region_marks(const struct vm *vm, gpa_t page);

/* ---- which of its pages were written: of a region that is no view ---- */

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
