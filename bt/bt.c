/* SPDX-License-Identifier: MIT */
/*
 * bt.c - the translator's dispatcher: finds or makes the block at vcpu.eip, enters it, sees why it
 * came back. See bt.h.
 *
 * Staleness  What was found under another context, or before a TLB flush, may mislead: the jump
 *            maps and the return stack. sync() empties what the change concerns before anything
 *            is entered.
 */
#include "bt/code_page.h"
#include "bt/priv.h"
#include "include/ring1/mem.h"
#include "monitor/cpu/fpu.h"
#include "monitor/cpu/trace.h"
#include "monitor/interp/interp.h"
#include "shadow-mmu/access.h"
#include "shadow-mmu/window.h"

typedef unsigned enter_fn(struct vcpu *v, uint64_t host, uint64_t window);

size_t bt_size(size_t arena_size)
{
    return ((sizeof(struct bt) + 63) & ~(size_t)63) + cache_size(arena_size);
}

void bt_init(struct vcpu *v, void *memory, const struct bt_options *options)
{
    struct bt *bt = memory;
    const struct vmm_host *h = v->vm->host;

    bt->opt = *options;
    bt->gs = h->gs_base_free && !options->no_gs;
    cache_init(&bt->cache, (uint8_t *)memory + ((sizeof *bt + 63) & ~(size_t)63), &h->cache);
    bt_stubs_make(v, bt);
    jump_map_init(v, bt->jump);
    code_page_init(v);
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

/* ---- context ---- */

static bool code_is_flat(const struct vcpu *v)
{
    const struct seg *cs = &v->seg[SEG_CS];

    return (cs->attr & SEGA_DB) && (cs->acc & SEG_ACC_R) && cs->base == 0 && cs->lo == 0 &&
           cs->hi == UINT32_MAX;
}

uint32_t bt_context(const struct vcpu *v)
{
    static const uint8_t data[] = {SEG_ES, SEG_SS, SEG_DS};
    uint32_t ctx = CTX_VALID | v->cpl | (uint32_t)CTX_SEG_BASED << (CTX_SEG_SHIFT + 2 * SEG_FS) |
                   (uint32_t)CTX_SEG_BASED << (CTX_SEG_SHIFT + 2 * SEG_GS);

    if (!(v->cr0 & CR0_PE) || (v->eflags & (EFL_VM | EFL_TF | EFL_RF)) || !code_is_flat(v))
        return 0;
    if ((v->eflags & EFL_AC) && v->cpl == 3 && (v->cr0 & CR0_AM))
        return 0;
    for (unsigned n = 0; n < ARRAY_LEN(data); n++)
        ctx |= (uint32_t)bt_seg_state(v->translator, data[n], &v->seg[data[n]])
               << (CTX_SEG_SHIFT + 2 * data[n]);
    ctx |= (uint32_t)CTX_SEG_FLAT << (CTX_SEG_SHIFT + 2 * SEG_CS);
    if (v->seg[SEG_SS].attr & SEGA_DB)
        ctx |= CTX_STACK32;
    if (!(v->cr0 & (CR0_EM | CR0_TS)))
        ctx |= CTX_FPU | (v->cr4 & CR4_OSFXSR ? CTX_SSE : 0);
    if (v->cr0 & CR0_NE)
        ctx |= CTX_X87_NE;
    if (v->cpl == 0 || !(v->cr4 & CR4_TSD))
        ctx |= CTX_TSC;
    if (window_usable(v) && !v->translator->opt.soft_only && adapt_window(v))
        ctx |= CTX_WINDOW;
    return ctx;
}

bool bt_usable(struct vcpu *v)
{
    return v->translator && !adapt_interprets(v) && bt_context(v) != 0;
}

/* ---- staleness ---- */

/* The present privilege class's part of the return stack begins at `base`. */
static void return_stack_begin(struct vcpu *v, uint64_t base)
{
    const struct bt *bt = v->translator;

    v->bt.return_base = v->bt.return_rsp = base;
    *(uint64_t *)(uintptr_t)base = bt_host_address(bt, bt->stubs.return_miss);
}

void bt_return_stack_reset(struct vcpu *v)
{
    v->bt.user_return_rsp = 0;
    return_stack_begin(v, v->bt.return_top);
}

/* Bytes of the return stack that a system call should find. */
#define RETURN_ROOM 4096u

/* The context was `old`. The same code is mapped as before, and all of it is still there: what CPL
 * 3 has on the return stack stays for when it comes back from a system call to where its stack
 * pointer was. */
static void switch_return_stack(struct vcpu *v, uint32_t old)
{
    bool user = ctx_user(v->bt.context), was_user = ctx_user(old);

    if (!user && !was_user) {
        v->bt.return_rsp = v->bt.return_base;
    } else if (was_user && !user && v->bt.user_calls &&
               v->bt.return_rsp - v->bt.return_limit >= RETURN_ROOM) {
        v->bt.user_return_rsp = v->bt.return_rsp;
        v->bt.user_context = old;
        return_stack_begin(v, v->bt.return_rsp - 8);
    } else if (user && !was_user && v->bt.user_return_rsp && v->bt.user_context == v->bt.context &&
               v->bt.user_esp == v->gpr[ESP]) {
        v->bt.return_rsp = v->bt.user_return_rsp;
        v->bt.return_base = v->bt.return_top; /* where CPL 3's miss stub still is */
        v->bt.user_return_rsp = 0;
    } else {
        bt_return_stack_reset(v);
    }
    v->bt.user_calls = false;
}

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

static void sync(struct vcpu *v, struct bt *bt, uint32_t ctx)
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
        switch_return_stack(v, old);
}

