/* SPDX-License-Identifier: MIT */
/*
 * jump_map.c - the map through which jumps find translated code (monitor/cpu/bt_cpu.h,
 * docs/codegen.md section 6).
 *
 * How        Flat: an entry for each linear address, so that a jump need not ask whether what it
 *            found is what it looked for. The host gives it memory page by page. Emptying the map
 *            costs in proportion to what was put since it was empty, because used[] remembers
 *            where. page_live[] counts the entries per linear page, so that INVLPG of a page
 *            without any costs two loads.
 * Memory     Pieces are counted. A full map may have twice as many if it became full soon, by code
 *            that had been translated before: filling a piece again costs some 2 us, so less than
 *            an eighth of the time goes into that. At the last bound, or when there is time, memory
 *            goes back block by block, chosen at random: of a working set that is a little too
 *            large most stays. A map that has not been full for seconds, of which the guest had the
 *            CPU for one, begins anew with the first bound.
 * Invariant  Every entry that is not empty is named in used[], unless used_count exceeds its size;
 *            lies on a piece whose bit is set in written[]; and counts in page_live[].
 */
#include "bt/cache/cache.h"
#include "include/ring1/mem.h"
#include "monitor/cpu/vcpu.h"
#include "monitor/cpu/vm.h"

/* If pieces are taken more often than one in this CPU time, the map is too small. */
#define PIECE_NS      16000ull
#define REST_NS       4000000000ull
#define REST_SPENT_NS 1000000000ull
#define PIECE         (1u << BT_JUMP_PIECE_SHIFT)
#define BLOCK         (1u << BT_JUMP_BLOCK_SHIFT)

static uint32_t *live_of(struct bt_jump_map *m, gla_t gla)
{
    return &m->page_live[gla >> GUEST_PAGE_SHIFT & (BT_JUMP_PAGES - 1)];
}

static void entry_empty(struct bt_jump_map *m, gla_t gla)
{
    if (!m->entry[gla])
        return;
    --*live_of(m, gla);
    m->entry[gla] = 0;
}

static uint64_t *written_of(struct bt_jump_map *m, gla_t gla)
{
    unsigned piece = gla >> BT_JUMP_PIECE_SHIFT & (BT_JUMP_PIECES - 1);

    return &m->written[gla >> BT_JUMP_BLOCK_SHIFT][piece / 64];
}

static uint64_t written_bit(gla_t gla)
{
    return 1ull << (gla >> BT_JUMP_PIECE_SHIFT & 63);
}

static bool is_written(struct bt_jump_map *m, gla_t gla)
{
    return *written_of(m, gla) & written_bit(gla);
}

/* ---- all of it ---- */

static void forget_all(struct vcpu *v, unsigned map)
{
    struct bt_jump_map *m = &v->bt.jump[map];

    for (unsigned n = 0; n < BT_JUMP_BLOCKS; n++)
        if (m->block_written[n])
            memset(m->written[n], 0, sizeof m->written[n]);
    memset(m->block_written, 0, sizeof m->block_written);
    if (m->written_count) /* else it is empty, and perhaps has no memory yet */
        memset(m->page_live, 0, sizeof m->page_live);
    memset(m->open, 0, sizeof m->open);
    m->used_count = m->written_count = m->full_count = 0;
    m->written_max = BT_JUMP_WRITTEN(map);
}

/* The memory goes back to the host, with the tables of its pages. */
static void clear(struct vcpu *v, unsigned map)
{
    const struct vcpu_host *h = v->host;

    h->jump_map_clear(h->opaque, (uint64_t)(uintptr_t)v->bt.jump[map].entry);
    forget_all(v, map);
    v->stats.bt_jump_clears++;
}

void jump_map_rest(struct vcpu *v, ns_t now, ns_t spent)
{
    for (unsigned map = 0; map < HOST_JUMP_MAPS; map++) {
        struct bt_jump_map *m = &v->bt.jump[map];

        if (m->written_max > BT_JUMP_WRITTEN(map) && now - m->full_at >= REST_NS &&
            spent - m->full_spent >= REST_SPENT_NS)
            clear(v, map);
    }
}

/* ---- a part of it ---- */

static void piece_forget(struct bt_jump_map *m, gla_t piece)
{
    for (gla_t n = 0; n < PIECE; n++)
        if (m->entry[piece + n])
            --*live_of(m, piece);
}
_Static_assert(BT_JUMP_PIECE_SHIFT <= GUEST_PAGE_SHIFT, "a piece is of one page");

static void block_drop(struct vcpu *v, struct bt_jump_map *m, gla_t block)
{
    const struct vcpu_host *h = v->host;
    uint16_t *count = &m->block_written[block >> BT_JUMP_BLOCK_SHIFT];

    for (gla_t n = 0; n < BLOCK; n += PIECE)
        if (is_written(m, block + n))
            piece_forget(m, block + n);
    h->jump_map_drop(h->opaque, (uint64_t)(uintptr_t)&m->entry[block], sizeof *m->entry * BLOCK);
    memset(m->written[block >> BT_JUMP_BLOCK_SHIFT], 0, sizeof m->written[0]);
    m->written_count -= *count;
    *count = 0;
    v->stats.bt_jump_drops++;
}

/* Drops blocks until only `most` pieces are left. */
static void shrink(struct vcpu *v, struct bt_jump_map *m, uint32_t most)
{
    while (m->written_count > most) {
        m->random = m->random * 1664525u + 1013904223u;
        unsigned n = m->random >> BT_JUMP_BLOCK_SHIFT;
        while (!m->block_written[n])
            n = (n + 1) % BT_JUMP_BLOCKS;
        block_drop(v, m, n << BT_JUMP_BLOCK_SHIFT);
    }
}

