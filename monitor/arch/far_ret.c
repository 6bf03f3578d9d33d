/* SPDX-License-Identifier: MIT */
/*
 * far_ret.c - far RET and IRET: to the same and to outer levels, in and out of virtual-8086 mode,
 * to the nested task.
 *
 * Promises   All checks and all pops come first; registers change last.
 *            IRET ends the blocking of NMIs even if it faults.
 * Not here   The task switch itself (task.c).
 * Source     SDM vol. 2A, IRET; vol. 2B, RET ("Operation"); vol. 3A, sections 5.8.6 and 8.4;
 *            vol. 3B, sections 21.2.5 and 21.3 (virtual-8086 mode).
 */
#include "monitor/arch/far_priv.h"

/* What was popped, and the descriptors it turned out to name. */
struct ret_frame {
    struct stack_cursor s;
    struct descriptor cs_d, ss_d;
    uint32_t eip, eflags, esp;
    uint16_t cs, ss;
};

static void pop_cs_eip(struct ret_frame *f, struct vcpu *v, unsigned opsize)
{
    stack_open(&f->s, v);
    f->eip = stack_pop(&f->s, opsize);
    f->cs = (uint16_t)stack_pop(&f->s, opsize);
}

/* The code segment that a return names; its RPL is the level returned to. */
static void check_return_cs(struct vcpu *v, struct ret_frame *f)
{
    unsigned rpl = f->cs & 3;

    if (sel_is_null(f->cs))
        fault_gp0(v);
    if (!descriptor_fetch(v, f->cs, &f->cs_d) || !desc_is_code(f->cs_d) || rpl < v->cpl ||
        (desc_is_conforming(f->cs_d) ? desc_dpl(f->cs_d) > rpl : desc_dpl(f->cs_d) != rpl))
        fault_raise(v, VEC_GP, sel_error(f->cs));
    if (!desc_present(f->cs_d))
        fault_raise(v, VEC_NP, sel_error(f->cs));
}

static void check_return_eip(struct vcpu *v, const struct ret_frame *f)
{
    if (f->eip > desc_limit(f->cs_d))
        fault_gp0(v);
}

void far_drop_inner_segments(struct vcpu *v)
{
    static const uint8_t data_segs[] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};

    for (unsigned n = 0; n < ARRAY_LEN(data_segs); n++) {
        struct seg *s = &v->seg[data_segs[n]];
        bool conforming = (s->attr & (SEGA_CODE | SEGA_EC)) == (SEGA_CODE | SEGA_EC);
        if (sel_is_null(s->sel) ||
            (s->acc && !conforming && (s->attr & SEGA_DPL) >> SEGA_DPL_SHIFT < v->cpl))
            seg_set_null(s, 0);
    }
}

/* SS:ESP of the outer level are next on the stack. */
static void pop_outer_stack(struct vcpu *v, struct ret_frame *f, unsigned opsize)
{
    f->esp = stack_pop(&f->s, opsize);
    f->ss = (uint16_t)stack_pop(&f->s, opsize);
    f->ss_d = seg_check_stack(v, f->ss, f->cs & 3, VEC_GP, 0);
}

/* Commits a return to an outer level; `release` bytes are dropped from the outer stack too. */
static void commit_outer(struct vcpu *v, struct ret_frame *f, uint32_t release)
{
    descriptor_set_accessed(v, f->cs, &f->cs_d);
    descriptor_set_accessed(v, f->ss, &f->ss_d);
    seg_set_cs(v, f->cs, f->cs_d, f->cs & 3);
    seg_set_ss(v, f->ss, f->ss_d);
    if (v->seg[SEG_SS].attr & SEGA_DB) /* a 16-bit stack leaves the upper half of ESP alone */
        v->gpr[ESP] = f->esp + release;
    else
        v->gpr[ESP] = (v->gpr[ESP] & 0xffff0000u) | ((f->esp + release) & 0xffff);
    far_drop_inner_segments(v);
    v->next_eip = f->eip;
}

void far_ret(struct vcpu *v, unsigned opsize, uint16_t release)
{
    struct ret_frame f;

    pop_cs_eip(&f, v, opsize);
    stack_release(&f.s, release);
    if (vcpu_real_mode(v) || vcpu_v86(v)) {
        if (f.eip > (vcpu_v86(v) ? 0xffffu : v->seg[SEG_CS].limit))
            fault_gp0(v);
        stack_commit_esp(&f.s);
        if (vcpu_v86(v))
            seg_load_v86(v, SEG_CS, f.cs);
        else
            seg_load_real(v, SEG_CS, f.cs);
        v->next_eip = f.eip;
        return;
    }
    check_return_cs(v, &f);
    if ((f.cs & 3) == v->cpl) {
        check_return_eip(v, &f);
        descriptor_set_accessed(v, f.cs, &f.cs_d);
        stack_commit_esp(&f.s);
        seg_set_cs(v, f.cs, f.cs_d, v->cpl);
        v->next_eip = f.eip;
        return;
    }
    pop_outer_stack(v, &f, opsize);
    check_return_eip(v, &f);
    commit_outer(v, &f, release);
}

