/* SPDX-License-Identifier: MIT */
/*
 * callouts.c - calls from translated code into the monitor: what runs there.
 *
 * Promises   Before the C function runs, the vCPU holds the guest's exact state at the start of the
 *            instruction; afterwards execution goes on after the instruction only if nothing
 *            changed that the unit depends on.
 */
#include "bt/run/run_priv.h"
#include "bt/run/write_map.h"
#include "monitor/arch/far.h"
#include "monitor/cpu/fpu.h"
#include "monitor/interp/interp.h"

static unsigned leave(struct vcpu *v, uint32_t site)
{
    v->bt.exit_arg = site;
    return 1;
}

const struct xinsn *bt_site_insn(struct vcpu *v, struct bt_site *s)
{
    if (!s->x || s->epoch != (uint32_t)v->stats.cache_flush_full) {
        s->x = block_get_insn(v);
        s->epoch = (uint32_t)v->stats.cache_flush_full;
    }
    return s->x;
}

/* Did nothing change that translated code depends on, other than the context? */
static bool undisturbed(const struct vcpu *v)
{
    return !__atomic_load_n(&v->attention, __ATOMIC_RELAXED) && !v->shadow_next &&
           v->fetch_generation == v->bt.generation_fetch;
}

/* Interprets the instruction at v->eip; can it have changed the context? */
static bool step(struct vcpu *v)
{
    const struct xinsn *x = block_get_insn(v);
    bool may = insn_may_change_context(&x->insn);

    if (UINT32_MAX - v->eip < x->insn.len - 1u) { /* beyond the segment's limit */
        interp_step(v);
        return true;
    }
    v->next_eip = v->eip + x->insn.len;
    v->stats.insns++;
    x->fn(v, &x->insn);
    v->eip = v->next_eip;
    return may;
}

uint64_t bt_callout_step(struct vcpu *v, uint32_t site)
{
    v->eip = v->translator->cache.sites[site].eip;
    v->stats.bt_interpreted++;
    bt_x87_settle(v, NULL);
    bool may = step(v);
    v->bt.exit_arg = site;
    if (!undisturbed(v) || (may && bt_context(v) != v->bt.context) || v->translator->opt.no_chain)
        return 0;
    uint64_t host = jump_map_find(v, v->bt.jump_index, v->eip);
    if (host)
        fpu_unpark(v);
    return host;
}

unsigned bt_callout(struct vcpu *v, uint32_t site)
{
    struct bt_site *s = &v->translator->cache.sites[site];

    /* The return address of the callout does not stay on the return stack if a fault unwinds. */
    v->bt.return_rsp += 8;
    v->eip = s->eip;
    bt_x87_settle(v, s);
    const struct xinsn *x = bt_site_insn(v, s);
    const struct insn *i = &x->insn;
    uint32_t next = s->eip + i->len;
    v->next_eip = next;
    v->stats.bt_callouts++;
    bool write_missed = v->bt.write_missed;
    v->bt.write_missed = false;
    x->fn(v, i);
    v->eip = v->next_eip;
    if (v->eip != next || !undisturbed(v))
        return leave(v, site);
    if (insn_may_change_context(i) && bt_context(v) != v->bt.context)
        return leave(v, site);
    if (write_missed)
        write_map_note(v);
    fpu_unpark(v);
    v->bt.return_rsp -= 8;
    return 0;
}

/* ---- what goes elsewhere ---- */

static struct bt_site *far_begin(struct vcpu *v, uint32_t site)
{
    struct bt_site *s = &v->translator->cache.sites[site];

    v->eip = s->eip;
    if (ctx_user(v->bt.context)) {
        v->bt.user_calls = true;
        v->bt.user_esp = v->gpr[ESP];
    }
    bt_x87_settle(v, s);
    v->stats.bt_callouts++;
    return s;
}

static bool far_end(struct vcpu *v, uint32_t site)
{
    v->eip = v->next_eip;
    v->bt.exit_arg = site;
    return bt_resume(v);
}

bool bt_callout_far(struct vcpu *v, uint32_t site)
{
    struct bt_site *s = far_begin(v, site);
    const struct xinsn *x = bt_site_insn(v, s);

    v->next_eip = s->eip + x->insn.len;
    x->fn(v, &x->insn);
    return far_end(v, site);
}

bool bt_callout_sysenter(struct vcpu *v, uint32_t site)
{
    far_begin(v, site);
    far_sysenter(v);
    return far_end(v, site);
}

bool bt_callout_sysexit(struct vcpu *v, uint32_t site)
{
    far_begin(v, site);
    far_sysexit(v);
    return far_end(v, site);
}
