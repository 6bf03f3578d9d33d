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

/* As block_get(), by way of a shortcut where one is valid. CPL 3 has its own: the same linear
 * address
 * may not be executable at both. */
static inline struct block *find(struct vcpu *v)
{
    gla_t gla = v->seg[SEG_CS].base + v->eip;
    uint8_t mode = block_mode(v) | (v->cpl == 3 ? BLOCK_USER : 0);
    struct shortcut *s = &v->interp->shortcut[(gla ^ gla >> 12) & (CACHE_SHORTCUTS - 1)];

    if (likely(s->gla == gla && s->generation == v->fetch_generation && s->mode == mode &&
               s->block && !s->block->dead) &&
        likely(v->eip <= v->seg[SEG_CS].hi))
        return s->block;
    struct block *b = block_get(v);
    if (b->cached)
        *s = (struct shortcut){gla, v->fetch_generation, mode, b};
    return b;
}

void interp_run(struct vcpu *v, unsigned budget)
{
    unsigned done = 0;

    while (done < budget) {
        struct block *b = find(v);
        struct xinsn *x = b->insns;
        unsigned count = b->count;
        if (unlikely(v->seg[SEG_CS].hi - v->eip < b->bytes - 1u)) {
            check_limit(v, &x->insn);
            count = 1;
        }
        struct xinsn *last = x + count - 1;
        /* A fault unwinds out of here: count the block before it runs, correct below when it ends
         * early. */
        v->stats.insns += count;
        done += count;
        /* Only the last instruction of a block goes elsewhere than to the next one; before it, eip
         * stays in a register instead of going through memory. */
        for (uint32_t eip = v->eip; x != last; x++) {
            eip += x->insn.len;
            v->next_eip = eip;
            x->fn(v, &x->insn);
            if (unlikely(__atomic_load_n(&v->attention, __ATOMIC_RELAXED))) {
                v->eip = v->next_eip; /* an unfinished REP string stays where it is */
                v->stats.insns -= (unsigned)(last - x);
                return;
            }
            v->eip = eip;
        }
        v->next_eip = v->eip + x->insn.len;
        x->fn(v, &x->insn);
        v->eip = v->next_eip;
        if (unlikely(__atomic_load_n(&v->attention, __ATOMIC_RELAXED)))
            return;
        if (unlikely(v->shadow_next || (v->eflags & (EFL_TF | EFL_RF)) ||
                     (v->intr_line && (v->eflags & EFL_IF))))
            return;
    }
}
