/* SPDX-License-Identifier: MIT */
/* uses: bt/cache/ */
/*
 * bt_cache.c - the code cache against a naive model: random insertions, links, writes to code and
 * flushes; after every step all tables must say what the model says. The host code is never run, so
 * the arena is plain memory.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bt/cache/cache.h"
#include "bt/run/run_priv.h"
#include "host/linux/jump_map.h"
#include "monitor/cpu/vm.h"
#include "monitor/interp/block.h"
#include "shadow-mmu/access.h"
#include "shadow-mmu/mmu.h"
#include "tests/rig/null_host.h"

#define RAM_PAGES 64u
#define ARENA     (256u << 10)
#define FIXED     512u
#define MAX       1024u

static struct vm vm;
static struct null_world world;
static struct vmm_host host;
static struct vcpu *v;
static struct code_cache *c;
static struct host_code_arena arena;
static uint64_t seed = 0x2545f4914f6cdd1d;

static uint32_t rnd(uint32_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 20) % below;
}

static void *zeroed(size_t size)
{
    void *p = aligned_alloc(64, (size + 63) & ~(size_t)63);

    return p ? memset(p, 0, size) : NULL;
}

static void start(void)
{
    arena = (struct host_code_arena){.size = ARENA};
    arena.rw = zeroed(ARENA);
    arena.rx = arena.rw;
    host = null_host(&world);
    v = zeroed(sizeof *v);
    null_vm(&vm, &world, &host, v, NULL, RAM_PAGES << GUEST_PAGE_SHIFT, NULL);
    v->bt.jump_miss = (uintptr_t)arena.rx;
    cr_assert(world.cpu_host.jump_map[0] || jump_maps_create(&world.cpu_host) == 0);
    jump_map_init(v, zeroed(HOST_JUMP_MAPS * sizeof *v->bt.jump));
    v->translator = zeroed(sizeof *v->translator);
    bt_hear(v);
    mmu_flush_all(v);
    c = &v->translator->cache;
    cache_init(c, zeroed(cache_size(ARENA)), &arena);
    c->fixed = c->at = FIXED;
}

static uint32_t displacement_target(uint32_t site)
{
    uint32_t disp;

    memcpy(&disp, arena.rw + site, 4);
    return site + 4 + disp;
}

/* A block of `insns` instructions of 3 bytes and 20 bytes of host code each, `slots` slots, 40
 * bytes of cold code. */
static struct bt_block *make_block(gla_t gla, gpa_t gpa, uint32_t ctx, unsigned insns,
                                   unsigned slots)
{
    struct bt_block *b = cache_block_begin(c, gla, gpa, ctx);
    struct emit e = {.rw = arena.rw, .at = b->entry, .end = (uint32_t)arena.size};

    for (unsigned n = 0; n < insns; n++) {
        struct bt_site *s = cache_site_add(c, b, NULL, gla + 3 * n, e.at, -(int)n * 4);
        cr_assert(s->index == n && &c->blocks[s->block] == b);
        for (unsigned k = 0; k < 20; k++)
            emit8(&e, 0x90);
    }
    b->insns = (uint16_t)insns;
    b->bytes = (uint16_t)(3 * insns);
    b->hot_end = e.at;
    for (unsigned n = 0; n < slots; n++) {
        struct bt_slot *s = cache_slot_add(c, b, b->entry + 20 * n + 3, gla + 8 * n);
        s->stub = e.at + n;
        emit_patch32(arena.rw, s->site, s->stub);
    }
    for (unsigned k = 0; k < 40; k++)
        emit8(&e, 0xcc);
    cache_block_insert(v, c, b, e.at);
    return b;
}

/* ---- the model ---- */

struct model_block {
    struct bt_block *b;
    gla_t gla;
    gpa_t gpa;
    uint32_t ctx, entry, hot_end, end;
    unsigned bytes;
    bool live;
};

struct model_slot {
    struct bt_slot *s;
    unsigned from;
    int to; /* -1: unlinked */
};

static struct model_block blocks[MAX];
static struct model_slot slots[MAX];
static unsigned block_count, slot_count;

/* Blocks lie on the first 8 pages from 0 and from 0xc0000000 on. */
#define JUMPS 0x10000u
static struct {
    bool set;
    unsigned block;
} jumps[2][JUMPS];

static unsigned jump_index(gla_t gla)
{
    return gla >> 31 << 15 | (gla & 0x7fff);
}

static gla_t jump_address(unsigned n)
{
    return (n & 0x8000 ? 0xc0000000u : 0) | (n & 0x7fff);
}

