/* SPDX-License-Identifier: MIT */
/*
 * segment_calls.c - loads of segment registers, and LAR, LSL, VERR and VERW, as far as translated
 * code asks for them by a short call.
 *
 * How        What cannot fault and leaves the context as it is is done here; the interpreter's
 *            handler does the rest. The descriptor is read from memory at each load; what follows
 *            from its bytes is remembered.
 * Source     SDM vol. 2A: MOV; vol. 2B: POP; vol. 3A, section 5.6.
 */
#include "bt/run/run_priv.h"
#include "include/ring1/mem.h"
#include "monitor/arch/segment.h"

/* ---- reading descriptors ---- */

/* Where in the supervisor's memory the descriptor lies, if it can be read there as a matter of
 * course; NULL otherwise. */
static const uint8_t *descriptor_at_hand(const struct vcpu *v, gla_t gla)
{
    const struct tlb_entry *e = &v->tlb.entry[0][tlb_index(gla)];

    return tlb_hit(e->tag_r, gla, 8) ? tlb_host(e, gla) : NULL;
}

unsigned bt_inspect_segment(struct vcpu *v, unsigned what, unsigned sel)
{
    unsigned kind = what & 3, reg = what >> 2 & 7;
    gla_t gla = (sel & 4 ? v->ldtr.base : v->gdtr.base) + (sel & 0xfff8u);
    uint32_t result = 0;
    bool yes;

    if (!sel_is_null((uint16_t)sel) && !descriptor_at_hand(v, gla))
        return 0;
    v->stats.bt_callouts++;
    if (kind == BT_LAR)
        yes = seg_lar(v, (uint16_t)sel, &result);
    else if (kind == BT_LSL)
        yes = seg_lsl(v, (uint16_t)sel, &result);
    else
        yes = seg_ver(v, (uint16_t)sel, kind == BT_VERW);
    if (!yes)
        return BT_INSPECTED;
    if (kind == BT_LAR || kind == BT_LSL)
        v->gpr[reg] = what >> 5 == 4 ? result : (v->gpr[reg] & 0xffff0000u) | (result & 0xffffu);
    return BT_INSPECTED | EFL_ZF;
}

/* ---- loading ---- */

/* The GDT's descriptor for sel as it is in memory, if reading it is a matter of course. */
static bool raw_descriptor(const struct vcpu *v, unsigned sel, uint64_t *raw)
{
    const uint8_t *d;

    if ((sel & 4) || (sel | 7u) > v->gdtr.limit)
        return false;
    d = descriptor_at_hand(v, v->gdtr.base + (sel & 0xfff8u));
    if (!d)
        return false;
    memcpy(raw, d, sizeof *raw);
    return true;
}

/* The result of a load that does not raise and leaves the descriptor as it is; NULL otherwise. */
static const struct seg *load_result(struct vcpu *v, unsigned sel)
{
    struct bt_seg_load *l = &v->translator->seg_load[sel >> 3 & (BT_SEG_ENTRIES - 1)];
    struct descriptor d;
    uint64_t raw;

    if (!raw_descriptor(v, sel, &raw))
        return NULL;
    if (l->raw == raw && l->sel == sel && l->cpl == v->cpl)
        return &l->seg;
    d = (struct descriptor){(uint32_t)raw, (uint32_t)(raw >> 32)};
    if (!desc_is_readable(d) || !desc_present(d) || !(d.hi & 0x100))
        return NULL;
    if (!desc_is_conforming(d) && (desc_dpl(d) < v->cpl || desc_dpl(d) < (sel & 3)))
        return NULL;
    *l = (struct bt_seg_load){.raw = raw, .sel = (uint16_t)sel, .cpl = v->cpl};
    seg_from_descriptor(&l->seg, (uint16_t)sel, d);
    return &l->seg;
}

bool bt_load_segment(struct vcpu *v, unsigned seg, unsigned sel)
{
    struct seg *s = &v->seg[seg];
    v->stats.bt_callouts++;
    bool any = seg >= SEG_FS; /* the context does not say what FS and GS are */

    if (sel_is_null((uint16_t)sel)) {
        if (!any && ctx_seg(v->bt.context, seg) != CTX_SEG_OTHER)
            return false;
        seg_set_null(s, (uint16_t)sel);
        return true;
    }
    const struct seg *now = load_result(v, sel);
    if (!now || (!any && bt_seg_state(v->translator, seg, now) != ctx_seg(v->bt.context, seg)))
        return false;
    *s = *now;
    return true;
}
