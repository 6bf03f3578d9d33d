/* SPDX-License-Identifier: MIT */
/*
 * segment.c - descriptors and segment registers.
 *
 * Promises   A load that raises has changed neither the register nor the descriptor's accessed bit.
 *            Descriptor tables are read and written as implicit supervisor accesses, whatever the
 *            CPL.
 * Not here   CS (far_jmp_call.c, far_ret.c), the checks of a task switch (task.c).
 * Source     SDM vol. 3A, sections 3.4, 3.5, 5.2-5.6, 5.10; vol. 2: MOV, LAR, LSL, VERR, LLDT, LTR.
 */
#include "monitor/arch/segment.h"

#include "monitor/cpu/fault.h"
#include "shadow-mmu/access.h"

enum { SYS_TSS16 = 1, SYS_LDT = 2, SYS_TSS32 = 9 };

/* ---- the cached form ---- */

void seg_derive(struct seg *s, bool usable)
{
    unsigned type = s->attr & SEGA_TYPE;

    s->lo = 1; /* nothing is inside */
    s->hi = 0;
    s->room = 0;
    s->acc = 0;
    s->limited = true;
    if (!usable || !(s->attr & SEGA_P))
        return;
    if (!(s->attr & SEGA_S))
        s->acc = SEG_ACC_R;
    else if (type & SEGA_CODE)
        s->acc = type & SEGA_RW ? SEG_ACC_X | SEG_ACC_R : SEG_ACC_X;
    else
        s->acc = type & SEGA_RW ? SEG_ACC_R | SEG_ACC_W : SEG_ACC_R;

    if ((s->attr & SEGA_S) && (type & (SEGA_CODE | SEGA_EC)) == SEGA_EC) {
        uint32_t top = s->attr & SEGA_DB ? 0xffffffffu : 0xffffu;
        if (s->limit < top) {
            s->lo = s->limit + 1;
            s->hi = top;
        }
    } else {
        s->lo = 0;
        s->hi = s->limit;
    }
    s->limited = s->acc != (SEG_ACC_R | SEG_ACC_W) || s->lo != 0 || s->hi != UINT32_MAX;
    s->room = s->lo <= s->hi && s->hi - s->lo >= 7 ? s->hi - s->lo - 6 : 0;
}

void seg_set_null(struct seg *s, uint16_t sel)
{
    *s = (struct seg){.sel = sel};
    seg_derive(s, false);
}

void seg_from_descriptor(struct seg *s, uint16_t sel, struct descriptor d)
{
    s->sel = sel;
    s->attr = (uint16_t)(d.hi >> 8 & 0xf0ff);
    s->base = d.lo >> 16 | (d.hi & 0xff) << 16 | (d.hi & 0xff000000u);
    s->limit = desc_limit(d);
    seg_derive(s, true);
}

/* What decoded blocks depend on: leave the current one when it changes. */
static bool blocks_depend(unsigned seg, const struct seg *old, const struct seg *new)
{
    bool changed = (new->attr ^ old->attr) & SEGA_DB;

    if (seg == SEG_CS)
        changed |= new->base != old->base || new->hi != old->hi;
    return changed;
}

static void attend_if_changed(struct vcpu *v, unsigned seg, const struct seg *old)
{
    if (blocks_depend(seg, old, &v->seg[seg]))
        vcpu_attend(v, ATT_MODE);
}

void seg_load_real(struct vcpu *v, unsigned seg, uint16_t sel)
{
    struct seg old = v->seg[seg];
    struct seg *s = &v->seg[seg];

    s->sel = sel;
    s->base = (uint32_t)sel << 4;
    if (seg == SEG_CS) {
        /* Real-mode code may be written through CS: a far transfer makes it a data segment, the
         * limit stays. */
        s->attr =
            (uint16_t)((s->attr & (SEGA_G | SEGA_DB)) | SEGA_P | SEGA_S | SEGA_RW | SEGA_ACCESSED);
        seg_derive(s, true);
        s->acc = SEG_ACC_R | SEG_ACC_W | SEG_ACC_X;
        attend_if_changed(v, seg, &old);
        return;
    }
    if (!s->acc) { /* null since protected mode: a load in real mode makes it usable again */
        s->attr = SEGA_P | SEGA_S | SEGA_RW | SEGA_ACCESSED;
        s->limit = s->limit ? s->limit : 0xffff;
        seg_derive(s, true);
    }
}

