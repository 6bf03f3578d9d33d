/* SPDX-License-Identifier: MIT */
/*
 * chain.c - direct links from branch to block, see cache.h.
 *
 * Invariant  slot->to is set exactly when the displacement at slot->site leads to slot->to->entry,
 *            and exactly then the slot is on slot->to->in.
 */
#include "bt/cache/cache.h"
#include "bt/emit/emit.h"
#include "monitor/cpu/vcpu.h"

static void lead_to(struct code_cache *c, const struct bt_slot *slot, uint32_t target)
{
    emit_patch32(c->arena->rw, slot->site, target);
}

void cache_link(struct code_cache *c, struct bt_slot *slot, struct bt_block *to)
{
    VMM_CHECK(!slot->from->dead && !to->dead);
    if (slot->to == to)
        return;
    cache_unlink(c, slot);
    lead_to(c, slot, to->entry);
    slot->to = to;
    slot->next_in = to->in;
    slot->in_at = &to->in;
    if (to->in)
        to->in->in_at = &slot->next_in;
    to->in = slot;
    c->stats->bt_links++;
}

void cache_unlink(struct code_cache *c, struct bt_slot *slot)
{
    if (!slot->to)
        return;
    lead_to(c, slot, slot->stub);
    *slot->in_at = slot->next_in;
    if (slot->next_in)
        slot->next_in->in_at = slot->in_at;
    slot->to = NULL;
    slot->next_in = NULL;
    slot->in_at = NULL;
    c->stats->bt_unlinks++;
}
