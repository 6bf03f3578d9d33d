/* SPDX-License-Identifier: MIT */
/*
 * quick.c - making records, and the hand-over to full handlers. See quick.h.
 *
 * Not here   The quick forms (quick_forms.c).
 */
#include "monitor/interp/quick.h"

#include "monitor/interp/block.h"

static inline bool attention_due(const struct vcpu *v)
{
    return __atomic_load_n(&v->attention, __ATOMIC_RELAXED);
}

/* Runs the full handler, with eip as its contract wants it. False: leave the block. */
static inline bool run_full(struct vcpu *v, const struct quick *q, uint32_t start)
{
    const struct xinsn *x = q->full;

    v->next_eip = start + q->end;
    v->eip = v->next_eip - x->insn.len;
    x->fn(v, &x->insn);
    v->eip = v->next_eip; /* an unfinished REP string stays where it is */
    if (likely(!attention_due(v)))
        return true;
    v->stats.insns -= x->left;
    return false;
}

void quick_plain(struct vcpu *v, const struct quick *q, uint32_t start)
{
    if (likely(run_full(v, q, start)))
        q[1].run(v, q + 1, start);
}

void quick_last(struct vcpu *v, const struct quick *q, uint32_t start)
{
    if (unlikely(!run_full(v, q, start)))
        return;
    v->interp->key = block_key(v);
    if (unlikely(v->shadow_next || (v->eflags & (EFL_TF | EFL_RF)) ||
                 (v->intr_line && (v->eflags & EFL_IF))))
        vcpu_attend(v, ATT_SHADOW);
}

void quick_dead(struct vcpu *v, const struct quick *q, uint32_t start)
{
    v->stats.insns -= q->full->left + 1u;
    v->interp->shortcut[shortcut_index(v->seg[SEG_CS].base + start)].key = 0;
}

static uint8_t address_reg(uint8_t reg)
{
    return reg == INSN_NO_REG ? GPR_COUNT : reg;
}

void quick_make(struct quick *q, const struct xinsn *full, unsigned end, bool last)
{
    const struct insn *i = &full->insn;
    quick_fn *run = NULL;

    *q = (struct quick){
        .full = full,
        .disp = (uint32_t)i->disp,
        .imm = i->imm,
        .dst = i->operand[0].reg,
        .src = i->operand[1].reg,
        .base = address_reg(i->base),
        .index = address_reg(i->index),
        .scale = i->scale,
        .seg = i->seg,
        .end = (uint16_t)end,
    };
    if (!last || quick_is_branch(i))
        run = quick_select(q, i);
    if (!run)
        run = last ? quick_last : quick_plain;
    q->run = run;
}
