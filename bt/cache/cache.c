/* SPDX-License-Identifier: MIT */
/*
 * cache.c - see cache.h: memory, blocks, sites, slots, and finding them.
 *
 * How        Everything is bump-allocated from arrays whose sizes follow from the arena's. A block
 *            that was begun becomes part of the cache by cache_block_insert(); if the translation
 *            is given up (or a fault unwinds out of it), the next one begins at the same place.
 * Not here   Links (chain.c), pages and their invalidation (invalidate.c), the jump map
 *            (jump_map.c).
 */
#include "bt/cache/cache.h"

#include "bt/cache/options.h"
#include "include/ring1/mem.h"

/* Arena bytes for each element of the arrays: what typical code takes, so that the arena is full
 * about when they are. Whichever is full first ends in a flush. */
#define ARENA_PER_SITE  16u
#define ARENA_PER_SLOT  64u
#define ARENA_PER_BLOCK 128u
#define ARENA_PER_PAGE  512u
/* ... and for each bucket of the hashes, which are touched all over: a block takes some 300 bytes,
 * a page's blocks some thousands. */
#define ARENA_PER_BUCKET      512u
#define ARENA_PER_PAGE_BUCKET 4096u
/* Used of the arena at first: docs/PERFORMANCE.md, "How soon, and how much at once". */
#define LIMIT_FIRST (14u << 20)

/* Blocks begin where lines of the CPU's caches do: rows of the comparison scatter less from run to
 * run (docs/PERFORMANCE.md, "Indirect jumps"). */
#define BLOCK_ALIGN 64u
/* What the largest unit may take. */
#define UNIT_SITES BT_MAX_INSNS
#define UNIT_SLOTS 260u
_Static_assert(UNIT_SLOTS >= TU_MAX_EXITS, "every exit of a unit may become a slot");

struct sizes {
    uint32_t sites, slots, blocks, pages, hash, page_hash;
};

static uint32_t power_of_two(uint32_t at_least)
{
    uint32_t n = 1;

    while (n < at_least)
        n *= 2;
    return n;
}

static struct sizes sizes_for(size_t arena_size)
{
    VMM_CHECK(arena_size <= INT32_MAX); /* transfers have displacements of 32 bits */
    uint32_t arena = (uint32_t)arena_size;

    return (struct sizes){.sites = arena / ARENA_PER_SITE + UNIT_SITES,
                          .slots = arena / ARENA_PER_SLOT + UNIT_SLOTS,
                          .blocks = arena / ARENA_PER_BLOCK + 1,
                          .pages = arena / ARENA_PER_PAGE + 1,
                          .hash = power_of_two(arena / ARENA_PER_BUCKET),
                          .page_hash = power_of_two(arena / ARENA_PER_PAGE_BUCKET)};
}

/* Reserves `count` elements at offset *at; aligned for all of them. */
static size_t reserve(size_t *at, uint32_t count, size_t each)
{
    size_t offset = (*at + 63) & ~(size_t)63;

    *at = offset + count * each;
    return offset;
}

/* Sets the arrays up in `memory`; returns the bytes they take. memory NULL: only that. */
static size_t lay_out(struct code_cache *c, uint8_t *memory, const struct sizes *s)
{
    size_t at = 0;
    size_t hash = reserve(&at, s->hash, sizeof *c->hash);
    size_t page_hash = reserve(&at, s->page_hash, sizeof *c->code.hash);
    size_t pages = reserve(&at, s->pages, sizeof(struct cache_page));
    size_t blocks = reserve(&at, s->blocks, sizeof *c->blocks);
    size_t sites = reserve(&at, s->sites, sizeof *c->sites);
    size_t slots = reserve(&at, s->slots, sizeof *c->slots);

    if (memory) {
        c->hash = (struct bt_block **)(void *)(memory + hash);
        code_map_init(&c->code, PAGE_TRANSLATED, memory + pages, sizeof(struct cache_page),
                      s->pages, (struct code_page **)(void *)(memory + page_hash),
                      s->page_hash - 1);
        c->blocks = (struct bt_block *)(void *)(memory + blocks);
        c->sites = (struct bt_site *)(void *)(memory + sites);
        c->slots = (struct bt_slot *)(void *)(memory + slots);
    }
    return (at + 63) & ~(size_t)63;
}

size_t cache_size(size_t arena_size)
{
    struct sizes s = sizes_for(arena_size);

    return lay_out(NULL, NULL, &s);
}

/* As if the arena were so large. Only while the hashes are empty. */
static void set_limit(struct code_cache *c, uint32_t limit)
{
    struct sizes s = sizes_for(limit);

    c->limit = limit;
    c->block_max = s.blocks;
    c->site_max = s.sites;
    c->slot_max = s.slots;
    c->hash_mask = s.hash - 1;
    c->code.hash_mask = s.page_hash - 1;
}

void cache_init(struct code_cache *c, void *memory, const struct host_code_arena *arena)
{
    struct sizes s = sizes_for(arena->size);

    memset(c, 0, sizeof *c);
    c->arena = arena;
    lay_out(c, memory, &s); /* zeros already: what is not written costs the host nothing */
    set_limit(c, arena->size < LIMIT_FIRST ? (uint32_t)arena->size : LIMIT_FIRST);
}

bool cache_has_room(const struct code_cache *c)
{
    return c->site_max - c->sites_done >= UNIT_SITES && c->slot_max - c->slots_done >= UNIT_SLOTS &&
           c->block_count < c->block_max && code_map_has_room(&c->code, 1) &&
           c->at + (BLOCK_ALIGN - 1) + TU_MAX_BYTES <= c->limit;
}

/* ---- flushes ---- */

