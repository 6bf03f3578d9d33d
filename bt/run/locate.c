/* SPDX-License-Identifier: MIT */
/* locate.c - what is in the code cache, for crash reports and statistics. Reads the cache's tables
 * only. */
#include "bt/run/locate.h"

#include "bt/run/run_priv.h"
#include "bt/run/trap.h"

/* Cold code belongs to no site, but to a block. */
static const struct bt_block *block_at(const struct code_cache *c, uint32_t at)
{
    for (uint32_t n = 0; n < c->block_count; n++)
        if (at >= c->blocks[n].entry && at < c->blocks[n].end)
            return &c->blocks[n];
    return NULL;
}

bool bt_locate(const struct vcpu *v, uint64_t rip, struct bt_place *out)
{
    if (!bt_owns(v, rip))
        return false;
    const struct code_cache *c = &v->translator->cache;
    uint32_t at = (uint32_t)(rip - (uint64_t)(uintptr_t)c->arena->rx);
    *out = (struct bt_place){.offset = at, .stub = at < c->fixed};
    if (out->stub)
        return true;
    const struct bt_block *b = block_at(c, at);
    if (!b)
        return true;
    out->block = true;
    out->block_gla = b->gla;
    out->block_ctx = b->ctx;
    out->block_entry = b->entry;
    out->block_end = b->end;
    const struct bt_site *s = cache_site_at(c, at);
    if (s) {
        out->site = true;
        out->eip = s->eip;
        out->index = s->index;
    }
    return true;
}

size_t bt_cache_used(const struct vcpu *v)
{
    return v->translator->cache.at;
}
