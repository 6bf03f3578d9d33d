/* SPDX-License-Identifier: MIT */
/*
 * invalidate.c - guest code was written: which blocks die, and what dying means.
 *
 * Promises   A block dies exactly when a byte that it was made from may have changed
 *            (monitor/memory/code_map.h).
 * Lifetime   The record of a page outlives its blocks until the cache is flushed: it counts how
 *            often they were written to lately.
 */
#include "bt/cache/cache.h"
#include "bt/cache/heat.h"

/* A page that was not written for so long (ns) counts as one that never was. */
#define WRITTEN_PAUSE 200000000ull

static struct cache_page *page_find(const struct code_cache *c, gpa_t page)
{
    return (struct cache_page *)(void *)code_map_find(&c->code, page);
}
_Static_assert(offsetof(struct cache_page, code) == 0, "a cache_page is a code_page");

bool cache_is_aliased(const struct code_cache *c, gla_t gla, gpa_t gpa)
{
    const struct cache_page *p = page_find(c, gpa & ~(gpa_t)GUEST_PAGE_MASK);

    return p && p->code.ranges && p->gla != (gla & ~(gla_t)GUEST_PAGE_MASK);
}

unsigned cache_page_invalidations(const struct code_cache *c, gpa_t page)
{
    const struct cache_page *p = page_find(c, page & ~(gpa_t)GUEST_PAGE_MASK);

    if (!p || !p->invalidations || c->spent - p->written_at > WRITTEN_PAUSE)
        return 0;
    return p->invalidations;
}

static void count_invalidation(const struct code_cache *c, struct cache_page *p)
{
    if (c->spent - p->written_at > WRITTEN_PAUSE)
        p->invalidations = 0;
    p->invalidations++;
    p->written_at = c->spent;
}

void cache_page_add(struct vcpu *v, struct code_cache *c, struct bt_block *b)
{
    gpa_t page = b->gpa & ~(gpa_t)GUEST_PAGE_MASK;
    struct cache_page *p = page_find(c, page);

    unsigned first = (unsigned)b->gpa & GUEST_PAGE_MASK;

    VMM_CHECK(b->bytes);
    if (!p)
        p = (struct cache_page *)(void *)code_map_page_add(&c->code, page);
    if (!p->code.ranges)
        p->gla = b->gla & ~(gla_t)GUEST_PAGE_MASK;
    b->range = (struct code_range){
        .owner = b, .first = (uint16_t)first, .last = (uint16_t)(first + b->bytes - 1)};
    code_map_add(&c->code, v->vm, &p->code, &b->range);
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
    struct code_range *next, *r = code_map_take(&c->code, v->vm, page, first, last);
    unsigned killed = 0;

    for (; r; r = next) {
        next = r->next;
        kill(v, c, r->owner);
        killed++;
    }
    return killed;
}

unsigned cache_written(struct vcpu *v, struct code_cache *c, gpa_t page, unsigned first,
                       unsigned last)
{
    unsigned killed = cache_invalidate(v, c, page, first, last);

    if (killed)
        count_invalidation(c, page_find(c, page));
    return killed;
}
