/* SPDX-License-Identifier: MIT */
/*
 * interp.c - the execution loop over decoded blocks. See interp.h.
 *
 * The loop's only per-instruction overhead is the indirect call and one test of vcpu.attention.
 */
#include "monitor/interp/interp.h"

#include "monitor/control.h"
#include "monitor/interp/block.h"

size_t interp_size(void)
{
    return sizeof(struct interp);
}

void interp_init(struct vcpu *v, void *memory)
{
    v->interp = memory;
}

void interp_flush(struct vcpu *v)
{
    block_flush(v);
}

/* An instruction whose last byte lies beyond the CS limit faults before it runs (SDM vol. 3A,
 * section 5.3). */
static inline void check_limit(struct vcpu *v, const struct insn *i)
{
    if (unlikely(v->seg[SEG_CS].hi - v->eip < i->len - 1u))
        fault_gp0(v);
}

void interp_step(struct vcpu *v)
{
    struct xinsn *x = block_get(v)->insns;

    check_limit(v, &x->insn);
    v->next_eip = v->eip + x->insn.len;
    v->stats.insns++;
    x->fn(v, &x->insn);
    v->eip = v->next_eip;
}

const struct insn *interp_peek(struct vcpu *v)
{
    return &block_get(v)->insns[0].insn;
}

void interp_run(struct vcpu *v, unsigned budget)
{
    unsigned done = 0;

    while (done < budget) {
        struct block *b = block_get(v);
        struct xinsn *x = b->insns, *end = x + b->count;
        if (unlikely(v->seg[SEG_CS].hi - v->eip < b->bytes - 1u))
            end = x + 1;
        check_limit(v, &x->insn);
        /* A fault unwinds out of here: count the block before it runs, correct below when it ends
         * early. */
        v->stats.insns += (unsigned)(end - x);
        done += (unsigned)(end - x);
        do {
            v->next_eip = v->eip + x->insn.len;
            x->fn(v, &x->insn);
            v->eip = v->next_eip;
            if (unlikely(__atomic_load_n(&v->attention, __ATOMIC_RELAXED))) {
                v->stats.insns -= (unsigned)(end - x - 1);
                return;
            }
        } while (++x != end);
        if (unlikely(v->shadow_next || (v->eflags & (EFL_TF | EFL_RF)) ||
                     (v->intr_line && (v->eflags & EFL_IF))))
            return;
    }
}
