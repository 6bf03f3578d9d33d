/* SPDX-License-Identifier: MIT */
/*
 * task.c - hardware task switches between 16- and 32-bit TSSs, by JMP, CALL, IRET and through task
 * gates.
 *
 * Promises   Everything that can fault on behalf of the old task is tried before the old task's
 *            state is saved; after that point v->eip, CS, EFLAGS... are the new task's and faults
 *            are its own.
 * Invariant  In the new task every segment register holds its selector before the first descriptor
 *            is loaded; those not loaded yet are unusable.
 * Not here   Finding the TSS and the rights to use it (far_jmp_call.c, deliver.c).
 * Source     SDM vol. 3A, chapter 8 (section 8.3: the steps; table 8-1: the checks and their order;
 *            table 8-2: the busy flag, NT and the link).
 */
#include "monitor/arch/control.h"
#include "monitor/arch/far_priv.h"
#include "monitor/cpu/vm.h"

#define TSS_LINK      0u
#define TSS32_CR3     0x1cu
#define TSS32_DYNAMIC 0x20u /* first field that a switch saves */
#define TSS32_T       0x64u
#define TSS16_DYNAMIC 0x0eu

/* The dynamic part of a TSS, as read or about to be written. */
struct task_state {
    uint32_t eip, eflags, gpr[GPR_COUNT], cr3;
    uint16_t seg[SEG_COUNT], ldt;
    bool trap;
};

/* The layouts (SDM vol. 3A, figures 8-2 and 8-10). */
struct tss_layout {
    uint8_t size;      /* of a general field */
    uint8_t dynamic;   /* offset of EIP; EFLAGS and the general registers follow */
    uint8_t segs;      /* offset of ES; CS, SS, DS, FS, GS follow, each in a general field */
    uint8_t seg_count; /* FS and GS exist in the 32-bit TSS only */
    uint8_t ldt;
    uint8_t min_limit;
};
static const struct tss_layout layout16 = {2, TSS16_DYNAMIC, 0x22, 4, 0x2a, 0x2b};
static const struct tss_layout layout32 = {4, TSS32_DYNAMIC, 0x48, 6, 0x60, 0x67};

static const struct tss_layout *layout_of(unsigned type)
{
    return type & 8 ? &layout32 : &layout16;
}

static uint32_t field_read(struct vcpu *v, const struct tss_layout *l, gla_t at)
{
    return l->size == 4 ? lin_read32(v, at, MMU_IMPLICIT) : lin_read16(v, at, MMU_IMPLICIT);
}

static void field_write(struct vcpu *v, const struct tss_layout *l, gla_t at, uint32_t val)
{
    if (l->size == 4)
        lin_write32(v, at, val, MMU_IMPLICIT);
    else
        lin_write16(v, at, (uint16_t)val, MMU_IMPLICIT);
}

static void state_read(struct vcpu *v, const struct seg *tss, struct task_state *t)
{
    const struct tss_layout *l = layout_of(tss->attr);
    gla_t at = tss->base + l->dynamic;
    /* A 16-bit TSS has no upper halves; CPUs fill those of the general registers with ones. */
    uint32_t upper = l->size == 4 ? 0 : 0xffff0000u;

    *t = (struct task_state){.eip = field_read(v, l, at), .eflags = field_read(v, l, at + l->size)};
    at += 2u * l->size;
    for (unsigned n = 0; n < GPR_COUNT; n++, at += l->size)
        t->gpr[n] = field_read(v, l, at) | upper;
    for (unsigned n = 0; n < l->seg_count; n++)
        t->seg[n] = lin_read16(v, tss->base + l->segs + n * l->size, MMU_IMPLICIT);
    t->ldt = lin_read16(v, tss->base + l->ldt, MMU_IMPLICIT);
    if (l->size == 4) {
        t->cr3 = lin_read32(v, tss->base + TSS32_CR3, MMU_IMPLICIT);
        t->trap = lin_read16(v, tss->base + TSS32_T, MMU_IMPLICIT) & 1;
    }
}

static void state_save(struct vcpu *v, const struct task_args *a)
{
    const struct tss_layout *l = layout_of(v->tr.attr);
    gla_t at = v->tr.base + l->dynamic;
    uint32_t eflags = a->why == TASK_IRET ? a->old_eflags & ~EFL_NT : a->old_eflags;

    field_write(v, l, at, a->old_eip);
    field_write(v, l, at + l->size, eflags);
    at += 2u * l->size;
    for (unsigned n = 0; n < GPR_COUNT; n++, at += l->size)
        field_write(v, l, at, v->gpr[n]);
    for (unsigned n = 0; n < l->seg_count; n++)
        lin_write16(v, v->tr.base + l->segs + n * l->size, v->seg[n].sel, MMU_IMPLICIT);
}

