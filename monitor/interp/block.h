/* SPDX-License-Identifier: MIT */
/*
 * block.h - the decode cache: straight runs of decoded instructions, found by guest-physical
 * address.
 *
 * Promises   A block found here matches guest memory: every page that holds one carries PAGE_CODE,
 *            so that a write to it drops the blocks whose bytes it touches
 *            (monitor/memory/code_map.h).
 * Invariant  A block lies on one page, except a block of the single instruction which crosses into
 *            the next; that one has a range on both pages and names the second page in page2.
 * Lifetime   Records are bump-allocated and reused only by block_flush() followed by a decode: the
 *            record of the instruction that runs now stays readable whatever it invalidates.
 */
#ifndef RING1_MONITOR_INTERP_BLOCK_H
#define RING1_MONITOR_INTERP_BLOCK_H

#include "monitor/interp/decode_cache.h"
#include "monitor/interp/handler.h"
#include "monitor/interp/quick.h"
#include "monitor/memory/code_map.h"

#define BLOCK_MAX_INSNS 48u
#define CACHE_INSNS     (1u << 17)
#define CACHE_BLOCKS    (1u << 15)
#define CACHE_PAGES     (1u << 13)
#define CACHE_HASH      (1u << 15)
#define NO_PAGE         UINT64_MAX

/* An instruction and its full handler. */
struct xinsn {
    insn_fn *fn;
    struct insn insn;
    uint8_t left; /* instructions after it in its block */
};

struct block {
    gpa_t gpa;         /* of the first byte */
    gpa_t page2;       /* page of the bytes beyond the first page's end, or NO_PAGE */
    uint8_t mode;      /* BLOCK_CODE32 | BLOCK_STACK32 */
    bool dead, cached; /* cached: in the hash, found again */
    uint16_t bytes;    /* length of all instructions */
    uint16_t count;
    struct xinsn *insns;
    struct quick *quick; /* the record of insns[n] is quick[n] */
    struct block *hash_next;
    struct code_range range[2]; /* [1]: of page2 */
};
#define BLOCK_CODE32  1u
#define BLOCK_STACK32 2u
#define BLOCK_USER    4u /* only in block_key() */

/* Linear address to block without the TLB and the hash; valid while nothing was flushed. */
#define CACHE_SHORTCUTS (1u << 12)
struct shortcut {
    _Alignas(32) uint64_t key; /* block_key(); 0: empty */
    gla_t gla;
    uint16_t bytes, count; /* the block's, so that the loop need not touch it */
    const struct quick *quick;
    struct block *block;
};

static inline unsigned shortcut_index(gla_t gla)
{
    return (gla ^ gla >> 12) & (CACHE_SHORTCUTS - 1);
}

struct interp {
    struct block *hash[CACHE_HASH];
    struct shortcut shortcut[CACHE_SHORTCUTS];
    uint64_t key; /* block_key() of now, while the run loop runs */
    unsigned insn_count, block_count;
    struct block blocks[CACHE_BLOCKS];
    struct code_map code; /* of the blocks */
    struct code_page pages[CACHE_PAGES];
    struct code_page *page_hash[CACHE_PAGES];
    _Alignas(64) struct quick quick[CACHE_INSNS];
    struct xinsn insns[CACHE_INSNS];
    struct decode_cache decoded;
};

static inline uint8_t block_mode(const struct vcpu *v)
{
    return (uint8_t)((v->seg[SEG_CS].attr & SEGA_DB ? BLOCK_CODE32 : 0) |
                     (v->seg[SEG_SS].attr & SEGA_DB ? BLOCK_STACK32 : 0));
}

#define BLOCK_KEY_MODE (BLOCK_USER | BLOCK_STACK32 | BLOCK_CODE32)
/* Everything but the linear address that the meaning of a shortcut depends on; never 0. CPL 3 has
 * its own: the same address may not be executable at both. */
static inline uint64_t block_key(const struct vcpu *v)
{
    return (uint64_t)v->fetch_generation << 4 | 8u | (v->cpl == 3 ? BLOCK_USER : 0) | block_mode(v);
}

/* The block that starts at v->eip, decoded if need be. Raises #GP, #PF, #UD for the instruction
 * there. The caller checks the CS limit of the block's later bytes. Never NULL. */
struct block *block_get(struct vcpu *v);

/* The decoded instruction at v->eip; decodes no more than that one if need be. Raises as
 * block_get(). Valid until the next whole flush (vcpu.stats.cache_flush_full counts them), whatever
 * becomes of its block. */
const struct xinsn *block_get_insn(struct vcpu *v);

/* Makes the empty cache, for interp_init(): v->interp and v->vm are set. */
void block_init(struct vcpu *v);

/* Forgets everything. */
void block_flush(struct vcpu *v);

#endif