/* The block's place in `before`. */
static uint32_t before_of(gla_t gla, gpa_t gpa)
{
    return (gla ^ (uint32_t)(gpa >> GUEST_PAGE_SHIFT) * 0x85ebca6bu) * 2654435761u >> 13;
}
_Static_assert(CACHE_BEFORE == 1u << 19, "before_of() has 19 bits");

static void note_live(struct code_cache *c)
{
    memset(c->before, 0, sizeof c->before);
    for (uint32_t n = 0; n < c->block_count; n++) {
        uint32_t at = before_of(c->blocks[n].gla, c->blocks[n].gpa);

        if (!c->blocks[n].dead)
            c->before[at / 64] |= 1ull << at % 64;
    }
}

/* The block is complete: was it there before the last flush? Each counts once. */
static void count_again(struct code_cache *c, const struct bt_block *b)
{
    uint32_t at = before_of(b->gla, b->gpa);

    if (c->before[at / 64] & 1ull << at % 64)
        c->again += b->end - b->entry;
    c->before[at / 64] &= ~(1ull << at % 64);
}

void cache_flush(struct vcpu *v, struct code_cache *c)
{
    uint32_t left = (uint32_t)c->arena->size - c->limit;

    note_live(c);
    code_map_forget(&c->code, v->vm);
    memset(c->hash, 0, (c->hash_mask + 1) * sizeof *c->hash);
    if (c->again > c->limit / 2)
        set_limit(c, c->limit + (c->limit < left ? c->limit : left));
    c->again = 0;
    c->at = c->fixed;
    c->block_count = c->site_count = c->slot_count = c->sites_done = c->slots_done = 0;
    jump_maps_flush(v);
}

/* ---- blocks ---- */

/* Blocks of one physical page at several linear addresses are rare, so the linear address has to
 * spread; the physical page keeps the processes of a guest apart. */
static uint32_t hash_of(const struct code_cache *c, gla_t gla, gpa_t gpa)
{
    uint32_t x = (gla ^ (uint32_t)(gpa >> GUEST_PAGE_SHIFT) * 0x85ebca6bu) * 2654435761u;

    return (x ^ x >> 15) & c->hash_mask;
}

struct bt_block *cache_find(const struct code_cache *c, gla_t gla, gpa_t gpa, uint32_t ctx)
{
    struct bt_block *b = c->hash[hash_of(c, gla, gpa)];

    while (b && (b->gla != gla || b->gpa != gpa || b->ctx != ctx))
        b = b->hash_next;
    return b;
}

void cache_unhash(struct code_cache *c, struct bt_block *b)
{
    struct bt_block **at = &c->hash[hash_of(c, b->gla, b->gpa)];

    while (*at != b) {
        VMM_CHECK(*at);
        at = &(*at)->hash_next;
    }
    *at = b->hash_next;
}

struct bt_block *cache_block_begin(struct code_cache *c, gla_t gla, gpa_t gpa, uint32_t ctx)
{
    VMM_CHECK(c->block_count < c->block_max);
    struct bt_block *b = &c->blocks[c->block_count];
    uint32_t entry = (c->at + BLOCK_ALIGN - 1) & ~(BLOCK_ALIGN - 1);

    c->site_count = c->sites_done;
    c->slot_count = c->slots_done;
    *b = (struct bt_block){.gla = gla,
                           .gpa = gpa,
                           .ctx = ctx,
                           .entry = entry,
                           .hot_end = entry,
                           .end = entry,
                           .first_site = c->site_count,
                           .first_slot = c->slot_count};
    return b;
}

struct bt_site *cache_site_add(struct code_cache *c, struct bt_block *b, const struct xinsn *x,
                               gla_t eip, uint32_t host, int esp_undo)
{
    VMM_CHECK(c->site_count < c->site_max && esp_undo == (int16_t)esp_undo);
    struct bt_site *s = &c->sites[c->site_count];

    *s = (struct bt_site){.x = x,
                          .host = host,
                          .eip = eip,
                          .esp_undo = (int16_t)esp_undo,
                          .index = (uint8_t)(c->site_count - b->first_site),
                          .block = (uint32_t)(b - c->blocks)};
    c->site_count++;
    return s;
}

struct bt_slot *cache_slot_add(struct code_cache *c, struct bt_block *from, uint32_t site,
                               gla_t target)
{
    VMM_CHECK(c->slot_count < c->slot_max);
    struct bt_slot *s = &c->slots[c->slot_count++];

    *s = (struct bt_slot){.site = site, .target = target, .from = from};
    from->slot_count++;
    return s;
}

void cache_block_insert(struct vcpu *v, struct code_cache *c, struct bt_block *b, uint32_t end)
{
    struct bt_block **bucket = &c->hash[hash_of(c, b->gla, b->gpa)];

    VMM_CHECK(b == &c->blocks[c->block_count] && end >= b->hot_end && end <= c->arena->size);
    c->stats = &v->stats;
    c->block_count++;
    c->sites_done = c->site_count;
    c->slots_done = c->slot_count;
    c->at = end;
    b->end = end;
    b->hash_next = *bucket;
    *bucket = b;
    count_again(c, b);
    cache_page_add(v, c, b);
    v->stats.bt_blocks++;
    v->stats.bt_bytes_guest += b->bytes;
    v->stats.bt_bytes_host += end - b->entry;
}

/* ---- sites ---- */

/* Dead blocks have sites too: one may be running still. Called by the host's trap handler. */
struct bt_site *cache_site_at(const struct code_cache *c, uint32_t host)
{
    uint32_t low = 0, high = c->sites_done; /* the site is before high */

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (c->sites[middle].host <= host)
            low = middle + 1;
        else
            high = middle;
    }
    if (!low)
        return NULL;
    struct bt_site *s = &c->sites[low - 1];
    return host < c->blocks[s->block].hot_end ? s : NULL;
}