void seg_load_v86(struct vcpu *v, unsigned seg, uint16_t sel)
{
    struct seg old = v->seg[seg];
    struct seg *s = &v->seg[seg];

    s->sel = sel;
    s->base = (uint32_t)sel << 4;
    s->limit = 0xffff;
    s->attr = SEGA_P | SEGA_DPL | SEGA_S | SEGA_RW | SEGA_ACCESSED;
    seg_derive(s, true);
    if (seg == SEG_CS)
        s->acc |= SEG_ACC_X;
    if (seg == SEG_CS || seg == SEG_SS)
        attend_if_changed(v, seg, &old);
}

/* ---- descriptor tables ---- */

static gla_t descriptor_address(const struct vcpu *v, uint16_t sel)
{
    return (sel & 4 ? v->ldtr.base : v->gdtr.base) + (sel & 0xfff8u);
}

bool descriptor_fetch(struct vcpu *v, uint16_t sel, struct descriptor *d)
{
    uint32_t limit = v->gdtr.limit;

    if (sel & 4) {
        if (!v->ldtr.acc)
            return false;
        limit = v->ldtr.limit;
    }
    if ((sel & 0xfff8u) + 7 > limit)
        return false;
    uint64_t raw = lin_read64(v, descriptor_address(v, sel), MMU_IMPLICIT);
    d->lo = (uint32_t)raw;
    d->hi = (uint32_t)(raw >> 32);
    return true;
}

void descriptor_set_accessed(struct vcpu *v, uint16_t sel, struct descriptor *d)
{
    if (d->hi & 0x100)
        return;
    lin_write8(v, descriptor_address(v, sel) + 5, (uint8_t)(d->hi >> 8 | 1), MMU_IMPLICIT);
    d->hi |= 0x100;
}

/* ---- loading ---- */

void seg_set_cs(struct vcpu *v, uint16_t sel, struct descriptor d, unsigned cpl)
{
    struct seg old = v->seg[SEG_CS];

    seg_from_descriptor(&v->seg[SEG_CS], (uint16_t)((sel & 0xfffcu) | cpl), d);
    if (v->cpl != cpl)
        vcpu_attend(v, ATT_MODE);
    v->cpl = (uint8_t)cpl;
    attend_if_changed(v, SEG_CS, &old);
}

void seg_set_ss(struct vcpu *v, uint16_t sel, struct descriptor d)
{
    struct seg old = v->seg[SEG_SS];

    seg_from_descriptor(&v->seg[SEG_SS], sel, d);
    attend_if_changed(v, SEG_SS, &old);
}

#define FLAT(type, access, not_data)                                                               \
    {                                                                                              \
        .attr = SEGA_G | SEGA_DB | SEGA_P | SEGA_S | SEGA_ACCESSED | (type), .limit = UINT32_MAX,  \
        .hi = UINT32_MAX, .room = UINT32_MAX - 6, .acc = (access), .limited = (not_data)           \
    }

void seg_set_flat(struct vcpu *v, uint16_t cs, uint16_t ss, unsigned cpl)
{
    static const struct seg flat_code = FLAT(SEGA_CODE | SEGA_RW, SEG_ACC_R | SEG_ACC_X, true);
    static const struct seg flat_data = FLAT(SEGA_RW, SEG_ACC_R | SEG_ACC_W, false);
    struct seg *code = &v->seg[SEG_CS], *data = &v->seg[SEG_SS];

    if (v->cpl != cpl || blocks_depend(SEG_CS, &v->seg[SEG_CS], &flat_code) ||
        blocks_depend(SEG_SS, &v->seg[SEG_SS], &flat_data))
        vcpu_attend(v, ATT_MODE);
    *code = flat_code;
    code->sel = cs;
    code->attr |= (uint16_t)(cpl << SEGA_DPL_SHIFT);
    *data = flat_data;
    data->sel = ss;
    data->attr |= (uint16_t)(cpl << SEGA_DPL_SHIFT);
    v->cpl = (uint8_t)cpl;
}

struct descriptor seg_check_stack(struct vcpu *v, uint16_t sel, unsigned cpl, unsigned vector,
                                  unsigned ext)
{
    struct descriptor d;

    if (sel_is_null(sel))
        fault_raise(v, vector, ext);
    if (!descriptor_fetch(v, sel, &d) || (sel & 3) != cpl || !desc_is_writable(d) ||
        desc_dpl(d) != cpl)
        fault_raise(v, vector, sel_error(sel) | ext);
    if (!desc_present(d))
        fault_raise(v, VEC_SS, sel_error(sel) | ext);
    return d;
}

static void load_data(struct vcpu *v, unsigned seg, uint16_t sel)
{
    struct descriptor d;

    if (sel_is_null(sel)) {
        seg_set_null(&v->seg[seg], sel);
        return;
    }
    if (!descriptor_fetch(v, sel, &d) || !desc_is_readable(d))
        fault_raise(v, VEC_GP, sel_error(sel));
    if (!desc_is_conforming(d) && (desc_dpl(d) < v->cpl || desc_dpl(d) < (sel & 3u)))
        fault_raise(v, VEC_GP, sel_error(sel));
    if (!desc_present(d))
        fault_raise(v, VEC_NP, sel_error(sel));
    descriptor_set_accessed(v, sel, &d);
    seg_from_descriptor(&v->seg[seg], sel, d);
}