/* ---- before the commit point ---- */

/* Fetches the new task's TSS descriptor and checks it as the reason of the switch demands. */
static struct descriptor check_tss(struct vcpu *v, const struct task_args *a)
{
    bool back = a->why == TASK_IRET;
    unsigned vector = back ? VEC_TS : VEC_GP;
    uint32_t code = sel_error(a->sel) | a->ext;
    struct descriptor d;

    if ((a->sel & 4) || sel_is_null(a->sel) || !descriptor_fetch(v, a->sel, &d) ||
        !desc_is_tss(d) || !(d.hi & DESC_TSS_BUSY) == back)
        fault_raise(v, vector, code);
    if (!desc_present(d))
        fault_raise(v, VEC_NP, code);
    if (desc_limit(d) < layout_of(desc_type(d))->min_limit)
        fault_raise(v, VEC_TS, code);
    return d;
}

static gla_t type_byte(const struct vcpu *v, uint16_t sel)
{
    return v->gdtr.base + (sel & 0xfff8u) + 5;
}

static void set_busy(struct vcpu *v, uint16_t sel, bool busy)
{
    uint8_t type = lin_read8(v, type_byte(v, sel), MMU_IMPLICIT);

    lin_write8(v, type_byte(v, sel), busy ? type | 2 : type & ~2, MMU_IMPLICIT);
}

/* Touches all memory that the switch will read or write, so that page faults are the old task's. */
static void probe_all(struct vcpu *v, const struct task_args *a, const struct seg *tss)
{
    const struct tss_layout *from = layout_of(v->tr.attr), *to = layout_of(tss->attr);
    unsigned saved = from->segs + from->seg_count * from->size - from->dynamic;

    if (!v->tr.acc || v->tr.limit < from->min_limit)
        fault_raise(v, VEC_TS, sel_error(v->tr.sel) | a->ext);
    lin_probe(v, v->tr.base + from->dynamic, saved, MMU_IMPLICIT | MMU_WRITE);
    lin_probe(v, tss->base, to->min_limit + 1u, MMU_IMPLICIT);
    if (a->why == TASK_CALL || a->why == TASK_EVENT)
        lin_probe(v, tss->base + TSS_LINK, 2, MMU_IMPLICIT | MMU_WRITE);
    if (a->why == TASK_JMP || a->why == TASK_IRET)
        lin_probe(v, type_byte(v, v->tr.sel), 1, MMU_IMPLICIT | MMU_WRITE);
    if (a->why != TASK_IRET)
        lin_probe(v, type_byte(v, a->sel), 1, MMU_IMPLICIT | MMU_WRITE);
}

/* ---- the new task ---- */

static void load_ldt(struct vcpu *v, uint16_t sel, unsigned ext)
{
    struct descriptor d;

    seg_set_null(&v->ldtr, sel);
    if (sel_is_null(sel))
        return;
    if ((sel & 4) || !descriptor_fetch(v, sel, &d) || !desc_is_system(d) ||
        desc_type(d) != SYS_LDT || !desc_present(d))
        fault_raise(v, VEC_TS, sel_error(sel) | ext);
    seg_from_descriptor(&v->ldtr, sel, d);
}

static void load_cs(struct vcpu *v, uint16_t sel, unsigned ext)
{
    unsigned rpl = sel & 3;
    uint32_t code = sel_error(sel) | ext;
    struct descriptor d;

    if (sel_is_null(sel) || !descriptor_fetch(v, sel, &d) || !desc_is_code(d) ||
        (desc_is_conforming(d) ? desc_dpl(d) > rpl : desc_dpl(d) != rpl))
        fault_raise(v, VEC_TS, code);
    if (!desc_present(d))
        fault_raise(v, VEC_NP, code);
    descriptor_set_accessed(v, sel, &d);
    seg_set_cs(v, sel, d, rpl);
}

static void load_ss(struct vcpu *v, uint16_t sel, unsigned ext)
{
    struct descriptor d = seg_check_stack(v, sel, v->cpl, VEC_TS, ext);

    descriptor_set_accessed(v, sel, &d);
    seg_set_ss(v, sel, d);
}

