/* SPDX-License-Identifier: MIT */
/*
 * tlb.h - the software TLB: linear page to host pointer, one direct-mapped set for CPL 0-2 and one
 * for CPL 3.
 *
 * Promises   A hit means: the access is allowed for that privilege, A (and D for writes) is
 *            already set in the guest's tables, the page is plain RAM (for writes: without
 *            decoded code), and no data breakpoint lies in it. Everything else takes the slow
 *            path in access.c.
 * Invariant  tag_* of entry n hold minus the linear page address, or tlb_no_tag(n) (or 0 in an
 *            entry never used, where only entries 0 and 65535 could take that for a page): an
 *            access hits when first byte + size - 1 + tag, in 32 bits, is below 4096 (tlb_hit()).
 *            Translated code makes the same test (docs/codegen.md), so the layout of an entry is a
 *            contract.
 * Invariant  `flags` holds the linear page address in its upper 20 bits and TLB_F_* below; it
 *            remembers a finished walk for the slow path also where a tag must not be set (MMIO,
 *            code pages, watched pages).
 * Invariant  An entry with a non-zero TLB_F_* bit has its bit set in `used` (and in `global` if
 *            TLB_F_GLOBAL), so that a flush touches only what was filled.
 */
#ifndef RING1_MONITOR_CPU_TLB_H
#define RING1_MONITOR_CPU_TLB_H

#include "include/ring1/types.h"

#define TLB_ENTRIES 65536u /* indexed by a 16-bit move: bits 12-27 of the linear address */

#define TLB_F_R      0x001u /* reading is allowed at this set's privilege */
#define TLB_F_W      0x002u /* writing is allowed, and D is set */
#define TLB_F_X      0x004u /* fetching is allowed */
#define TLB_F_GLOBAL 0x008u /* survives a CR3 load */
#define TLB_F_BIG    0x010u /* part of a 2- or 4-MiB page: INVLPG anywhere in it drops this entry */

struct tlb_entry {
    uint32_t tag_r, tag_w, tag_x;
    uint32_t flags; /* linear page | TLB_F_* */
    /* Host address of the page's first byte minus its linear address; RAM and ROM only. */
    uint64_t addend;
    gpa_t gpa; /* physical page address, A20 applied */
};
_Static_assert(sizeof(struct tlb_entry) == 32, "translated code scales the index by 32");

struct soft_tlb {
    struct tlb_entry entry[2][TLB_ENTRIES];     /* [1]: user (CPL 3) */
    uint64_t used[2][TLB_ENTRIES / 64];         /* bit n: entry n may be valid */
    uint64_t used_words[2][TLB_ENTRIES / 4096]; /* bit n: used[][n] may be non-zero */
    uint64_t global[2][TLB_ENTRIES / 64];       /* subset of used */
    /* What the entries of a word of used[][] may lead to: a bit for each 256 KiB of physical
     * addresses, modulo 16 MiB. 0 where no entry is used. */
    uint64_t leads[2][TLB_ENTRIES / 64];
    uint64_t big[1024 / 64]; /* bit n: big page filled in linear region n * 4 MiB */
    bool ready; /* false in zeroed memory: the first flush sets the tags that matter (tlb.c) */
};

/* The tag that no access through entry n can match: it names a page of index n ^ 2, and an access
 * through entry n ends on a page of index n or n + 1. */
static inline uint32_t tlb_no_tag(unsigned n)
{
    return -(uint32_t)((n ^ 2u) << GUEST_PAGE_SHIFT);
}

static inline bool tlb_hit(uint32_t tag, gla_t gla, unsigned size)
{
    return gla + (size - 1) + tag < GUEST_PAGE_SIZE;
}

/* Host address of gla, through an entry that holds a tag for it. */
static inline uint8_t *tlb_host(const struct tlb_entry *e, gla_t gla)
{
    return (uint8_t *)(uintptr_t)(e->addend + gla);
}

static inline unsigned tlb_index(gla_t gla)
{
    return (gla >> GUEST_PAGE_SHIFT) & (TLB_ENTRIES - 1);
}

#endif