void seg_load(struct vcpu *v, unsigned seg, uint16_t sel)
{
    if (seg == SEG_CS || seg >= SEG_COUNT)
        fault_ud(v);
    if (vcpu_real_mode(v)) {
        seg_load_real(v, seg, sel);
    } else if (vcpu_v86(v)) {
        seg_load_v86(v, seg, sel);
    } else if (seg == SEG_SS) {
        struct descriptor d = seg_check_stack(v, sel, v->cpl, VEC_GP, 0);
        descriptor_set_accessed(v, sel, &d);
        seg_set_ss(v, sel, d);
    } else {
        load_data(v, seg, sel);
    }
}

/* ---- LAR, LSL, VERR, VERW ---- */

/* Bit n: the instruction accepts system type n (SDM vol. 2A, tables 3-52 and 3-53). */
#define LAR_TYPES 0x1a3eu /* TSSs, LDT, call gates, task gate */
#define LSL_TYPES 0x0a0eu /* TSSs, LDT */

/* Fetches a descriptor for inspection; false: nothing there or not visible at this CPL and RPL. */
static bool inspect(struct vcpu *v, uint16_t sel, struct descriptor *d)
{
    if (vcpu_real_mode(v) || vcpu_v86(v))
        fault_ud(v);
    if (sel_is_null(sel) || !descriptor_fetch(v, sel, d))
        return false;
    return desc_is_conforming(*d) || (desc_dpl(*d) >= v->cpl && desc_dpl(*d) >= (sel & 3u));
}

bool seg_lar(struct vcpu *v, uint16_t sel, uint32_t *rights)
{
    struct descriptor d;

    if (!inspect(v, sel, &d) || (desc_is_system(d) && !(LAR_TYPES >> desc_type(d) & 1)))
        return false;
    *rights =
        d.hi & 0x00ffff00u; /* bits 16-19 are undefined by the SDM; CPUs show the limit there */
    return true;
}

bool seg_lsl(struct vcpu *v, uint16_t sel, uint32_t *limit)
{
    struct descriptor d;

    if (!inspect(v, sel, &d) || (desc_is_system(d) && !(LSL_TYPES >> desc_type(d) & 1)))
        return false;
    *limit = desc_limit(d);
    return true;
}

bool seg_ver(struct vcpu *v, uint16_t sel, bool write)
{
    struct descriptor d;

    if (!inspect(v, sel, &d))
        return false;
    return write ? desc_is_writable(d) : desc_is_readable(d);
}

/* ---- LLDT, LTR ---- */

/* Common checks: the selector names something in the GDT. Raises. */
static struct descriptor fetch_system(struct vcpu *v, uint16_t sel)
{
    struct descriptor d;

    if ((sel & 4) || !descriptor_fetch(v, sel, &d) || !desc_is_system(d))
        fault_raise(v, VEC_GP, sel_error(sel));
    return d;
}

static void require_kernel(struct vcpu *v)
{
    if (vcpu_real_mode(v) || vcpu_v86(v))
        fault_ud(v);
    if (v->cpl != 0)
        fault_gp0(v);
}

void seg_lldt(struct vcpu *v, uint16_t sel)
{
    require_kernel(v);
    if (sel_is_null(sel)) {
        seg_set_null(&v->ldtr, sel);
        return;
    }
    struct descriptor d = fetch_system(v, sel);
    if (desc_type(d) != SYS_LDT)
        fault_raise(v, VEC_GP, sel_error(sel));
    if (!desc_present(d))
        fault_raise(v, VEC_NP, sel_error(sel));
    seg_from_descriptor(&v->ldtr, sel, d);
}

void seg_ltr(struct vcpu *v, uint16_t sel)
{
    require_kernel(v);
    if (sel_is_null(sel))
        fault_gp0(v);
    struct descriptor d = fetch_system(v, sel);
    if (desc_type(d) != SYS_TSS16 && desc_type(d) != SYS_TSS32)
        fault_raise(v, VEC_GP, sel_error(sel));
    if (!desc_present(d))
        fault_raise(v, VEC_NP, sel_error(sel));
    d.hi |= DESC_TSS_BUSY;
    lin_write8(v, descriptor_address(v, sel) + 5, (uint8_t)(d.hi >> 8), MMU_IMPLICIT);
    seg_from_descriptor(&v->tr, sel, d);
}
