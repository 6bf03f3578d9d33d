/* SPDX-License-Identifier: MIT */
/* code_map.c - see code_map.h. */
#include "monitor/memory/code_map.h"

#include "include/ring1/mem.h"

/* The chunks that contain bytes first..last. */
static uint64_t chunk_mask(unsigned first, unsigned last)
{
    return (~0ull << (first / 64)) & (~0ull >> (63 - last / 64));
}

static struct code_page **bucket_of(const struct code_map *m, gpa_t page)
{
    return &m->hash[(uint32_t)(page >> GUEST_PAGE_SHIFT) & m->hash_mask];
}

static struct code_page *record(const struct code_map *m, uint32_t n)
{
    return (struct code_page *)(void *)((uint8_t *)m->pages + (size_t)n * m->each);
}

void code_map_init(struct code_map *m, uint8_t mark, void *pages, uint32_t each, uint32_t max,
                   struct code_page **hash, uint32_t hash_mask)
{
    VMM_CHECK(each >= sizeof(struct code_page));
    *m = (struct code_map){.mark = mark,
                           .max = max,
                           .hash_mask = hash_mask,
                           .each = each,
                           .pages = pages,
                           .hash = hash};
}

struct code_page *code_map_find(const struct code_map *m, gpa_t page)
{
    struct code_page *p = *bucket_of(m, page);

    while (p && p->page != page)
        p = p->hash_next;
    return p;
}

struct code_page *code_map_page_add(struct code_map *m, gpa_t page)
{
    struct code_page **bucket = bucket_of(m, page);

    VMM_CHECK(code_map_has_room(m, 1));
    struct code_page *p = record(m, m->count++);
    memset(p, 0, m->each);
    p->page = page;
    p->hash_next = *bucket;
    *bucket = p;
    return p;
}

void code_map_add(struct code_map *m, struct vm *vm, struct code_page *p, struct code_range *r)
{
    VMM_CHECK(r->first <= r->last && r->last < GUEST_PAGE_SIZE);
    r->next = p->ranges;
    p->ranges = r;
    p->chunks |= chunk_mask(r->first, r->last);
    page_mark(vm, p->page, m->mark);
}

struct code_range *code_map_take(struct code_map *m, struct vm *vm, gpa_t page, unsigned first,
                                 unsigned last)
{
    struct code_page *p = code_map_find(m, page);
    struct code_range *taken = NULL, *r;
    uint64_t chunks = 0;

    VMM_CHECK(first <= last && last < GUEST_PAGE_SIZE);
    if (!p || !(p->chunks & chunk_mask(first, last)))
        return NULL;
    for (struct code_range **at = &p->ranges; (r = *at);) {
        if (r->first <= last && first <= r->last) {
            *at = r->next;
            r->next = taken;
            taken = r;
        } else {
            chunks |= chunk_mask(r->first, r->last);
            at = &r->next;
        }
    }
    p->chunks = chunks;
    if (!p->ranges)
        page_unmark(vm, page, m->mark);
    return taken;
}

void code_map_remove(struct code_map *m, struct vm *vm, gpa_t page, struct code_range *r)
{
    struct code_page *p = code_map_find(m, page);
    struct code_range **at = p ? &p->ranges : NULL;

    while (at && *at && *at != r)
        at = &(*at)->next;
    if (!at || !*at)
        return;
    *at = r->next; /* the chunks may stay: they only say "may be" */
    if (!p->ranges)
        page_unmark(vm, page, m->mark);
}

bool code_map_holds(const struct code_map *m, gpa_t page)
{
    const struct code_page *p = code_map_find(m, page);

    return p && p->ranges;
}

void code_map_bits(const struct code_map *m, gpa_t page, uint8_t *bits)
{
    const struct code_page *p = code_map_find(m, page);

    for (const struct code_range *r = p ? p->ranges : NULL; r; r = r->next)
        for (unsigned n = r->first; n <= r->last; n++)
            bits[n / 8] |= (uint8_t)(1u << n % 8);
}

void code_map_forget(struct code_map *m, struct vm *vm)
{
    for (uint32_t n = 0; n < m->count; n++) {
        struct code_page *p = record(m, n);

        p->ranges = NULL;
        page_unmark(vm, p->page, m->mark);
    }
    memset(m->hash, 0, (m->hash_mask + 1) * sizeof *m->hash);
    m->count = 0;
}
