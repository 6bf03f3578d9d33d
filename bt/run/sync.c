/* SPDX-License-Identifier: MIT */
/*
 * sync.c - forgets what was found under other circumstances, before translated code is entered.
 *
 * Staleness  What was found under another context, or before a TLB flush, may mislead: the jump
 *            maps and the return stack. bt_sync() empties what the change concerns before anything
 *            is entered.
 */
#include "bt/run/adapt.h"
#include "bt/run/run_priv.h"
#include "shadow-mmu/window.h"

static void forget_jumps(struct vcpu *v, struct bt *bt, unsigned map)
{
    jump_map_flush(v, map);
    fetch_set_clear(&bt->jump_owner[map].pages);
}

/* Makes the jump map true that code of context ctx uses; returns which one it is. The others are
 * compared when they are used again. */
static unsigned sync_jumps(struct vcpu *v, struct bt *bt, uint32_t ctx)
{
    unsigned map = ctx_user(ctx) ? BT_JUMP_USER : v->bt.super + (v->bt.super >= BT_JUMP_USER);
    struct bt_jump_owner *o = &bt->jump_owner[map];

    if (v->flushes_all != v->bt.generation_all) {
        for (unsigned n = 0; n < HOST_JUMP_MAPS; n++)
            forget_jumps(v, bt, n);
        adapt_flushed(v);
    }
    if (o->context != ctx ||
        (o->nonglobal != v->flushes_nonglobal && !fetch_set_holds(v, &o->pages)))
        forget_jumps(v, bt, map);
    if (o->context != ctx)
        adapt_context(v, o->context, ctx);
    o->context = ctx;
    o->nonglobal = v->flushes_nonglobal;
    v->bt.generation_all = v->flushes_all;
    return map;
}
_Static_assert(HOST_JUMP_MAPS == WINDOW_SUPERS + 1, "one for each, and the user's");

void bt_sync(struct vcpu *v, struct bt *bt, uint32_t ctx)
{
    unsigned user = ctx_user(ctx), map = sync_jumps(v, bt, ctx);

    bool remapped = v->fetch_generation != v->bt.generation_fetch;
    uint32_t old = v->bt.context;
    v->bt.context = ctx;
    v->bt.window_now = v->bt.window[user];
    v->bt.jump_index = map;
    v->bt.jump_now = (uint64_t)(uintptr_t)v->bt.jump[map].entry;
    v->bt.generation_fetch = v->fetch_generation;
    if (remapped)
        bt_return_stack_reset(v);
    else if (ctx != old)
        bt_return_stack_switch(v, old);
}
