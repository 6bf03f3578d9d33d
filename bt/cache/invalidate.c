/* SPDX-License-Identifier: MIT */
/*
 * invalidate.c - guest code was written: which blocks die, and what dying means.
 *
 * Promises   A write beside code costs a hash look-up and a test of one word, as long as it is in
 *            another 64-byte chunk of the page. A block dies exactly when a byte that it was made
 *            from may have changed.
 * Lifetime   The record of a page outlives its blocks until the cache is flushed: it counts how
 *            often they were written to lately.
 */
#include "bt/cache/cache.h"
#include "bt/cache/heat.h"
#include "include/ring1/mem.h"
#include "monitor/memory/page.h"

/* A page that was not written for so long is one of those that never were. */
#define WRITTEN_PAUSE 200000000ull

static unsigned first_byte(const struct bt_block *b)
{
    return (unsigned)b->gpa & GUEST_PAGE_MASK;
}

static unsigned last_byte(const struct bt_block *b)
{
    return first_byte(b) + b->bytes - 1;
}

/* The chunks that contain bytes first..last. */
static uint64_t chunk_mask(unsigned first, unsigned last)
{
    return (~0ull << (first / 64)) & (~0ull >> (63 - last / 64));
}

static struct cache_page **page_bucket(const struct code_cache *c, gpa_t page)
{
    return &c->page_hash[(uint32_t)(page >> GUEST_PAGE_SHIFT) & c->page_hash_mask];
}

struct cache_page *cache_page_find(const struct code_cache *c, gpa_t page)
{
    struct cache_page *p = *page_bucket(c, page);

    while (p && p->page != page)
        p = p->hash_next;
    return p;
}

bool cache_is_aliased(const struct code_cache *c, gla_t gla, gpa_t gpa)
{
    const struct cache_page *p = cache_page_find(c, gpa & ~(gpa_t)GUEST_PAGE_MASK);

    return p && p->blocks && p->gla != (gla & ~(gla_t)GUEST_PAGE_MASK);
}

unsigned cache_page_invalidations(const struct vcpu *v, const struct code_cache *c, gpa_t page)
{
    const struct cache_page *p = cache_page_find(c, page & ~(gpa_t)GUEST_PAGE_MASK);

    if (!p || !p->invalidations || vm_now(v->vm) - p->written_at > WRITTEN_PAUSE)
        return 0;
    return p->invalidations;
}

static void count_invalidation(const struct vcpu *v, struct cache_page *p)
{
    ns_t now = vm_now(v->vm);

    if (now - p->written_at > WRITTEN_PAUSE)
        p->invalidations = 0;
    p->invalidations++;
    p->written_at = now;
}

void cache_page_add(struct vcpu *v, struct code_cache *c, struct bt_block *b)
{
    gpa_t page = b->gpa & ~(gpa_t)GUEST_PAGE_MASK;
    struct cache_page *p = cache_page_find(c, page);

    VMM_CHECK(b->bytes && last_byte(b) < GUEST_PAGE_SIZE);
    if (!p) {
        struct cache_page **bucket = page_bucket(c, page);

        VMM_CHECK(c->page_count < c->page_max);
        p = &c->pages[c->page_count++];
        *p = (struct cache_page){.page = page, .hash_next = *bucket};
        *bucket = p;
    }
    if (!p->blocks)
        p->gla = b->gla & ~(gla_t)GUEST_PAGE_MASK;
    b->page_next = p->blocks;
    p->blocks = b;
    p->chunks |= chunk_mask(first_byte(b), last_byte(b));
    page_mark(v->vm, page, PAGE_TRANSLATED);
}

void cache_mark_code(const struct code_cache *c, gpa_t page, uint8_t *bits)
{
    const struct cache_page *p = cache_page_find(c, page);

    for (const struct bt_block *b = p ? p->blocks : NULL; b; b = b->page_next)
        page_bits_set(bits, first_byte(b), last_byte(b));
}

void cache_pages_forget(struct vcpu *v, struct code_cache *c)
{
    for (uint32_t n = 0; n < c->page_count; n++) {
        c->pages[n].blocks = NULL;
        page_unmark(v->vm, c->pages[n].page, PAGE_TRANSLATED);
    }
    memset(c->page_hash, 0, (c->page_hash_mask + 1) * sizeof *c->page_hash);
    c->page_count = 0;
}

/* ---- death ---- */

/* Nothing leads to the block afterwards, and it leads nowhere directly: if it runs now, it leaves
 * through its stubs. Its host code and sites stay. */
static void kill(struct vcpu *v, struct code_cache *c, struct bt_block *b)
{
    while (b->in)
        cache_unlink(c, b->in);
    for (uint32_t n = 0; n < b->slot_count; n++)
        cache_unlink(c, &c->slots[b->first_slot + n]);
    cache_unhash(c, b);
    jump_map_remove(v, b->gla, (uint64_t)(uintptr_t)(c->arena->rx + b->entry));
    b->dead = true;
    if (c->heat)
        heat_forget(c->heat, b->gla, b->gpa);
    v->stats.bt_invalidations++;
}

unsigned cache_invalidate(struct vcpu *v, struct code_cache *c, gpa_t page, unsigned first,
                          unsigned last)
{
    struct cache_page *p = cache_page_find(c, page);
    uint64_t chunks = 0;
    unsigned killed = 0;

    VMM_CHECK(first <= last && last < GUEST_PAGE_SIZE);
    if (!p || !(p->chunks & chunk_mask(first, last)))
        return 0;
    for (struct bt_block **at = &p->blocks, *b; (b = *at);) {
        if (first_byte(b) <= last && first <= last_byte(b)) {
            *at = b->page_next;
            kill(v, c, b);
            killed++;
        } else {
            chunks |= chunk_mask(first_byte(b), last_byte(b));
            at = &b->page_next;
        }
    }
    p->chunks = chunks;
    if (!p->blocks)
        page_unmark(v->vm, page, PAGE_TRANSLATED);
    return killed;
}

unsigned cache_written(struct vcpu *v, struct code_cache *c, gpa_t page, unsigned first,
                       unsigned last)
{
    unsigned killed = cache_invalidate(v, c, page, first, last);

    if (killed)
        count_invalidation(v, cache_page_find(c, page));
    return killed;
}
