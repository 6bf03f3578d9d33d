/* SPDX-License-Identifier: MIT */
/* locate.c - what is in the code cache, for crash reports and statistics. Reads the cache's tables
 * only. */
#include "bt/run/locate.h"

#include "bt/run/run_priv.h"

bool bt_owns(const struct vcpu *v, uint64_t rip)
{
    const struct host_code_arena *a = &v->host->cache;

    return v->translator && rip - (uint64_t)(uintptr_t)a->rx < a->size;
}

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

static void report_place(const struct bt_place *p, struct engine_report *out)
{
    if (p->stub)
        engine_say(out, "  at offset 0x%x of the code cache, in the fixed stubs", p->offset);
    else if (!p->block)
        engine_say(out, "  at offset 0x%x of the code cache, in no block", p->offset);
    else
        engine_say(out,
                   "  at offset 0x%x of the code cache, in the block of 0x%08x (context 0x%08x, "
                   "offsets 0x%x-0x%x)",
                   p->offset, p->block_gla, p->block_ctx, p->block_entry, p->block_end);
    if (p->site)
        engine_say(out, "  guest instruction %u of the block, at 0x%08x", p->index, p->eip);
    engine_say(out, "  the guest's registers are the host's below (esp: r12d), not those above");
}

void bt_report(const struct vcpu *v, uint64_t rip, struct engine_report *out)
{
    struct bt_place p;

    if (v->bt.in_cache)
        out->monitor_stack = v->bt.monitor_rsp;
    engine_say(out, "translator: %s translated code; context 0x%08x interrupt flag %u%s",
               v->bt.in_cache ? "in" : "not in", v->bt.context, v->bt.interrupt_flag,
               v->bt.stepping ? ", stepping" : "");
    engine_say(out,
               "  last exit argument 0x%x, last trap kind %u at 0x%llx; return stack at %lld of "
               "%lld bytes",
               v->bt.exit_arg, v->bt.trap_kind, (unsigned long long)v->bt.trap_addr,
               (long long)(v->bt.return_top - v->bt.return_rsp),
               (long long)(v->bt.return_top - v->bt.return_limit));
    if (bt_locate(v, rip, &p))
        report_place(&p, out);
}

size_t bt_cache_used(const struct vcpu *v)
{
    return v->translator->cache.at;
}