static uint64_t rx_of(unsigned n)
{
    return (uintptr_t)(arena.rx + blocks[n].entry);
}

static void model_clear(void)
{
    block_count = slot_count = 0;
    memset(jumps, 0, sizeof jumps);
}

static bool overlaps(const struct model_block *m, gpa_t page, unsigned first, unsigned last)
{
    return m->live && m->gpa <= page + last && page + first < m->gpa + m->bytes;
}

static unsigned model_kill(gpa_t page, unsigned first, unsigned last)
{
    unsigned killed = 0;

    for (unsigned n = 0; n < block_count; n++) {
        if (!overlaps(&blocks[n], page, first, last))
            continue;
        blocks[n].live = false;
        killed++;
        for (unsigned k = 0; k < slot_count; k++)
            if (slots[k].from == n || slots[k].to == (int)n)
                slots[k].to = -1;
        for (unsigned user = 0; user < 2; user++)
            for (unsigned i = 0; i < JUMPS; i++)
                if (jumps[user][i].set && jumps[user][i].block == n)
                    jumps[user][i].set = false;
    }
    return killed;
}

/* ---- invariants ---- */

static void check_blocks(void)
{
    bool marked[RAM_PAGES] = {false};

    for (unsigned n = 0; n < block_count; n++) {
        const struct model_block *m = &blocks[n];
        struct bt_block *found = cache_find(c, m->gla, m->gpa, m->ctx);

        cr_assert(m->b->dead == !m->live, "block %u: dead is wrong", n);
        cr_assert(m->live ? found == m->b : found != m->b, "block %u: found is wrong", n);
        cr_assert(m->live || !m->b->in, "a dead block has links in");
        if (m->live)
            marked[m->gpa >> GUEST_PAGE_SHIFT] = true;
        unsigned in = 0, expected = 0;
        for (const struct bt_slot *s = m->b->in; s; s = s->next_in, in++)
            cr_assert(s->to == m->b && *s->in_at == s);
        for (unsigned k = 0; k < slot_count; k++)
            expected += slots[k].to == (int)n;
        cr_assert(in == expected, "block %u: %u links in, not %u", n, in, expected);
    }
    for (unsigned p = 0; p < RAM_PAGES; p++)
        cr_assert((vm.page[p] & PAGE_TRANSLATED) == (marked[p] ? PAGE_TRANSLATED : 0),
                  "page %u: mark is wrong", p);
}

static void check_slots(void)
{
    for (unsigned k = 0; k < slot_count; k++) {
        const struct model_slot *m = &slots[k];
        uint32_t to = displacement_target(m->s->site);

        cr_assert(m->s->to == (m->to < 0 ? NULL : blocks[m->to].b), "slot %u", k);
        cr_assert(to == (m->to < 0 ? m->s->stub : blocks[m->to].entry), "slot %u leads to %u", k,
                  to);
    }
}

/* As the translated code sees it. */
static bool is_empty(unsigned user, gla_t gla)
{
    return v->bt.jump[user].entry[gla] == 0;
}

static bool leads_to(unsigned user, gla_t gla, uint64_t entry)
{
    return v->bt.jump_miss + (uint64_t)(int64_t)v->bt.jump[user].entry[gla] == entry &&
           jump_map_find(v, user, gla) == entry;
}

static void check_jumps(void)
{
    for (unsigned user = 0; user < 2; user++) {
        const struct bt_jump_map *m = &v->bt.jump[user];
        unsigned live = 0, counted = 0;

        for (unsigned n = 0; n < JUMPS; n++) {
            gla_t gla = jump_address(n);
            if (!jumps[user][n].set) {
                cr_assert(is_empty(user, gla), "class %u entry %x is not empty", user, gla);
                continue;
            }
            live++;
            cr_assert(leads_to(user, gla, rx_of(jumps[user][n].block)), "class %u entry %x", user,
                      gla);
        }
        for (unsigned n = 0; n < BT_JUMP_PAGES; n++)
            counted += m->page_live[n];
        cr_assert(live == counted, "%u entries, counted %u", live, counted);
    }
}

static void check_sites(void)
{
    for (unsigned k = 0; k < 20 && block_count; k++) {
        const struct model_block *m = &blocks[rnd(block_count)];
        uint32_t at = m->entry + rnd(m->end + 16 - m->entry);
        const struct bt_site *s = cache_site_at(c, at);

        if (at >= m->end)
            continue; /* alignment, or the next block */
        if (at >= m->hot_end) {
            cr_assert(!s, "cold code has a site");
            continue;
        }
        cr_assert(s && s->host <= at && at < s->host + 20 && s->eip == m->gla + 3 * s->index &&
                      s->esp_undo == -4 * s->index,
                  "site at %x", at);
    }
    cr_assert(!cache_site_at(c, rnd(FIXED)) && !cache_site_at(c, c->at));
}

