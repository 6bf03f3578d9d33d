/* SPDX-License-Identifier: MIT */
/*
 * bt.c - the translator's dispatcher: finds or makes the block at vcpu.eip, enters it, sees why it
 * came back. See bt.h.
 */
#include "bt/run/bt.h"

#include "bt/run/adapt.h"
#include "bt/run/idle_prefetch.h"
#include "bt/run/run_priv.h"
#include "bt/run/write_map.h"
#include "bt/translate/translate.h"
#include "include/ring1/mem.h"
#include "monitor/cpu/engine.h"
#include "monitor/cpu/fpu.h"
#include "monitor/cpu/trace.h"
#include "monitor/interp/interp.h"
#include "shadow-mmu/access.h"

typedef unsigned enter_fn(struct vcpu *v, uint64_t host, uint64_t window);

size_t bt_size(size_t arena_size)
{
    return ((sizeof(struct bt) + 63) & ~(size_t)63) + cache_size(arena_size);
}

void bt_init(struct vcpu *v, void *memory, const struct bt_options *options)
{
    struct bt *bt = memory;
    const struct vcpu_host *h = v->host;

    bt->opt = *options;
    bt->gs = h->gs_base_free && !options->no_gs;
    cache_init(&bt->cache, (uint8_t *)memory + ((sizeof *bt + 63) & ~(size_t)63), &h->cache);
    bt->cache.heat = &bt->heat;
    bt_stubs_make(v, bt);
    jump_map_init(v, bt->jump);
    for (unsigned map = 0; map < HOST_JUMP_MAPS; map++)
        bt->jump_owner[map].entries = (uint64_t)(uintptr_t)bt->jump[map].entry;
    write_map_init(v);
    v->translator = bt;
    bt_hear(v);
    engine_add(v, &bt_engine);
    adapt_init(v);
    v->bt.in_cache = v->bt.stepping = false;
    v->bt.break_at = 0;
    v->bt.return_limit = h->return_limit;
    v->bt.return_top = h->return_top - BT_RETURN_LAST - 1; /* the miss stub's address lies there */
    bt_return_stack_reset(v);
}

bool bt_usable(struct vcpu *v)
{
    return v->translator && !adapt_interprets(v) && bt_context(v) != 0;
}

/* ---- finding and entering ---- */

/* Is the code not worth a translation yet? Code of a page that is translated for another linear
 * address belongs to a program or library that each process maps somewhere else: most of it runs a
 * few times in each, and the interpreter has it decoded already. Code that keeps being written may
 * be written again before it has run for as long as its translation takes. */
static bool is_cold(const struct vcpu *v, gla_t gla, gpa_t gpa)
{
    struct bt *bt = v->translator;
    unsigned runs = bt->opt.heat;

    bt->cold_insns = 1; /* one block of the decode cache */
    if (!bt->opt.no_aliased) {
        if (cache_is_aliased(&bt->cache, gla, gpa))
            runs += BT_HEAT_ALIASED;
        if (cache_page_invalidations(&bt->cache, gpa) >= BT_WRITTEN_OFTEN) {
            runs += BT_HEAT_WRITTEN;
            bt->cold_insns = BT_WRITTEN_INSNS;
        }
    }
    return heat_is_cold(&bt->heat, gla, gpa, runs);
}

/* Translates the unit at v->eip, after emptying a full cache. Never NULL. */
static struct bt_block *translate(struct vcpu *v, gpa_t gpa, const uint8_t *page_bytes)
{
    struct bt_source from = {
        .gla = v->eip, .gpa = gpa, .page_bytes = page_bytes, .ctx = v->bt.context};
    struct bt_block *b = bt_translate(v, &from);

    if (b)
        return b;
    bt_flush(v);
    b = bt_translate(v, &from);
    VMM_CHECK(b);
    return b;
}

/* Host entry of the block at v->eip, translated if need be; raises like a fetch. 0: interpret a
 * little. *out is the block, NULL when the jump map knew the address. */
static uint64_t find(struct vcpu *v, struct bt *bt, struct bt_block **out)
{
    unsigned user = ctx_user(v->bt.context), map = v->bt.jump_index;
    uint64_t host = jump_map_find(v, map, v->eip);
    gpa_t page;

    *out = NULL;
    if (host)
        return host;
    const uint8_t *bytes = lin_fetch_page(v, v->eip, &page);
    if (!bytes)
        return 0;
    gpa_t gpa = page | (v->eip & GUEST_PAGE_MASK);
    struct bt_block *b = cache_find(&bt->cache, v->eip, gpa, v->bt.context);
    if (!b) {
        if (is_cold(v, v->eip, gpa))
            return 0;
        ns_t start = vm_now(v->vm);
        b = translate(v, gpa, bytes);
        v->stats.bt_translate_ns += vm_now(v->vm) - start;
    }
    const struct tlb_entry *e = &v->tlb.entry[user][tlb_index(v->eip)];
    host = bt_host_address(bt, b->entry);
    if (!bt->opt.no_chain) { /* then every transfer comes back here */
        if (!(e->flags & TLB_F_GLOBAL))
            fetch_set_note(v, &bt->jump_pages[map], v->eip, page);
        jump_map_put(v, map, v->eip, host);
    }
    *out = b;
    return host;
}