/* ---- finding and entering ---- */

static uint16_t *heat_of(struct bt *bt, gla_t gla, gpa_t gpa)
{
    uint32_t key = (uint32_t)gpa ^ (gla >> GUEST_PAGE_SHIFT) * 0x85ebca6bu;

    return &bt->heat[key * 2654435761u >> 15];
}
_Static_assert(BT_HEAT_ENTRIES == 1u << 17, "heat_of() takes 17 bits");

void bt_cool(struct bt *bt, gla_t gla, gpa_t gpa)
{
    *heat_of(bt, gla, gpa) = 0;
}

/* Is the code not worth a translation yet? Code of a page that is translated for another linear
 * address belongs to a program or library that each process maps somewhere else: most of it runs a
 * few times in each, and the interpreter has it decoded already. Code that keeps being written may
 * be written again before it has run for as long as its translation takes. */
static bool is_cold(const struct vcpu *v, gla_t gla, gpa_t gpa)
{
    struct bt *bt = v->translator;
    uint16_t *heat = heat_of(bt, gla, gpa);
    unsigned runs = bt->opt.heat;

    bt->cold_insns = 1; /* one block of the decode cache */
    if (!bt->opt.no_elsewhere) {
        if (cache_is_elsewhere(&bt->cache, gla, gpa))
            runs += BT_HEAT_ELSEWHERE;
        if (cache_page_invalidations(v, &bt->cache, gpa) >= BT_WRITTEN_OFTEN) {
            runs += BT_HEAT_WRITTEN;
            bt->cold_insns = BT_WRITTEN_INSNS;
        }
    }
    if (*heat >= runs)
        return false;
    ++*heat;
    if (++bt->heat_count == BT_HEAT_SUM) {
        memset(bt->heat, 0, sizeof bt->heat);
        bt->heat_count = 0;
    }
    return true;
}