static void check_all(void)
{
    check_blocks();
    check_slots();
    check_sites();
}

/* ---- random steps ---- */

static void step_insert(void)
{
    static const uint32_t contexts[] = {0x80000000, 0x80000003, 0x80020003};
    unsigned insns = 1 + rnd(64), page = rnd(6);
    unsigned off = rnd(GUEST_PAGE_SIZE - 3 * insns + 1);
    gla_t gla = (rnd(2) ? 0xc0000000u : 0) + (page << GUEST_PAGE_SHIFT) + off;
    gpa_t gpa = (page << GUEST_PAGE_SHIFT) + off;
    uint32_t ctx = contexts[rnd(3)];

    if (block_count == MAX || cache_find(c, gla, gpa, ctx) || slot_count + 4 > MAX)
        return;
    if (rnd(8) == 0) { /* a translation that was given up */
        struct bt_block *b = cache_block_begin(c, gla, gpa, ctx);
        cache_site_add(c, b, NULL, gla, b->entry, 0);
        cache_slot_add(c, b, b->entry + 1, gla);
    }
    unsigned n_slots = rnd(insns < 4 ? insns : 4);
    struct bt_block *b = make_block(gla, gpa, ctx, insns, n_slots);
    cr_assert(b->entry % 64 == 0 && c->at == b->end);
    for (unsigned k = 0; k < n_slots; k++)
        slots[slot_count++] =
            (struct model_slot){.s = &c->slots[b->first_slot + k], .from = block_count, .to = -1};
    blocks[block_count++] =
        (struct model_block){b, gla, gpa, ctx, b->entry, b->hot_end, b->end, 3 * insns, true};
}

static void step_link(void)
{
    if (!slot_count)
        return;
    struct model_slot *m = &slots[rnd(slot_count)];
    unsigned to = rnd(block_count);

    if (!blocks[m->from].live || !blocks[to].live)
        return;
    cache_link(c, m->s, blocks[to].b);
    m->to = (int)to;
}

static void step_unlink(void)
{
    if (!slot_count)
        return;
    struct model_slot *m = &slots[rnd(slot_count)];

    cache_unlink(c, m->s);
    m->to = -1;
}

static void step_write(void)
{
    gpa_t page = rnd(7) << GUEST_PAGE_SHIFT;
    unsigned first = rnd(GUEST_PAGE_SIZE), last = first + rnd(rnd(4) ? 4 : 600);

    if (rnd(50) == 0)
        first = 0, last = GUEST_PAGE_MASK;
    if (last > GUEST_PAGE_MASK)
        last = GUEST_PAGE_MASK;
    unsigned before = cache_page_invalidations(c, page);
    unsigned expected = model_kill(page, first, last);
    cr_assert(cache_written(v, c, page, first, last) == expected, "kills %u", expected);
    cr_assert(cache_page_invalidations(c, page) == before + (expected != 0));
}

static void step_jump(void)
{
    if (!block_count)
        return;
    unsigned n = rnd(block_count), user = rnd(2);

    if (!blocks[n].live)
        return;
    unsigned i = jump_index(blocks[n].gla);
    jump_map_put(v, user, blocks[n].gla, rx_of(n));
    jumps[user][i].set = true;
    jumps[user][i].block = n;
}

static void step_jump_flush(void)
{
    if (rnd(4) == 0) {
        unsigned user = rnd(2);
        jump_map_flush(v, user);
        memset(jumps[user], 0, sizeof jumps[user]);
        return;
    }
    gla_t page = (rnd(2) ? 0xc0000000u : 0) + (rnd(6) << GUEST_PAGE_SHIFT);
    jump_map_flush_page(v, page + rnd(GUEST_PAGE_SIZE));
    for (unsigned user = 0; user < 2; user++)
        for (unsigned n = 0; n < JUMPS; n++)
            if ((jump_address(n) ^ page) >> GUEST_PAGE_SHIFT == 0)
                jumps[user][n].set = false;
}

