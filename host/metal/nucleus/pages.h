/* SPDX-License-Identifier: MIT */
/*
 * pages.h - the page tables that the CPU uses now: four levels, pages of 4 KiB and 2 MiB.
 *
 * Promises   What is not mapped here does not exist for code at any CPL. A change is in force when
 *            the function returns.
 * Invariant  No page is writable and executable. A frame of page tables belongs to one place.
 * Writer     The nucleus (CPL 0), on one CPU, with interrupts off.
 * Source     SDM vol. 3A, section 4.5 (4-level paging), 4.10 (caching).
 */
#ifndef RING1_HOST_METAL_PAGES_H
#define RING1_HOST_METAL_PAGES_H

#include "include/ring1/types.h"

enum page_rights {
    PAGES_WRITE = 1u << 0,
    PAGES_EXEC = 1u << 1,
    PAGES_USER = 1u << 2,     /* CPL 3 too */
    PAGES_UNCACHED = 1u << 3, /* a device's registers */
    /* The frame is the mapping's own: unmapping frees it. */
    PAGES_OWNED = 1u << 4,
};

/* Makes all physical memory and the image mapped as layout.h says, and nothing else. Returns false
 * when the machine has not memory enough for that. */
bool pages_init(void);

/* Maps [va, va + len) to [pa, pa + len), whatever was there. All are multiples of 4 KiB. Returns 0,
 * or -12 (ENOMEM) with nothing mapped in a part of it. */
int pages_map(uint64_t va, uint64_t pa, uint64_t len, unsigned rights);
void pages_unmap(uint64_t va, uint64_t len);
/* Everything of the monitor's and the guest's goes, with its tables: HEAP to WINDOW of layout.h.
 * What pages_pin() did, too; pages_low() shows nothing. */
void pages_forget(void);
/* Gives what is mapped in [va, va + len) other rights. Returns 0 or -12. */
int pages_protect(uint64_t va, uint64_t len, unsigned rights);
/* The physical address that va is mapped to, or NO_FRAME. */
uint64_t pages_lookup(uint64_t va);

/* The page tables of the 4 GiB at `window` stay where they are from now on, so that pages_low() can
 * show them. 0 or -12. */
int pages_pin(uint64_t window);
/* The lower 4 GiB of linear addresses are those of the pinned window. */
void pages_low(uint64_t window);

#endif
