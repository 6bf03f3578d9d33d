/* SPDX-License-Identifier: MIT */
/*
 * resume.c - may translated code go on, and under which circumstances: what stands between an
 * instruction that the monitor executed and the next block. Twice in each system call, so it is one
 * piece, and what it looks at lies together.
 *
 * Context    What a translation for the present state depends on (bt/cache/context.h), and which
 *            states none is made for.
 * Staleness  What was found under another context, or before a TLB flush, may mislead: the jump
 *            maps and the return stack. bt_sync() empties what the change concerns before anything
 *            is entered.
 * Returns    The host's return stack holds predictions for the guest's calls and returns
 *            (docs/codegen.md, section 6).
 */
#include "bt/run/adapt.h"
#include "bt/run/bt.h"
#include "bt/run/run_priv.h"
#include "monitor/cpu/fpu.h"
#include "shadow-mmu/window.h"

/* ---- the context ---- */

static bool code_is_flat(const struct vcpu *v)
{
    const struct seg *cs = &v->seg[SEG_CS];

    return (cs->attr & SEGA_DB) && (cs->acc & SEG_ACC_R) && cs->base == 0 && cs->lo == 0 &&
           cs->hi == UINT32_MAX;
}

static inline uint32_t seg_bits(const struct vcpu *v, unsigned seg)
{
    return (uint32_t)bt_seg_state(v->translator, seg, &v->seg[seg]) << (CTX_SEG_SHIFT + 2 * seg);
}

static inline uint32_t context(const struct vcpu *v)
{
    uint32_t ctx = CTX_VALID | v->cpl | (uint32_t)CTX_SEG_BASED << (CTX_SEG_SHIFT + 2 * SEG_FS) |
                   (uint32_t)CTX_SEG_BASED << (CTX_SEG_SHIFT + 2 * SEG_GS) |
                   (uint32_t)CTX_SEG_FLAT << (CTX_SEG_SHIFT + 2 * SEG_CS);

    if (!(v->cr0 & CR0_PE) || (v->eflags & (EFL_VM | EFL_TF | EFL_RF)) || !code_is_flat(v))
        return 0;
    if ((v->eflags & EFL_AC) && v->cpl == 3 && (v->cr0 & CR0_AM))
        return 0;
    ctx |= seg_bits(v, SEG_ES) | seg_bits(v, SEG_SS) | seg_bits(v, SEG_DS);
    if (v->seg[SEG_SS].attr & SEGA_DB)
        ctx |= CTX_STACK32;
    if (!(v->cr0 & (CR0_EM | CR0_TS)))
        ctx |= CTX_FPU | (v->cr4 & CR4_OSFXSR ? CTX_SSE : 0);
    if (v->cr0 & CR0_NE)
        ctx |= CTX_X87_NE;
    if (v->cpl == 0 || !(v->cr4 & CR4_TSD))
        ctx |= CTX_TSC;
    if (v->bt.windowed && !v->translator->opt.soft_only && adapt_window(v))
        ctx |= CTX_WINDOW;
    return ctx;
}

uint32_t bt_context(const struct vcpu *v)
{
    return context(v);
}

/* ---- the return stack ---- */

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

/* Switches the return stack from context `old` to the present one. The same code is mapped as
 * before, and all of it is still there: so what CPL 3 has on the return stack stays for when it
 * comes back from a system call with the same stack pointer. */
static void return_stack_switch(struct vcpu *v, uint32_t old)
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

/* ---- staleness ---- */

static void forget_jumps(struct vcpu *v, struct bt *bt, unsigned map)
{
    jump_map_flush(v, map);
    fetch_set_clear(&bt->jump_pages[map]);
}

/* Makes the jump map that code of context ctx uses true, which is in doubt. The other maps are
 * compared when they are used again. */
static void sync_jumps(struct vcpu *v, struct bt *bt, uint32_t ctx, unsigned map)
{
    struct bt_jump_owner *o = &bt->jump_owner[map];

    if (v->flushes_all != v->bt.generation_all) {
        for (unsigned n = 0; n < HOST_JUMP_MAPS; n++)
            forget_jumps(v, bt, n);
        adapt_flushed(v);
    }
    if (o->context != ctx ||
        (o->nonglobal != v->flushes_nonglobal && !fetch_set_holds(v, &bt->jump_pages[map])))
        forget_jumps(v, bt, map);
    if (o->context != ctx)
        adapt_context(v, o->context, ctx);
    o->context = ctx;
    o->nonglobal = v->flushes_nonglobal;
    v->bt.generation_all = v->flushes_all;
}
_Static_assert(HOST_JUMP_MAPS == WINDOW_SUPERS + 1, "one for each, and the user's");

static inline void sync(struct vcpu *v, struct bt *bt, uint32_t ctx)
{
    unsigned user = ctx_user(ctx);
    unsigned map = user ? BT_JUMP_USER : v->bt.super + (v->bt.super >= BT_JUMP_USER);
    const struct bt_jump_owner *o = &bt->jump_owner[map];

    if (unlikely(o->context != ctx || o->nonglobal != v->flushes_nonglobal ||
                 v->flushes_all != v->bt.generation_all))
        sync_jumps(v, bt, ctx, map);
    bool remapped = v->fetch_generation != v->bt.generation_fetch;
    uint32_t old = v->bt.context;
    v->bt.context = ctx;
    v->bt.window_now = v->bt.window[user];
    v->bt.jump_index = map;
    v->bt.jump_now = o->entries;
    v->bt.generation_fetch = v->fetch_generation;
    if (remapped)
        bt_return_stack_reset(v);
    else if (ctx != old)
        return_stack_switch(v, old);
}

void bt_sync(struct vcpu *v, struct bt *bt, uint32_t ctx)
{
    sync(v, bt, ctx);
}

/* ---- going on ---- */

bool bt_may_go_on(struct vcpu *v)
{
    uint32_t att = attention_now(v);

    if (v->shadow_next || (att & ~ATT_OURS) || v->dr6_pending || v->halted ||
        (v->intr_line && (v->eflags & EFL_IF)) || (att && v->dr_armed))
        return false;
    if (att)
        vcpu_attended(v, ATT_OURS);
    return true;
}

bool bt_resume(struct vcpu *v)
{
    struct bt *bt = v->translator;

    if (bt->opt.no_chain || !bt_may_go_on(v))
        return false;
    uint32_t ctx = context(v);
    if (!ctx || engine_before(v, &bt_engine))
        return false;
    sync(v, bt, ctx);
    fpu_unpark(v);
    return true;
}
