/* SPDX-License-Identifier: MIT */
/*
 * jump_table.c - the table through which indirect jumps find translated code (bt/cpu.h,
 * docs/codegen.md).
 *
 * How        Direct-mapped; a new entry takes the place of the old one. Emptying the table costs in
 *            proportion to what was put since it was empty, because used[] remembers where (up to
 *            BT_JUMP_USED; beyond that every entry is emptied). page_live[] counts the entries per
 *            linear page, so that INVLPG of a page without any costs two loads.
 * Invariant  Every entry that is not empty is named in used[], unless used_count exceeds its size;
 *            and counts in page_live[].
 */
#include "bt/cache/cache.h"
#include "include/ring1/mem.h"
#include "monitor/vcpu.h"

static uint16_t *live_of(struct bt_jump_table *t, gla_t gla)
{
    return &t->page_live[gla >> GUEST_PAGE_SHIFT & (BT_JUMP_PAGES - 1)];
}

static bool entry_is_empty(const struct vcpu *v, const struct bt_jump_table *t, unsigned n)
{
    return t->host[n] == v->bt.jump_miss;
}

static void entry_empty(const struct vcpu *v, struct bt_jump_table *t, unsigned n)
{
    if (entry_is_empty(v, t, n))
        return;
    --*live_of(t, t->gla[n]);
    t->host[n] = v->bt.jump_miss;
}

static void table_init(const struct vcpu *v, struct bt_jump_table *t)
{
    for (unsigned n = 0; n < BT_JUMP_ENTRIES; n++)
        t->host[n] = v->bt.jump_miss;
    memset(t->page_live, 0, sizeof t->page_live);
    t->used_count = 0;
}

void jump_table_init(struct vcpu *v)
{
    table_init(v, &v->bt.jump[0]);
    table_init(v, &v->bt.jump[1]);
}

void jump_table_put(struct vcpu *v, unsigned user, gla_t gla, uint64_t host)
{
    struct bt_jump_table *t = &v->bt.jump[user];
    unsigned n = gla & (BT_JUMP_ENTRIES - 1);

    if (!entry_is_empty(v, t, n)) {
        --*live_of(t, t->gla[n]);
    } else if (t->used_count <= BT_JUMP_USED) {
        if (t->used_count < BT_JUMP_USED)
            t->used[t->used_count] = (uint16_t)n;
        t->used_count++;
    }
    ++*live_of(t, gla);
    t->gla[n] = gla;
    t->host[n] = host - CACHE_CHECK_BYTES;
}

static bool entry_is_of(const struct vcpu *v, const struct bt_jump_table *t, gla_t gla)
{
    unsigned n = gla & (BT_JUMP_ENTRIES - 1);

    return t->gla[n] == gla && !entry_is_empty(v, t, n);
}

uint64_t jump_table_find(const struct vcpu *v, unsigned user, gla_t gla)
{
    const struct bt_jump_table *t = &v->bt.jump[user];

    if (!entry_is_of(v, t, gla))
        return 0;
    return t->host[gla & (BT_JUMP_ENTRIES - 1)] + CACHE_CHECK_BYTES;
}

void jump_table_remove(struct vcpu *v, gla_t gla, uint64_t host)
{
    for (unsigned user = 0; user < 2; user++)
        if (jump_table_find(v, user, gla) == host)
            entry_empty(v, &v->bt.jump[user], gla & (BT_JUMP_ENTRIES - 1));
}

void jump_table_flush(struct vcpu *v, unsigned user)
{
    struct bt_jump_table *t = &v->bt.jump[user];

    if (t->used_count > BT_JUMP_USED) {
        table_init(v, t);
        return;
    }
    for (unsigned n = 0; n < t->used_count; n++)
        entry_empty(v, t, t->used[n]);
    t->used_count = 0;
}

/* The page's entries have neighbouring indices: all those with the upper four of its bits 0-15. */
void jump_table_flush_page(struct vcpu *v, gla_t page)
{
    page &= ~(gla_t)GUEST_PAGE_MASK;
    for (unsigned user = 0; user < 2; user++) {
        struct bt_jump_table *t = &v->bt.jump[user];
        const uint16_t *live = live_of(t, page);

        for (gla_t gla = page; *live && gla - page < GUEST_PAGE_SIZE; gla++)
            if (entry_is_of(v, t, gla))
                entry_empty(v, t, gla & (BT_JUMP_ENTRIES - 1));
    }
}
