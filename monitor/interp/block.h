/* SPDX-License-Identifier: MIT */
/*
 * block.h - the decode cache: straight runs of decoded instructions, found by guest-physical
 * address.
 *
 * Promises   A block found here matches guest memory: every page that holds one carries PAGE_CODE,
 *            so that writes to it
 *            take the slow path of shadow-mmu/access.c, which calls interp_invalidate().
 * Invariant  A block lies on one page, except a block of the single instruction which crosses into
 *            the next; that
 *            one is on both pages' lists and names the second page in page2.
 * Lifetime   Records are bump-allocated and reused only by block_flush() followed by a decode: the
 *            record of the
 *            instruction that runs now stays readable whatever it invalidates.
 */
#ifndef RING1_MONITOR_INTERP_BLOCK_H
#define RING1_MONITOR_INTERP_BLOCK_H

#include "monitor/interp/handler.h"

#define BLOCK_MAX_INSNS 48u
#define CACHE_INSNS     (1u << 17)
#define CACHE_BLOCKS    (1u << 15)
#define CACHE_PAGES     (1u << 13)
#define CACHE_HASH      (1u << 15)
#define NO_PAGE         UINT64_MAX

/* One cache line holds what handlers read; the raw bytes lie in the next. */
struct xinsn {
    _Alignas(64) insn_fn *fn;
    struct insn insn;
};

struct block_link {
    struct block *block;
    struct block_link *next;
};

struct block {
    gpa_t gpa;         /* of the first byte */
    gpa_t page2;       /* page of the bytes beyond the first page's end, or NO_PAGE */
    uint8_t mode;      /* BLOCK_CODE32 | BLOCK_STACK32 */
    bool dead, cached; /* cached: in the hash, found again */
    uint16_t bytes;    /* length of all instructions */
    uint16_t count;
    struct xinsn *insns;
    struct block *hash_next;
    struct block_link link[2];
};
#define BLOCK_CODE32  1u
#define BLOCK_STACK32 2u
#define BLOCK_USER    4u /* only in shortcut.mode */

/* Linear address to block without the TLB and the hash; valid while nothing was flushed. */
#define CACHE_SHORTCUTS (1u << 12)
struct shortcut {
    gla_t gla;
    uint32_t generation; /* vcpu.fetch_generation */
    uint8_t mode;
    struct block *block;
};

struct code_page {
    gpa_t page;
    uint64_t chunks; /* bit n: bytes 64n..64n+63 hold decoded code */
    struct block_link *blocks;
    struct code_page *hash_next;
};

struct interp {
    struct block *hash[CACHE_HASH];
    struct code_page *page_hash[CACHE_PAGES];
    struct shortcut shortcut[CACHE_SHORTCUTS];
    unsigned insn_count, block_count, page_count;
    struct block blocks[CACHE_BLOCKS];
    struct code_page pages[CACHE_PAGES];
    struct xinsn insns[CACHE_INSNS];
};

static inline uint8_t block_mode(const struct vcpu *v)
{
    return (uint8_t)((v->seg[SEG_CS].attr & SEGA_DB ? BLOCK_CODE32 : 0) |
                     (v->seg[SEG_SS].attr & SEGA_DB ? BLOCK_STACK32 : 0));
}

/* The block that starts at v->eip, decoded if need be. Raises #GP, #PF, #UD for the instruction
 * there. The CS limit of
 * the block's later bytes is the caller's concern. Never NULL. */
struct block *block_get(struct vcpu *v);

/* Forgets everything. */
void block_flush(struct vcpu *v);

#endif