Test(bt_cache, random_steps_keep_all_invariants, .timeout = 120)
{
    static uint8_t empty_arena[ARENA];
    unsigned flushes = 0;

    start();
    memcpy(empty_arena, arena.rw, FIXED);
    for (unsigned n = 0; n < 10000; n++) {
        unsigned what = rnd(100);

        if (!cache_has_room(c) || block_count == MAX || slot_count + 4 > MAX || rnd(5000) == 0) {
            cache_flush(v, c);
            model_clear();
            flushes++;
            check_jumps();
            cr_assert(c->at == FIXED && memcmp(empty_arena, arena.rw, FIXED) == 0);
        }
        if (what < 30)
            step_insert();
        else if (what < 60)
            step_link();
        else if (what < 70)
            step_unlink();
        else if (what < 80)
            step_write();
        else if (what < 95)
            step_jump();
        else
            step_jump_flush();
        check_all();
        if (n % 16 == 0)
            check_jumps();
    }
    cr_expect(flushes >= 5 && v->stats.bt_links > v->stats.bt_unlinks && v->stats.bt_unlinks &&
              v->stats.bt_invalidations && v->stats.bt_blocks && v->stats.bt_bytes_host);
}

/* ---- single facts ---- */

Test(bt_cache, unlink_is_the_inverse_of_link)
{
    static uint8_t before[ARENA];

    start();
    struct bt_block *a = make_block(0x1000, 0x1000, 1, 4, 3),
                    *b = make_block(0x1100, 0x1100, 1, 4, 0);
    memcpy(before, arena.rw, ARENA);
    struct bt_slot *s = &c->slots[a->first_slot + 1];
    cache_link(c, s, b);
    cr_expect(memcmp(before, arena.rw, ARENA) && displacement_target(s->site) == b->entry);
    cache_link(c, s, a); /* to itself, by way of another target */
    cr_expect(!b->in && a->in == s && displacement_target(s->site) == a->entry);
    cache_unlink(c, s);
    cache_unlink(c, s);
    cr_expect(memcmp(before, arena.rw, ARENA) == 0 && !a->in && !s->to);
    cache_link(c, s, a);
    cr_expect(cache_invalidate(v, c, 0x1000, 0, 0) == 1 && a->dead && !b->dead);
    cr_expect(memcmp(before, arena.rw, ARENA) == 0);
}

Test(bt_cache, room_is_what_a_unit_may_take)
{
    unsigned count = 0;

    start();
    for (; cache_has_room(c); count++)
        make_block(count, count % 4000, 1, 20, 0);
    cr_expect(c->at + 63 + TU_MAX_BYTES > ARENA && count > 300);
    cache_flush(v, c);
    for (count = 0; cache_has_room(c); count++) { /* the shortest: other arrays fill up */
        struct bt_block *b = cache_block_begin(c, count, count % 4000, 1);
        for (unsigned n = 0; n < BT_MAX_INSNS; n++)
            cache_site_add(c, b, NULL, count, b->entry + n, 0);
        for (unsigned n = 0; n < TU_MAX_EXITS; n++)
            cache_slot_add(c, b, b->entry, count);
        b->bytes = 1;
        b->hot_end = b->entry + BT_MAX_INSNS;
        cache_block_insert(v, c, b, b->hot_end);
    }
    cr_expect(c->slot_max - c->slot_count < 260 && c->slot_count <= c->slot_max);
    cache_flush(v, c);
    cr_expect(cache_has_room(c) && !cache_find(c, 0, 0, 1) && !cache_site_at(c, FIXED));
}

Test(bt_cache, marking_a_page_drops_its_write_tags)
{
    start();
    v->cr0 = CR0_PE;
    for (unsigned n = 0; n < SEG_COUNT; n++)
        v->seg[n].acc = SEG_ACC_R | SEG_ACC_W;
    struct tlb_entry *t = &v->tlb.entry[0][tlb_index(0x5000)];
    lin_write32(v, 0x5010, 1, 0);
    cr_assert(tlb_hit(t->tag_w, 0x5010, 4));
    struct bt_block *b = make_block(0x5100, 0x5100, 1, 2, 0);
    cr_expect(!tlb_hit(t->tag_w, 0x5010, 4));
    lin_write32(v, 0x5010, 2, 0);
    cr_expect(!tlb_hit(t->tag_w, 0x5010, 4) && !b->dead);
    cr_expect(cache_invalidate(v, c, 0x5000, 0xff, 0xff) == 0);
    cr_expect(cache_invalidate(v, c, 0x5000, 0x106, 0xfff) == 0);
    cr_expect(cache_invalidate(v, c, 0x6000, 0, 0xfff) == 0);
    cr_expect(vm.page[5] & PAGE_TRANSLATED);
    cr_expect(cache_written(v, c, 0x5000, 0x105, 0x105) == 1);
    cr_expect(!(vm.page[5] & PAGE_TRANSLATED) && cache_page_invalidations(c, 0x5123) == 1);
    c->spent += NS_PER_SEC;
    cr_expect(cache_page_invalidations(c, 0x5123) == 0, "long ago in CPU time");
    c->spent -= NS_PER_SEC;
    /* Two CPUs: the mark stays as long as one of them has a block. */
    struct vcpu *w = vm.cpu[1] = zeroed(sizeof *w);
    struct bt *theirs = w->translator = zeroed(sizeof *theirs);
    w->bt.jump = theirs->jump;
    w->vm = &vm;
    vm.cpu_count = 2;
    mmu_init(w);
    bt_hear(w);
    mmu_flush_all(w);
    cache_init(&theirs->cache, zeroed(cache_size(ARENA)), &arena);
    make_block(0x5100, 0x5100, 1, 2, 0);
    struct code_cache *mine = c;
    struct vcpu *me = v;
    c = &theirs->cache, v = w;
    c->fixed = c->at = ARENA / 2;
    make_block(0x5200, 0x5200, 1, 2, 0);
    c = mine, v = me;
    cr_expect(cache_invalidate(v, c, 0x5000, 0, 0xfff) == 1 && vm.page[5] & PAGE_TRANSLATED);
    cr_expect(cache_invalidate(w, &theirs->cache, 0x5000, 0, 0xfff) == 1);
    cr_expect(!(vm.page[5] & PAGE_TRANSLATED));
}

