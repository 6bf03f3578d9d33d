/* SPDX-License-Identifier: MIT */
/*
 * fetch_set.h - remembers which page-table entries mapped the linear pages that code was found on.
 *
 * Why        Whoever remembers code by linear address must forget it when the guest flushes its
 *            TLB, unless the pages are still mapped as they were: comparing some entries, a few ns
 *            a page, is cheaper than finding all the code again.
 * Promises   fetch_set_holds() is true only if each page noted since the last clearing is mapped by
 *            the present tables to the physical page, and with the rights, that it had when it was
 *            noted. It is false when in doubt: too many pages, tables outside RAM, a page that was
 *            noted twice with different entries.
 * Not here   What else decides about a fetch (CR0, CR4, EFER, A20): their changes flush all.
 */
#ifndef RING1_SHADOW_MMU_FETCH_SET_H
#define RING1_SHADOW_MMU_FETCH_SET_H

#include "include/ring1/types.h"

struct vcpu;

#define FETCH_PAGES   2048u
#define FETCH_REGIONS 128u
#define FETCH_SLOTS   4096u

struct fetch_set {
    bool broken;
    unsigned regions, pages;
    struct {
        uint64_t pde;
        uint16_t number; /* linear address >> 21 */
        bool small;      /* has a page table */
    } region[FETCH_REGIONS];
    struct {
        uint64_t pte;
        uint16_t region; /* in region[] */
        uint16_t index;  /* of the page in its region */
        uint16_t slot;
    } page[FETCH_PAGES];     /* of small regions */
    uint8_t region_at[2048]; /* region[] + 1; 0: none */
    uint16_t
        slot[FETCH_SLOTS]; /* page[] + 1 by hashed linear page, or the next slot that is free */
};
_Static_assert(FETCH_REGIONS < 256 && FETCH_PAGES < FETCH_SLOTS, "how they are found");

void fetch_set_clear(struct fetch_set *s);

/* Notes that code of the present address space was fetched at gla, which the TLB says is at gpa. */
void fetch_set_note(struct vcpu *v, struct fetch_set *s, gla_t gla, gpa_t gpa);

bool fetch_set_holds(const struct vcpu *v, const struct fetch_set *s);

#endif