/* Host entry of the block at v->eip, translated if need be; raises like a fetch. 0: interpret a
 * little.
 * *out is the block, NULL when the jump map knew the address. */
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
        b = bt_translate(v, v->bt.context, gpa, bytes);
        v->stats.bt_translate_ns += vm_now(v->vm) - start;
    }
    const struct tlb_entry *e = &v->tlb.entry[user][tlb_index(v->eip)];
    host = bt_host_address(bt, b->entry);
    if (!bt->opt.no_chain) { /* then every transfer comes back here */
        if (!(e->flags & TLB_F_GLOBAL))
            fetch_set_note(v, &bt->jump_owner[map].pages, v->eip, page);
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

    v->eip = slot->target;
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

/* The instruction that trapped, by its handler; raises what it raises. */
static void run_trapped(struct vcpu *v, struct bt *bt)
{
    const struct xinsn *x = bt_site_insn(v, &bt->cache.sites[v->bt.exit_arg]);

    v->next_eip = v->eip + x->insn.len;
    v->stats.bt_trap_emulated++;
    x->fn(v, &x->insn);
    v->eip = v->next_eip;
}

static gpa_t trapped_gpa(const struct vcpu *v, const struct bt *bt)
{
    const struct bt_site *s = &bt->cache.sites[v->bt.exit_arg];

    return (bt->cache.blocks[s->block].gpa & ~(gpa_t)GUEST_PAGE_MASK) | (s->eip & GUEST_PAGE_MASK);
}

/* The instruction has yet to run; an STI before it in the unit holds interrupts off until then. */
static void keep_shadow(struct vcpu *v, const struct bt_site *s)
{
    if (s->rebased & BT_AFTER_STI)
        v->shadow_next = SHADOW_STI;
}

/* What the context, the generations or the cache itself say again is no reason to go back to the
 * run loop. */
#define ATT_OURS (ATT_MODE | ATT_SMC)

static uint32_t attention_now(const struct vcpu *v)
{
    return __atomic_load_n(&v->attention, __ATOMIC_RELAXED);
}

/* What begins behind this may end beyond 4 GiB: #GP, which must not make the page dirty. */
#define FILL_LAST (UINT32_MAX - 15u)

/* A mapping was missing, and is there now: the instruction runs again. */
static void after_fill(struct vcpu *v, struct bt *bt, const struct bt_site *s)
{
    if ((s->rebased & BT_REBASED) && attention_now(v))
        run_trapped(v, bt); /* perhaps a repetition that is cut in two */
    else
        keep_shadow(v, s);
}

static void handle_trap(struct vcpu *v, struct bt *bt)
{
    uint64_t off = v->bt.trap_addr - v->bt.window[ctx_user(v->bt.context)];
    const struct bt_site *s = &bt->cache.sites[v->bt.exit_arg];
    bool memory = (v->bt.context & CTX_WINDOW) && v->bt.trap_kind != BT_TRAP_OTHER;

    if (memory && off <= FILL_LAST) {
        if (window_fill(v, (gla_t)off, v->bt.trap_kind == BT_TRAP_MEMORY_WRITE)) {
            v->stats.hidden_faults++;
            adapt_trap(v, trapped_gpa(v, bt), (gla_t)off, ADAPT_FILLED);
            after_fill(v, bt, s);
            return;
        }
        v->stats.true_faults++;
    }
    adapt_trap(v, trapped_gpa(v, bt), (gla_t)off, memory ? ADAPT_EMULATED : ADAPT_OTHER);
    run_trapped(v, bt);
}

/* The reason is in v->attention. A repetition that was cut in two is the interpreter's, which shows
 * RF as the SDM has it. */
static void handle_break(struct vcpu *v, struct bt *bt)
{
    if (attention_now(v) & ~ATT_OURS)
        adapt_tick(v);
    if (v->bt.break_in_rep)
        run_trapped(v, bt);
    else
        keep_shadow(v, &bt->cache.sites[v->bt.exit_arg]);
    bt_break_done(v);
}

/* One stay in the cache. False: the instruction at v->eip is for the interpreter. */
static bool run_once(struct vcpu *v, struct bt *bt, uint64_t host)
{
    for (;;) {
        switch ((enum bt_exit)enter(v, bt, host)) {
        case BT_EXIT_CHAIN:
            v->stats.exit_chain++;
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
            handle_trap(v, bt);
            return true;
        case BT_EXIT_BREAK:
            v->stats.exit_break++;
            handle_break(v, bt);
            return true;
        }
    }
}

static bool may_go_on(struct vcpu *v)
{
    uint32_t att = attention_now(v);

    if (v->shadow_next || (att & ~ATT_OURS) || v->dr6_pending || v->halted ||
        (v->intr_line && (v->eflags & EFL_IF)) || (att && v->dr_armed))
        return false;
    if (att)
        vcpu_attended(v, ATT_OURS);
    return true;
}

uint64_t bt_resume(struct vcpu *v)
{
    struct bt *bt = v->translator;

    if (bt->opt.no_chain || !may_go_on(v))
        return 0;
    uint32_t ctx = bt_context(v);
    if (!ctx)
        return 0;
    sync(v, bt, ctx);
    uint64_t host = jump_map_find(v, v->bt.jump_index, v->eip);
    if (host)
        fpu_unpark(v);
    return host;
}

void bt_run(struct vcpu *v)
{
    struct bt *bt = v->translator;
    struct bt_block *b;

    for (;;) {
        /* What is asked for after this look, the enter stub sees. */
        if (!may_go_on(v))
            return;
        uint32_t ctx = bt_context(v);
        if (!ctx)
            return;
        sync(v, bt, ctx);
        if (bt->wake.learning) {
            wake_step(v);
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
        sync(v, bt, ctx);
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
        handle_trap(v, bt);
        return count;
    case BT_EXIT_BREAK:
        count = v->bt.exit_arg - first;
        handle_break(v, bt);
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
