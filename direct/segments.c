/* SPDX-License-Identifier: MIT */
/*
 * segments.c - the guest's segment registers on the bare CPU.
 *
 * How        Only the selectors that are loaded have a descriptor in the host's table, made from
 *            the hidden part (struct seg). So direct code can load these again; any other traps,
 *            and the interpreter loads it. That is exact as long as the guest's own table still
 *            says what was loaded, which is compared at each entry. Direct code may load null
 *            selectors 1 to 3 itself, but cannot be entered with one: the host's IRET to an outer
 *            ring makes 0 of it.
 * Source     SDM vol. 3A, section 3.4.5 (descriptors), 5.6-5.8 (privilege of loads); vol. 2, IRET.
 */
#include "direct/direct_priv.h"
#include "include/ring1/bytes.h"
#include "monitor/arch/segment.h"
#include "shadow-mmu/access.h"

#define SEL_TI    4u
#define DESC_SIZE 8u
#define DESC_DPL1 (1ull << 45)
#define ACCESSED  (1ull << 40)
/* AVL is nothing that is loaded. Without the accessed bit in the guest's table a load would set it
 * there. */
#define MEANINGFUL (~(1ull << 52))

static uint64_t descriptor_of(const struct seg *s)
{
    uint32_t limit = s->attr & SEGA_G ? s->limit >> 12 : s->limit;

    return (limit & 0xffff) | (uint64_t)(s->base & 0xffffff) << 16 |
           (uint64_t)(s->attr & 0xff) << 40 | (uint64_t)(limit >> 16 & 0xf) << 48 |
           (uint64_t)(s->attr >> 12 & 0xd) << 52 | (uint64_t)(s->base >> 24) << 56 | ACCESSED;
}

/* The guest's own descriptor, without a trace that it was read. */
static bool guest_descriptor(struct vcpu *v, uint16_t sel, uint64_t *out)
{
    uint32_t base = sel & SEL_TI ? v->ldtr.base : v->gdtr.base, len;
    uint32_t limit = sel & SEL_TI ? v->ldtr.limit : v->gdtr.limit, at = sel & ~7u;

    if (at + DESC_SIZE - 1 > limit || ((sel & SEL_TI) && !v->ldtr.acc && sel_is_null(v->ldtr.sel)))
        return false;
    const uint8_t *p = lin_run(v, base + at, 0, &len);
    if (!p || len < DESC_SIZE)
        return false;
    *out = get_le64(p);
    return true;
}

/* A kernel's descriptors of DPL 0 get DPL 1, and CS and SS, whose RPL is the CPL, RPL 1. False: of
 * another privilege than those that are run. */
static bool raise(const struct vcpu *v, struct direct *d, unsigned n)
{
    unsigned dpl = (v->seg[n].attr & SEGA_DPL) >> SEGA_DPL_SHIFT;

    if (v->cpl == 3)
        return dpl == 3 && (d->regs.sel[n] & 3) == 3;
    if (dpl == 0)
        d->regs.desc[n] |= DESC_DPL1;
    if (n != SEG_CS && n != SEG_SS)
        return dpl == 0 || dpl == 3;
    d->regs.sel[n] |= 1;
    return dpl == 0;
}

/* Code that can be jumped to must be what was scanned: 32-bit code in CS, nothing in the others. */
static bool code_fits(const struct vcpu *v, unsigned n)
{
    const struct seg *s = &v->seg[n];

    return !(s->attr & SEGA_CODE) ||
           ((s->attr & SEGA_DB) && (s->sel | 3) == (v->seg[SEG_CS].sel | 3));
}

bool segments_shadow(struct vcpu *v, struct direct *d)
{
    for (unsigned n = 0; n < SEG_COUNT; n++) {
        const struct seg *s = &v->seg[n];
        uint64_t table;

        d->regs.sel[n] = s->sel;
        d->regs.desc[n] = 0;
        if (s->sel == 0 && n != SEG_CS && n != SEG_SS)
            continue;
        if (sel_is_null(s->sel) || s->sel >> 3 >= DIRECT_SELECTORS ||
            (s->attr & (SEGA_S | SEGA_P)) != (SEGA_S | SEGA_P) || !code_fits(v, n))
            return false;
        d->regs.desc[n] = descriptor_of(s);
        if (!guest_descriptor(v, s->sel, &table) || ((table ^ d->regs.desc[n]) & MEANINGFUL) != 0 ||
            !raise(v, d, n))
            return false;
    }
    return true;
}

void segments_take(struct vcpu *v, const struct direct *d)
{
    struct seg old[SEG_COUNT];

    for (unsigned n = 0; n < SEG_COUNT; n++)
        old[n] = v->seg[n];
    for (unsigned n = 0; n < SEG_COUNT; n++) {
        uint16_t sel = d->regs.sel[n];
        if (v->cpl == 0 && (n == SEG_CS || n == SEG_SS))
            sel &= (uint16_t)~3u;
        if (sel == old[n].sel)
            continue;
        if (sel_is_null(sel)) {
            seg_set_null(&v->seg[n], sel);
            continue;
        }
        for (unsigned k = 0; k < SEG_COUNT; k++)
            if ((old[k].sel | 3) == (sel | 3) && !sel_is_null(old[k].sel)) {
                v->seg[n] = old[k];
                v->seg[n].sel = sel;
            }
    }
}