static size_t resident(void *p, size_t size)
{
    static unsigned char page[1u << 22];
    size_t count = 0;

    cr_assert(size / 4096 < sizeof page && mincore(p, size, page) == 0);
    for (size_t i = 0; i < (size + 4095) / 4096; i++)
        count += page[i] & 1;
    return 4096 * count;
}

/* A cache may be as big as it likes: what counts is the code in it. */
Test(bt_cache, memory_follows_use)
{
    struct host_code_arena big = {.size = 1u << 30};
    size_t size = cache_size(big.size);
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);

    start();
    cr_assert(p != MAP_FAILED);
    madvise(p, size, MADV_NOHUGEPAGE); /* and nothing that its neighbours may get for it */
    big.rw = arena.rw;
    cache_init(c, p, &big);
    cr_expect_eq(resident(p, size), 0);
    c->fixed = c->at = FIXED;
    for (gla_t gla = 0x1000; gla < 0x2000; gla += 256)
        make_block(gla, gla, 1, 4, 2);
    /* a bucket for each block, one for the page, and up to two pages of each other array */
    cr_expect(resident(p, size) <= (16 + 1 + 8) * 4096, "%zu", resident(p, size));
    munmap(p, size);
}

/* ---- the limit ---- */

#define LARGE (40u << 20)
#define FIRST (14u << 20)

static void start_large(void)
{
    start();
    arena.size = LARGE;
    arena.rw = zeroed(LARGE);
    arena.rx = arena.rw;
    cache_init(c, zeroed(cache_size(LARGE)), &arena);
    c->fixed = c->at = FIXED;
}

/* Blocks one after the other from gla on, until the cache is full; then a flush. Returns the bytes
 * that were used. */
static uint32_t fill(gla_t gla)
{
    for (; cache_has_room(c); gla += 256)
        make_block(gla, gla & (vm.ram_size - 1), 1, 64, 2);
    uint32_t used = c->at;
    cache_flush(v, c);
    return used;
}

Test(bt_cache, what_is_made_again_and_again_gets_more_of_the_arena)
{
    start_large();
    cr_expect_leq(fill(0), FIRST);
    cr_expect_leq(fill(0x10000000), FIRST); /* other code: it goes without the first */
    cr_expect_leq(fill(0x20000000), FIRST);
    cr_expect_leq(fill(0x20000000), FIRST); /* but not without this */
    uint32_t used = fill(0x20000000);       /* half of it is new */
    cr_expect(used > 2 * FIRST - (1u << 20) && used <= 2 * FIRST, "%u", used);
    cr_expect_leq(fill(0x20000000), 2 * FIRST);
    used = fill(0x20000000);
    cr_expect(used > LARGE - (1u << 20) && used <= LARGE, "%u", used);
    cr_expect(cache_find(c, 0x20000000, 0, 1) == NULL);
}

/* A guest that writes code anew all the time needs no more room for it. */
Test(bt_cache, what_is_written_and_made_again_counts_once)
{
    start_large();
    for (unsigned round = 0; round < 4; round++) {
        for (; cache_has_room(c); cache_invalidate(v, c, 0x1000, 0, 0xfff))
            make_block(0x1000, 0x1000, 1, 64, 2);
        cr_expect_leq(c->at, FIRST);
        cache_flush(v, c);
    }
}
