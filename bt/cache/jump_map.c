/* SPDX-License-Identifier: MIT */
/*
 * jump_map.c - the map through which jumps find translated code (bt/cpu.h, docs/codegen.md section
 * 6).
 *
 * How        Flat: an entry for each linear address, so that a jump need not ask whether what it
 *            found is what it looked for. The host gives it memory page by page; when there is too
 *            much of that, all goes back. Emptying the map costs in proportion to what was put
 *            since it was empty, because used[] remembers where. page_live[] counts the entries per
 *            linear page, so that INVLPG of a page without any costs two loads.
 * Invariant  Every entry that is not empty is named in used[], unless used_count exceeds its size;
 *            lies on a piece whose bit is set in written[]; and counts in page_live[].
 */
#include "bt/cache/cache.h"
#include "include/ring1/mem.h"
#include "monitor/vcpu.h"
#include "monitor/vm.h"

static uint16_t *live_of(struct bt_jump_map *m, gla_t gla)
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

/* ---- memory ---- */

static void forget_all(struct bt_jump_map *m)
{
    memset(m->page_live, 0, sizeof m->page_live);
    memset(m->chunk, 0, sizeof m->chunk);
    m->used_count = m->open_count = m->written_count = 0;
}

/* The memory goes back to the host. */
static void clear(struct vcpu *v, struct bt_jump_map *m)
{
    const struct vmm_host *h = v->vm->host;

    h->jump_map_clear(h->opaque, (uint64_t)(uintptr_t)m->entry);
    forget_all(m);
    v->stats.bt_jump_clears++;
}

static uint64_t *written_of(struct bt_jump_map *m, gla_t gla)
{
    unsigned piece = gla >> BT_JUMP_PIECE_SHIFT & (BT_JUMP_PIECES - 1);

    return &m->written[m->chunk[gla >> BT_JUMP_CHUNK_SHIFT] - 1][piece / 64];
}

static uint64_t written_bit(gla_t gla)
{
    return 1ull << (gla >> BT_JUMP_PIECE_SHIFT & 63);
}

static bool is_written(struct bt_jump_map *m, gla_t gla)
{
    return m->chunk[gla >> BT_JUMP_CHUNK_SHIFT] && *written_of(m, gla) & written_bit(gla);
}

/* Makes the address's chunk writable. Also before entries are only read: the tables of the host's
 * pages are bounded by this. */
static bool chunk_open(struct vcpu *v, struct bt_jump_map *m, gla_t gla)
{
    const struct vmm_host *h = v->vm->host;
    uint8_t *chunk = &m->chunk[gla >> BT_JUMP_CHUNK_SHIFT];
    gla_t first = gla & ~((1u << BT_JUMP_CHUNK_SHIFT) - 1);

    if (*chunk)
        return true;
    if (m->open_count == BT_JUMP_OPEN)
        clear(v, m);
    if (h->jump_map_open(h->opaque, (uint64_t)(uintptr_t)&m->entry[first],
                         sizeof *m->entry << BT_JUMP_CHUNK_SHIFT))
        return false;
    *chunk = (uint8_t)++m->open_count;
    memset(m->written[*chunk - 1], 0, sizeof m->written[0]);
    return true;
}
_Static_assert(BT_JUMP_OPEN < 256, "chunk[] has bytes");

static bool make_room(struct vcpu *v, struct bt_jump_map *m, gla_t gla)
{
    if (is_written(m, gla))
        return true;
    if (m->written_count == m->written_max)
        clear(v, m);
    if (!chunk_open(v, m, gla))
        return false;
    *written_of(m, gla) |= written_bit(gla);
    m->written_count++;
    return true;
}

/* ---- entries ---- */

void jump_map_init(struct vcpu *v)
{
    const struct vmm_host *h = v->vm->host;

    for (unsigned user = 0; user < 2; user++) {
        h->jump_map_clear(h->opaque, h->jump_map[user]);
        v->bt.jump[user].entry = (int32_t *)(uintptr_t)h->jump_map[user];
        v->bt.jump[user].written_max = BT_JUMP_WRITTEN(user);
        forget_all(&v->bt.jump[user]);
    }
}

void jump_map_put(struct vcpu *v, unsigned user, gla_t gla, uint64_t host)
{
    struct bt_jump_map *m = &v->bt.jump[user];

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

uint64_t jump_map_find(struct vcpu *v, unsigned user, gla_t gla)
{
    struct bt_jump_map *m = &v->bt.jump[user];

    if (!chunk_open(v, m, gla) || !m->entry[gla])
        return 0;
    return v->bt.jump_miss + (uint64_t)(int64_t)m->entry[gla];
}

void jump_map_remove(struct vcpu *v, gla_t gla, uint64_t host)
{
    for (unsigned user = 0; user < 2; user++)
        if (is_written(&v->bt.jump[user], gla) && jump_map_find(v, user, gla) == host)
            entry_empty(&v->bt.jump[user], gla);
}

void jump_map_flush(struct vcpu *v, unsigned user)
{
    struct bt_jump_map *m = &v->bt.jump[user];

    if (m->used_count > BT_JUMP_USED) {
        clear(v, m);
        return;
    }
    for (unsigned n = 0; n < m->used_count; n++)
        entry_empty(m, m->used[n]);
    m->used_count = 0;
}

#define PIECE (1u << BT_JUMP_PIECE_SHIFT)

void jump_map_flush_page(struct vcpu *v, gla_t page)
{
    page &= ~(gla_t)GUEST_PAGE_MASK;
    for (unsigned user = 0; user < 2; user++) {
        struct bt_jump_map *m = &v->bt.jump[user];
        const uint16_t *live = live_of(m, page);

        for (gla_t piece = page; *live && piece - page < GUEST_PAGE_SIZE; piece += PIECE)
            for (gla_t n = 0; is_written(m, piece) && n < PIECE; n++)
                entry_empty(m, piece + n);
    }
}
