/* SPDX-License-Identifier: MIT */
/*
 * callout.c - calls from translated code into the monitor, and the cold paths that lead there.
 *
 * Promises   Before the C function runs, the vCPU holds the guest's exact state at the start of the
 *            instruction; afterwards execution goes on behind the instruction only if nothing
 *            changed that the unit depends on.
 */
#include "bt/code_page.h"
#include "bt/priv.h"
#include "monitor/cpu/fpu.h"
#include "monitor/interp/interp.h"

/* Can the instruction change what bt_context() looks at, other than through vcpu.attention? */
static bool may_change_context(const struct insn *i)
{
    switch (i->op) {
    case OP_rdtsc:
    case OP_cpuid:
    case OP_rdmsr:
    case OP_in:
    case OP_out:
        return false;
    default:
        break;
    }
    return i->cls == CLS_CONTROL || i->cls == CLS_PRIVILEGED || i->cls == CLS_SENSITIVE ||
           i->op == OP_popf || i->op == OP_pop_seg || i->op == OP_mov_seg || i->op == OP_lds ||
           i->op == OP_les || i->op == OP_lfs || i->op == OP_lgs || i->op == OP_lss;
}

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
    bool may = may_change_context(&x->insn);

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
    if (may_change_context(i) && bt_context(v) != v->bt.context)
        return leave(v, site);
    if (write_missed)
        code_page_note(v);
    fpu_unpark(v);
    v->bt.return_rsp -= 8;
    return 0;
}

uint64_t bt_callout_far(struct vcpu *v, uint32_t site)
{
    struct bt_site *s = &v->translator->cache.sites[site];

    v->eip = s->eip;
    if (ctx_user(v->bt.context)) {
        v->bt.user_calls = true;
        v->bt.user_esp = v->gpr[ESP];
    }
    bt_x87_settle(v, s);
    const struct xinsn *x = bt_site_insn(v, s);
    v->next_eip = s->eip + x->insn.len;
    v->stats.bt_callouts++;
    x->fn(v, &x->insn);
    v->eip = v->next_eip;
    v->bt.exit_arg = site;
    return bt_resume(v);
}

/* Index of the current instruction's site. */
static uint32_t current_site(const struct tu *t)
{
    return t->block->first_site + t->count - 1;
}

void tu_callout(struct tu *t)
{
    tu_flush_esp(t);
    emit_mov_ri32(&t->e, R8, current_site(t));
    emit_call(&t->e, t->bt->stubs.callout);
    t->resumes_last = true;
    t->x87_last = t->x87_mem = 0; /* bt_callout() settled them */
}

/* Nothing comes back, so no CALL, which would put the host's own return predictions out of step. */
void tu_callout_far(struct tu *t)
{
    tu_flush_esp(t);
    emit_mov_ri32(&t->e, R8, current_site(t));
    emit_jmp(&t->e, t->bt->stubs.callout_far);
    t->done = true;
}

static void add_to_esp(struct tu *t, int32_t delta)
{
    if (delta)
        emit_lea32(&t->e, R12, HMEM(R12, delta));
}

void tu_flush_esp(struct tu *t)
{
    unsigned n = t->count - 1;
    bool at_start = t->e.at == t->pos[n];

    if (!t->esp_delta)
        return;
    add_to_esp(t, t->esp_delta);
    t->esp_delta = 0;
    if (!at_start)
        return;
    t->pos[n] = t->e.at;
    t->esp_before[n] = 0;
    if (current_site(t) < t->bt->cache.site_count) { /* the instruction begins behind the LEA */
        struct bt_site *s = &t->bt->cache.sites[current_site(t)];
        s->host = t->e.at;
        s->esp_undo = 0;
    }
}

void tu_cold_jump(struct tu *t, bool restore_rcx)
{
    VMM_CHECK(t->cold_count < TU_MAX_COLD);
    t->cold[t->cold_count++] = (struct tu_cold){.site = emit_jmp(&t->e, t->e.at),
                                                .insn = (uint16_t)(t->count - 1),
                                                .restore_rcx = restore_rcx};
}

void tu_write_cold(struct tu *t)
{
    for (unsigned k = 0; k < t->cold_count; k++) {
        const struct tu_cold *c = &t->cold[k];

        uint32_t hit = 0;

        emit_here32(&t->e, c->site);
        if (c->write) {
            emit_mov_mi8(&t->e, VCPU(bt.write_shift), (uint8_t)(64 - c->write));
            emit_call(&t->e, t->bt->stubs.code_write[ctx_user(t->ctx)]);
            hit = emit_jrcxz8(&t->e);
        }
        if (c->restore_rcx)
            emit_mov_rr64(&t->e, RCX, R10);
        add_to_esp(t, t->esp_before[c->insn]);
        emit_mov_ri32(&t->e, R8, t->block->first_site + c->insn);
        emit_call(&t->e, t->bt->stubs.callout);
        add_to_esp(t, -t->esp_before[c->insn + 1]);
        emit_jmp(&t->e, t->pos[c->insn + 1]);
        if (!c->write)
            continue;
        emit_here8(&t->e, hit);
        emit_mov_rr64(&t->e, RCX, R10);
        emit_jmp(&t->e, c->hit);
    }
}