/* ---- IRET ---- */

static void iret_real(struct vcpu *v, struct ret_frame *f, unsigned opsize)
{
    uint32_t mask = EFL_ARITH | EFL_TF | EFL_IF | EFL_DF | EFL_IOPL | EFL_NT;

    if (f->eip > v->seg[SEG_CS].limit)
        fault_gp0(v);
    stack_commit_esp(&f->s);
    seg_load_real(v, SEG_CS, f->cs);
    v->next_eip = f->eip;
    eflags_write(v, f->eflags, opsize == 4 ? mask | EFL_RF | EFL_AC | EFL_ID : mask);
}

static void iret_from_v86(struct vcpu *v, struct ret_frame *f, unsigned opsize)
{
    uint32_t mask = EFL_ARITH | EFL_TF | EFL_DF | EFL_NT;

    if (vcpu_iopl(v) == 3) {
        mask |= EFL_IF;
        if (opsize == 4)
            mask |= EFL_RF | EFL_AC | EFL_ID;
    } else { /* VME with 16-bit operands, as far_iret() checked: VIF stands in for IF */
        if ((f->eflags & EFL_TF) || ((f->eflags & EFL_IF) && (v->eflags & EFL_VIP)))
            fault_gp0(v);
        mask |= EFL_VIF;
        f->eflags |= f->eflags & EFL_IF ? EFL_VIF : 0;
    }
    if (f->eip > 0xffff)
        fault_gp0(v);
    stack_commit_esp(&f->s);
    seg_load_v86(v, SEG_CS, f->cs);
    v->next_eip = f->eip;
    eflags_write(v, f->eflags, mask);
}

static void iret_to_v86(struct vcpu *v, struct ret_frame *f)
{
    static const uint8_t order[] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};
    uint16_t sel[ARRAY_LEN(order)];

    f->esp = stack_pop(&f->s, 4);
    f->ss = (uint16_t)stack_pop(&f->s, 4);
    for (unsigned n = 0; n < ARRAY_LEN(order); n++)
        sel[n] = (uint16_t)stack_pop(&f->s, 4);
    if (f->eip > 0xffff)
        fault_gp0(v);

    eflags_write(v, f->eflags, 0xffffffffu);
    v->cpl = 3;
    seg_load_v86(v, SEG_CS, f->cs);
    seg_load_v86(v, SEG_SS, f->ss);
    for (unsigned n = 0; n < ARRAY_LEN(order); n++)
        seg_load_v86(v, order[n], sel[n]);
    v->gpr[ESP] = f->esp;
    v->next_eip = f->eip;
    vcpu_attend(v, ATT_MODE);
}

static void iret_protected(struct vcpu *v, struct ret_frame *f, unsigned opsize)
{
    uint32_t mask = EFL_ARITH | EFL_TF | EFL_DF | EFL_NT;

    if (opsize == 4)
        mask |= EFL_RF | EFL_AC | EFL_ID;
    if (v->cpl <= vcpu_iopl(v))
        mask |= EFL_IF;
    if (v->cpl == 0)
        mask |= opsize == 4 ? EFL_IOPL | EFL_VIF | EFL_VIP : EFL_IOPL;

    check_return_cs(v, f);
    if ((f->cs & 3) == v->cpl) {
        check_return_eip(v, f);
        descriptor_set_accessed(v, f->cs, &f->cs_d);
        stack_commit_esp(&f->s);
        seg_set_cs(v, f->cs, f->cs_d, v->cpl);
        v->next_eip = f->eip;
    } else {
        pop_outer_stack(v, f, opsize);
        check_return_eip(v, f);
        commit_outer(v, f, 0);
    }
    eflags_write(v, f->eflags, mask);
}

static void iret_to_task(struct vcpu *v)
{
    uint16_t link = lin_read16(v, v->tr.base, MMU_IMPLICIT);

    task_switch(v, link, TASK_IRET, false, 0);
}

void far_iret(struct vcpu *v, unsigned opsize)
{
    struct ret_frame f;

    v->nmi_blocked = false;
    if (v->nmi_pending)
        vcpu_attend(v, ATT_NMI);
    if (vcpu_v86(v)) {
        if (vcpu_iopl(v) < 3 && (opsize == 4 || !(v->cr4 & CR4_VME)))
            fault_gp0(v);
    } else if (!vcpu_real_mode(v) && (v->eflags & EFL_NT)) {
        iret_to_task(v);
        return;
    }

    pop_cs_eip(&f, v, opsize);
    f.eflags = stack_pop(&f.s, opsize);
    if (vcpu_real_mode(v))
        iret_real(v, &f, opsize);
    else if (vcpu_v86(v))
        iret_from_v86(v, &f, opsize);
    else if (opsize == 4 && (f.eflags & EFL_VM) && v->cpl == 0)
        iret_to_v86(v, &f);
    else
        iret_protected(v, &f, opsize);
}
