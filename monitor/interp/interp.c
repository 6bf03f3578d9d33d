/* SPDX-License-Identifier: MIT */
/*
 * interp.c - the execution loop over decoded blocks. See interp.h.
 *
 * The loop goes from block to block; within a block the records' quick forms jump from one to the
 * next (quick.h).
 */
#include "monitor/interp/interp.h"

#include "monitor/arch/control.h"
#include "monitor/interp/block.h"

size_t interp_size(void)
{
    return sizeof(struct interp);
}

void interp_init(struct vcpu *v, void *memory)
{
    v->interp = memory;
    v->fpu.stubs_lost = block_flush;
    block_init(v);
    engine_add(v, &interp_engine);
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
    v->outcome = 0;
    x->fn(v, &x->insn);
    v->eip = v->next_eip;
}

const struct insn *interp_peek(struct vcpu *v)
{
    return &block_get(v)->insns[0].insn;
}

bool interp_at_rep(struct vcpu *v)
{
    return insn_repeats(interp_peek(v));
}

/* A shortcut that a TLB flush made doubtful still holds if its page is where it was. */
static bool still_valid(struct vcpu *v, const struct shortcut *s, gla_t gla)
{
    gpa_t page;

    if (s->gla != gla || (s->key ^ v->interp->key) & BLOCK_KEY_MODE || s->block->dead ||
        s->block->page2 != NO_PAGE)
        return false;
    lin_fetch_page(v, gla, &page);
    return s->block->gpa == (page | (gla & GUEST_PAGE_MASK));
}

/* The block at v->eip where *s does not name it; fills *s if the block will be found again. */
static struct shortcut find_slowly(struct vcpu *v, struct shortcut *s, gla_t gla)
{
    if (s->key && still_valid(v, s, gla)) {
        s->key = v->interp->key = block_key(v);
        return *s;
    }
    struct block *b = block_get(v);
    v->interp->key = block_key(v); /* a full cache was flushed, or a new page write-protected */
    struct shortcut found = {.key = v->interp->key,
                             .gla = gla,
                             .bytes = b->bytes,
                             .count = b->count,
                             .quick = b->quick,
                             .block = b};
    if (b->cached)
        *s = found;
    return found;
}

/* Finds the block at v->eip as block_get() does, by a shortcut if one is valid. */
static inline struct shortcut find(struct vcpu *v)
{
    gla_t gla = v->seg[SEG_CS].base + v->eip;
    struct interp *in = v->interp;
    struct shortcut *s = &in->shortcut[shortcut_index(gla)];

    if (likely(s->gla == gla) && likely(s->key == in->key))
        return *s;
    return find_slowly(v, s, gla);
}

void interp_run(struct vcpu *v, unsigned budget)
{
    unsigned done = 0;

    v->interp->key = block_key(v);
    while (done < budget) {
        uint32_t eip = v->eip;

        if (unlikely(eip > v->seg[SEG_CS].hi))
            fault_gp0(v);
        struct shortcut at = find(v);
        if (unlikely(v->seg[SEG_CS].hi - eip < at.bytes - 1u)) {
            interp_step(v); /* up to the instruction that crosses the limit */
            return;
        }
        /* After a halt the records are no longer in the host's caches. */
        __builtin_prefetch(at.quick + 2);
        __builtin_prefetch(at.quick + 4);
        /* A fault unwinds out of here: the block is counted before it runs, and corrected when it
         * ends early. */
        v->stats.insns += at.count;
        done += at.count;
        at.quick->run(v, at.quick, eip);
        if (unlikely(__atomic_load_n(&v->attention, __ATOMIC_RELAXED)))
            return;
    }
}

unsigned interp_run_block(struct vcpu *v, unsigned most, uint32_t rep)
{
    uint32_t eip = v->eip;

    v->interp->key = block_key(v);
    if (unlikely(eip > v->seg[SEG_CS].hi))
        fault_gp0(v);
    struct shortcut at = find(v);
    if (at.count > most || unlikely(v->seg[SEG_CS].hi - eip < at.bytes - 1u))
        return 0;
    if (at.count == most && rep - eip < at.bytes) {
        const struct insn *last = &at.block->insns[at.count - 1].insn;
        if (rep == eip + at.bytes - last->len && insn_repeats(last))
            return 0;
    }
    v->stats.insns += at.count;
    at.quick->run(v, at.quick, eip);
    return at.bytes;
}