static void load_data(struct vcpu *v, unsigned seg, uint16_t sel, unsigned ext)
{
    uint32_t code = sel_error(sel) | ext;
    struct descriptor d;

    if (sel_is_null(sel))
        return;
    if (!descriptor_fetch(v, sel, &d) || !desc_is_readable(d))
        fault_raise(v, VEC_TS, code);
    if (!desc_is_conforming(d) && (desc_dpl(d) < v->cpl || desc_dpl(d) < (sel & 3u)))
        fault_raise(v, VEC_TS, code);
    if (!desc_present(d))
        fault_raise(v, VEC_NP, code);
    descriptor_set_accessed(v, sel, &d);
    seg_from_descriptor(&v->seg[seg], sel, d);
}

/* Registers without their descriptors: from here on we are the new task. */
static void commit_registers(struct vcpu *v, const struct task_args *a, const struct task_state *t)
{
    bool nested = a->why == TASK_CALL || a->why == TASK_EVENT;

    v->eip = v->next_eip = t->eip;
    eflags_write(v, t->eflags | (nested ? EFL_NT : 0), 0xffffffffu);
    for (unsigned n = 0; n < GPR_COUNT; n++)
        v->gpr[n] = t->gpr[n];
    for (unsigned n = 0; n < SEG_COUNT; n++)
        seg_set_null(&v->seg[n], t->seg[n]);
    v->cpl = t->eflags & EFL_VM ? 3 : t->seg[SEG_CS] & 3;
    v->cr0 |= CR0_TS;
    v->dr[7] &= ~DR7_LOCAL;
    v->dr_armed = v->dr[7] & 0xff;
    v->shadow_next = 0;
    vcpu_attend(v, ATT_MODE);
}

static void load_page_tables(struct vcpu *v, const struct task_args *a, uint32_t cr3)
{
    if (!(v->cr0 & CR0_PG) || cr3 == v->cr3)
        return;
    if (!mmu_load_cr3(v, cr3))
        fault_raise(v, VEC_TS, sel_error(a->sel) | a->ext);
}

static void load_segments(struct vcpu *v, const struct task_args *a, const struct task_state *t)
{
    static const uint8_t data_segs[] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};

    load_ldt(v, t->ldt, a->ext);
    if (vcpu_v86(v)) {
        for (unsigned n = 0; n < SEG_COUNT; n++)
            seg_load_v86(v, n, t->seg[n]);
    } else {
        load_cs(v, t->seg[SEG_CS], a->ext);
        load_ss(v, t->seg[SEG_SS], a->ext);
        for (unsigned n = 0; n < ARRAY_LEN(data_segs); n++)
            load_data(v, data_segs[n], t->seg[data_segs[n]], a->ext);
    }
    if (t->eip > v->seg[SEG_CS].limit)
        fault_raise(v, VEC_GP, a->ext);
}

static void push_error(struct vcpu *v, const struct task_args *a, unsigned size)
{
    struct stack_cursor s;

    stack_open(&s, v);
    s.fault_code = a->ext;
    stack_push(&s, a->error, size);
    stack_commit_esp(&s);
}

void task_switch_args(struct vcpu *v, const struct task_args *a)
{
    struct descriptor d = check_tss(v, a);
    struct task_state t;
    struct seg tss;
    uint16_t old_sel = v->tr.sel;

    seg_from_descriptor(&tss, a->sel, d);
    tss.attr |= 2; /* busy, as TR caches it */
    probe_all(v, a, &tss);

    if (a->why == TASK_JMP || a->why == TASK_IRET)
        set_busy(v, old_sel, false);
    state_save(v, a);
    if (a->why == TASK_CALL || a->why == TASK_EVENT)
        lin_write16(v, tss.base + TSS_LINK, old_sel, MMU_IMPLICIT);
    if (a->why != TASK_IRET)
        set_busy(v, a->sel, true);
    state_read(v, &tss, &t);

    v->tr = tss;
    v->stats.task_switches++;
    commit_registers(v, a, &t);
    if (tss.attr & 8)
        load_page_tables(v, a, t.cr3);
    load_segments(v, a, &t);
    if (a->push_error)
        push_error(v, a, tss.attr & 8 ? 4 : 2);
    if (t.trap) {
        v->dr6_pending |= DR6_BT;
        vcpu_attend(v, ATT_TRAP);
    }
}

void task_switch(struct vcpu *v, uint16_t sel, enum task_reason why, bool push_error_code,
                 uint32_t error)
{
    struct task_args a = {
        .sel = sel,
        .why = why,
        .push_error = push_error_code,
        .error = error,
        .old_eip = why == TASK_EVENT ? v->eip : v->next_eip,
        .old_eflags = v->eflags,
    };
    task_switch_args(v, &a);
}
