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

static void entry_empty(struct bt_jump_table *t, unsigned n)
{
    if (t->tag[n] == bt_jump_empty(n))
        return;
    --*live_of(t, -t->tag[n]);
    t->tag[n] = bt_jump_empty(n);
}

static void table_init(struct bt_jump_table *t)
{
    for (unsigned n = 0; n < BT_JUMP_ENTRIES; n++)
        t->tag[n] = bt_jump_empty(n);
    memset(t->page_live, 0, sizeof t->page_live);
    t->used_count = 0;
}

void jump_table_init(struct vcpu *v)
{
    table_init(&v->bt.jump[0]);
    table_init(&v->bt.jump[1]);
}

void jump_table_put(struct vcpu *v, unsigned user, gla_t gla, uint64_t host)
{
    struct bt_jump_table *t = &v->bt.jump[user];
    unsigned n = gla & (BT_JUMP_ENTRIES - 1);

    if (t->tag[n] != bt_jump_empty(n)) {
        --*live_of(t, -t->tag[n]);
    } else if (t->used_count <= BT_JUMP_USED) {
        if (t->used_count < BT_JUMP_USED)
            t->used[t->used_count] = (uint16_t)n;
        t->used_count++;
    }
    ++*live_of(t, gla);
    t->tag[n] = -gla;
    t->host[n] = host;
}

void jump_table_remove(struct vcpu *v, gla_t gla, uint64_t host)
{
    unsigned n = gla & (BT_JUMP_ENTRIES - 1);

    for (unsigned user = 0; user < 2; user++) {
        struct bt_jump_table *t = &v->bt.jump[user];

        if (t->tag[n] == -gla && t->host[n] == host)
            entry_empty(t, n);
    }
}

void jump_table_flush(struct vcpu *v, unsigned user)
{
    struct bt_jump_table *t = &v->bt.jump[user];

    if (t->used_count > BT_JUMP_USED) {
        table_init(t);
        return;
    }
    for (unsigned n = 0; n < t->used_count; n++)
        entry_empty(t, t->used[n]);
    t->used_count = 0;
}

/* The page's entries have neighbouring indices: all those with the upper four of its bits 0-15. */
void jump_table_flush_page(struct vcpu *v, gla_t page)
{
    page &= ~(gla_t)GUEST_PAGE_MASK;
    for (unsigned user = 0; user < 2; user++) {
        struct bt_jump_table *t = &v->bt.jump[user];
        const uint16_t *live = live_of(t, page);

        for (gla_t gla = page; *live && gla - page < GUEST_PAGE_SIZE; gla++) {
            unsigned n = gla & (BT_JUMP_ENTRIES - 1);

            if (t->tag[n] == -gla)
                entry_empty(t, n);
        }
    }
}
