/* SPDX-License-Identifier: MIT */
/*
 * exits.c - translated code came back at an instruction: because the host trapped there, or broke
 * in.
 *
 * Promises   The instruction was executed by its handler, or it is to be executed again at v->eip.
 */
#include "bt/run/adapt.h"
#include "bt/run/run_priv.h"
#include "bt/run/trap.h"
#include "shadow-mmu/mmu.h"
#include "shadow-mmu/window.h"

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

/* What begins after this may end beyond 4 GiB: #GP, which must not make the page dirty. */
#define FILL_LAST (UINT32_MAX - 15u)

/* A mapping was missing, and is there now: the instruction runs again. */
static void after_fill(struct vcpu *v, struct bt *bt, const struct bt_site *s)
{
    if ((s->rebased & BT_REBASED) && attention_now(v))
        run_trapped(v, bt); /* perhaps a repetition that is cut in two */
    else
        keep_shadow(v, s);
}

/* Did the instruction want to access bytes at `off`, or is it #GP(0) for where they lie? That comes
 * before the page is looked at, so that it is not marked accessed. CPUs of today raise #GP first,
 * too, but for some instructions at some times #PF (measured: CVTTPD2PI on an AMD EPYC). */
static bool misaligned(struct vcpu *v, struct bt *bt, uint64_t off)
{
    return (off & 15) &&
           insn_wants_alignment(&bt_site_insn(v, &bt->cache.sites[v->bt.exit_arg])->insn);
}

/* An MMX store reads its operand first, to try it (bt/translate/fpu.c). What it then cannot write
 * is not to be marked accessed. */
static bool is_mmx_store(struct vcpu *v, struct bt *bt)
{
    const struct insn *i = &bt_site_insn(v, &bt->cache.sites[v->bt.exit_arg])->insn;
    bool mmx = false, stores = false;

    for (unsigned n = 0; n < i->nops; n++) {
        mmx |= i->operand[n].kind == OPK_MMX;
        stores |= i->operand[n].kind == OPK_MEM && (i->operand[n].act & ACT_W);
    }
    return mmx && stores;
}

void bt_handle_trap(struct vcpu *v, struct bt *bt)
{
    uint64_t off = v->bt.trap_addr - v->bt.window[ctx_user(v->bt.context)];
    const struct bt_site *s = &bt->cache.sites[v->bt.exit_arg];
    bool memory =
        (v->bt.context & CTX_WINDOW) && trap_is_access(v->bt.trap_kind) && !misaligned(v, bt, off);

    if (memory && off <= FILL_LAST) {
        bool write = v->bt.trap_kind == TRAP_WRITE || is_mmx_store(v, bt);

        if (window_fill(v, (gla_t)off, write ? MMU_WRITE : MMU_READ)) {
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

/* The reason is in v->attention. The interpreter goes on with a repetition that was cut in two,
 * since it shows RF as the SDM has it. */
void bt_handle_break(struct vcpu *v, struct bt *bt)
{
    if (attention_now(v) & ~ATT_OURS)
        adapt_tick(v);
    if (v->bt.break_in_rep)
        run_trapped(v, bt);
    else
        keep_shadow(v, &bt->cache.sites[v->bt.exit_arg]);
    bt_break_done(v);
}