static void when_full(struct vcpu *v, struct bt_jump_map *m)
{
    ns_t spent = vcpu_spent(v->vm, v->host);
    uint32_t more = m->written_count - m->full_count;
    uint64_t blocks = v->stats.bt_blocks;

    if (spent - m->full_spent < more * PIECE_NS && blocks - m->full_blocks < more / 2 &&
        m->written_max < BT_JUMP_WRITTEN_MOST) {
        m->written_max *= 2;
        if (m->written_max > BT_JUMP_WRITTEN_MOST)
            m->written_max = BT_JUMP_WRITTEN_MOST;
    } else {
        shrink(v, m, m->written_max - m->written_max / 8);
    }
    m->full_at = vm_now(v->vm);
    m->full_spent = spent;
    m->full_blocks = blocks;
    m->full_count = m->written_count;
}

static bool chunk_open(struct vcpu *v, struct bt_jump_map *m, gla_t gla)
{
    const struct vcpu_host *h = v->host;
    bool *open = &m->open[gla >> BT_JUMP_CHUNK_SHIFT];
    gla_t first = gla & ~((1u << BT_JUMP_CHUNK_SHIFT) - 1);

    *open = *open || h->jump_map_open(h->opaque, (uint64_t)(uintptr_t)&m->entry[first],
                                      sizeof *m->entry << BT_JUMP_CHUNK_SHIFT) == 0;
    return *open;
}

static bool make_room(struct vcpu *v, struct bt_jump_map *m, gla_t gla)
{
    if (is_written(m, gla))
        return true;
    if (m->written_count == m->written_max)
        when_full(v, m);
    if (!chunk_open(v, m, gla))
        return false;
    *written_of(m, gla) |= written_bit(gla);
    m->block_written[gla >> BT_JUMP_BLOCK_SHIFT]++;
    m->written_count++;
    return true;
}

/* ---- entries ---- */

void jump_map_init(struct vcpu *v, struct bt_jump_map *maps)
{
    const struct vcpu_host *h = v->host;

    v->bt.jump = maps;
    for (unsigned map = 0; map < HOST_JUMP_MAPS; map++) {
        h->jump_map_clear(h->opaque, h->jump_map[map]);
        v->bt.jump[map].entry = (int32_t *)(uintptr_t)h->jump_map[map];
        forget_all(v, map);
    }
}

void jump_map_put(struct vcpu *v, unsigned map, gla_t gla, uint64_t host)
{
    struct bt_jump_map *m = &v->bt.jump[map];

    if (!make_room(v, m, gla))
        return;
    if (!m->entry[gla]) {
        ++*live_of(m, gla);
        if (m->used_count < BT_JUMP_USED)
            m->used[m->used_count] = gla;
        m->used_count += m->used_count <= BT_JUMP_USED;
    }
    m->entry[gla] = (int32_t)(host - v->bt.jump_miss);
}

uint64_t jump_map_find(struct vcpu *v, unsigned map, gla_t gla)
{
    struct bt_jump_map *m = &v->bt.jump[map];

    if (!is_written(m, gla) || !m->entry[gla])
        return 0;
    return v->bt.jump_miss + (uint64_t)(int64_t)m->entry[gla];
}

void jump_map_remove(struct vcpu *v, gla_t gla, uint64_t host)
{
    for (unsigned map = 0; map < HOST_JUMP_MAPS; map++)
        if (jump_map_find(v, map, gla) == host)
            entry_empty(&v->bt.jump[map], gla);
}

/* Every piece: more was put than used[] can tell. */
static void empty_all(struct bt_jump_map *m)
{
    for (unsigned block = 0; block < BT_JUMP_BLOCKS; block++)
        for (unsigned k = 0; m->block_written[block] && k < BT_JUMP_PIECES / 64; k++)
            for (uint64_t bits = m->written[block][k]; bits; bits &= bits - 1) {
                unsigned piece = k * 64 + (unsigned)__builtin_ctzll(bits);

                memset(&m->entry[block * BLOCK + piece * PIECE], 0, sizeof *m->entry * PIECE);
            }
    memset(m->page_live, 0, sizeof m->page_live);
}

void jump_map_flush(struct vcpu *v, unsigned map)
{
    struct bt_jump_map *m = &v->bt.jump[map];

    if (m->used_count > BT_JUMP_USED)
        empty_all(m);
    else
        for (unsigned n = 0; n < m->used_count; n++)
            entry_empty(m, m->used[n]);
    m->used_count = 0;
}

void jump_maps_flush(struct vcpu *v)
{
    for (unsigned map = 0; map < HOST_JUMP_MAPS; map++)
        jump_map_flush(v, map);
}

void jump_map_flush_page(struct vcpu *v, gla_t page)
{
    page &= ~(gla_t)GUEST_PAGE_MASK;
    for (unsigned map = 0; map < HOST_JUMP_MAPS; map++) {
        struct bt_jump_map *m = &v->bt.jump[map];
        const uint32_t *live = live_of(m, page);

        for (gla_t piece = page; *live && piece - page < GUEST_PAGE_SIZE; piece += PIECE)
            for (gla_t n = 0; is_written(m, piece) && n < PIECE; n++)
                entry_empty(m, piece + n);
    }
}