static unsigned enter(struct vcpu *v, struct bt *bt, uint64_t host)
{
    enter_fn *fn;
    uint64_t stub = bt_host_address(bt, bt->stubs.enter);

    memcpy(&fn, &stub, sizeof fn);
    fpu_unpark(v);
    unsigned why = fn(v, host, v->bt.window_now);
    bool at_site = why == BT_EXIT_TRAP || why == BT_EXIT_BREAK;
    bt_x87_settle(v, at_site ? &bt->cache.sites[v->bt.exit_arg] : NULL);
    return why;
}

/* A direct branch without a target: finds it and links the branch. Returns the target's entry, 0:
 * look again. */
static uint64_t follow_slot(struct vcpu *v, struct bt *bt)
{
    struct bt_slot *slot = &bt->cache.slots[v->bt.exit_arg];
    unsigned flushes = bt->flush_count;
    struct bt_block *from = slot->from, *to;

    uint64_t host = find(v, bt, &to);
    if (!host || bt->flush_count != flushes)
        return host;
    if (!to)
        to = cache_find(&bt->cache, v->eip,
                        (from->gpa & ~(gpa_t)GUEST_PAGE_MASK) | (v->eip & GUEST_PAGE_MASK),
                        v->bt.context);
    if (to && !from->dead && !bt->opt.no_chain && from->ctx == to->ctx &&
        (from->gpa ^ to->gpa) >> GUEST_PAGE_SHIFT == 0)
        cache_link(&bt->cache, slot, to);
    return host;
}

/* Runs translated code from `host` on until it comes back. False: the interpreter must execute the
 * instruction at v->eip. */
static bool run_once(struct vcpu *v, struct bt *bt, uint64_t host)
{
    for (;;) {
        switch ((enum bt_exit)enter(v, bt, host)) {
        case BT_EXIT_CHAIN:
            v->stats.exit_chain++;
            v->eip = bt->cache.slots[v->bt.exit_arg].target;
            if (engine_before(v, &bt_engine))
                return true;
            host = follow_slot(v, bt);
            if (!host)
                return false;
            if (attention_now(v))
                return true;
            if (v->fetch_generation != v->bt.generation_fetch)
                return true;
            continue;
        case BT_EXIT_LOOKUP:
            v->stats.exit_lookup++;
            v->eip = v->bt.exit_arg;
            return true;
        case BT_EXIT_DISPATCH:
            v->stats.exit_dispatch++;
            return true;
        case BT_EXIT_TRAP:
            v->stats.exit_trap++;
            bt_handle_trap(v, bt);
            return true;
        case BT_EXIT_BREAK:
            v->stats.exit_break++;
            bt_handle_break(v, bt);
            return true;
        }
    }
}

void bt_run(struct vcpu *v)
{
    struct bt *bt = v->translator;
    struct bt_block *b;

    for (;;) {
        /* What is asked for after this look, the enter stub sees. */
        if (!bt_may_go_on(v) || adapt_is_due(v))
            return;
        uint32_t ctx = bt_context(v);
        if (!ctx || engine_before(v, &bt_engine))
            return;
        bt_sync(v, bt, ctx);
        if (bt->idle.learning) {
            idle_prefetch_step(v);
            continue;
        }
        uint64_t host = find(v, bt, &b);
        if (!host || !run_once(v, bt, host)) {
            interp_run(v, bt->cold_insns);
            v->stats.bt_interpreted++;
        }
    }
}

unsigned bt_run_block(struct vcpu *v)
{
    struct bt *bt = v->translator;
    struct bt_block *b;
    uint32_t ctx = bt_context(v);
    uint64_t host = 0;

    VMM_CHECK(bt->opt.count_exits && bt->opt.no_chain && bt->opt.no_return_stack);
    if (ctx) {
        bt_sync(v, bt, ctx);
        host = find(v, bt, &b);
    }
    if (!host) {
        interp_step(v);
        return 1;
    }
    if (!b) { /* known to the jump map only */
        jump_map_flush(v, v->bt.jump_index);
        find(v, bt, &b);
    }
    uint32_t first = b->first_site, count = b->insns;
    switch ((enum bt_exit)enter(v, bt, host)) {
    case BT_EXIT_CHAIN:
        v->eip = bt->cache.slots[v->bt.exit_arg].target;
        return bt->cache.slots[v->bt.exit_arg].insns;
    case BT_EXIT_LOOKUP:
        v->eip = v->bt.exit_arg;
        return count;
    case BT_EXIT_DISPATCH:
        return v->bt.exit_arg - first + 1;
    case BT_EXIT_TRAP:
        count = v->bt.exit_arg - first;
        bt_handle_trap(v, bt);
        return count;
    case BT_EXIT_BREAK:
        count = v->bt.exit_arg - first;
        bt_handle_break(v, bt);
        return count;
    }
    return 0;
}

void bt_tick(struct vcpu *v)
{
    adapt_tick(v);
}

void bt_flush(struct vcpu *v)
{
    struct bt *bt = v->translator;

    cache_flush(v, &bt->cache);
    bt_return_stack_reset(v);
    bt->flush_count++;
    v->stats.bt_flushes++;
    vcpu_attend(v, ATT_SMC);
}
