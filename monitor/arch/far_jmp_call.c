/* SPDX-License-Identifier: MIT */
/*
 * far_jmp_call.c - far JMP and CALL: to code segments, through call gates, task gates and TSSs.
 *
 * Promises   All checks and all memory that can fault come first; registers change last.
 * Not here   The task switch itself (task.c).
 * Source     SDM vol. 2A, CALL and JMP ("Operation"); vol. 3A, sections 5.8.1-5.8.5.
 */
#include "monitor/arch/far_priv.h"

/* A checked destination in a code segment. */
struct target {
    struct descriptor d;
    uint16_t sel;
    uint32_t eip;
};

static void check_eip(struct vcpu *v, const struct target *t)
{
    if (t->eip > desc_limit(t->d))
        fault_gp0(v);
}

static void commit_target(struct vcpu *v, const struct target *t, unsigned cpl)
{
    seg_set_cs(v, t->sel, t->d, cpl);
    v->next_eip = t->eip;
}

/* Real mode and virtual-8086 mode: the offset is checked against the limit that CS has, or will
 * have. */
static void check_eip_real(struct vcpu *v, uint32_t eip)
{
    if (eip > (vcpu_v86(v) ? 0xffffu : v->seg[SEG_CS].limit))
        fault_gp0(v);
}

static void load_cs_real(struct vcpu *v, uint16_t sel, uint32_t eip)
{
    if (vcpu_v86(v))
        seg_load_v86(v, SEG_CS, sel);
    else
        seg_load_real(v, SEG_CS, sel);
    v->next_eip = eip;
}

/* Pushes CS and the return address; everything else was checked. */
static void push_return(struct stack_cursor *s, const struct vcpu *v, unsigned opsize)
{
    stack_push(s, v->seg[SEG_CS].sel, opsize);
    stack_push(s, v->next_eip, opsize);
}

static struct descriptor fetch(struct vcpu *v, uint16_t sel)
{
    struct descriptor d;

    if (sel_is_null(sel))
        fault_gp0(v);
    if (!descriptor_fetch(v, sel, &d))
        fault_raise(v, VEC_GP, sel_error(sel));
    return d;
}

static void check_present(struct vcpu *v, uint16_t sel, struct descriptor d)
{
    if (!desc_present(d))
        fault_raise(v, VEC_NP, sel_error(sel));
}

/* Checks a code segment that the instruction itself names: privilege does not change. */
static void check_direct(struct vcpu *v, uint16_t sel, struct descriptor d)
{
    bool ok = desc_is_conforming(d) ? desc_dpl(d) <= v->cpl
                                    : desc_dpl(d) == v->cpl && (sel & 3u) <= v->cpl;

    if (!ok)
        fault_raise(v, VEC_GP, sel_error(sel));
    check_present(v, sel, d);
}

/* Checks that a gate or TSS may be used at this CPL and RPL, and is present. */
static void check_gate(struct vcpu *v, uint16_t sel, struct descriptor d)
{
    if (desc_dpl(d) < v->cpl || desc_dpl(d) < (sel & 3u))
        fault_raise(v, VEC_GP, sel_error(sel));
    check_present(v, sel, d);
}

static void call_same_level(struct vcpu *v, struct target *t, unsigned opsize)
{
    struct stack_cursor s;

    stack_open(&s, v);
    stack_reserve(&s, 2, opsize);
    check_eip(v, t);
    descriptor_set_accessed(v, t->sel, &t->d);
    push_return(&s, v, opsize);
    stack_commit_esp(&s);
    commit_target(v, t, v->cpl);
}

static void call_inner_level(struct vcpu *v, struct target *t, unsigned opsize, unsigned params)
{
    struct inner_stack in;
    struct stack_cursor old;
    uint32_t param[31];
    unsigned cpl = desc_dpl(t->d);
    uint16_t old_ss = v->seg[SEG_SS].sel;
    uint32_t old_esp = v->gpr[ESP];

    inner_stack_open(v, cpl, 0, &in);
    stack_reserve(&in.cursor, params + 4, opsize);
    check_eip(v, t);
    stack_open(&old, v);
    for (unsigned n = 0; n < params; n++)
        param[n] = stack_pop(&old, opsize);
    descriptor_set_accessed(v, in.sel, &in.d);
    descriptor_set_accessed(v, t->sel, &t->d);

    stack_push(&in.cursor, old_ss, opsize);
    stack_push(&in.cursor, old_esp, opsize);
    for (unsigned n = params; n > 0; n--)
        stack_push(&in.cursor, param[n - 1], opsize);
    push_return(&in.cursor, v, opsize);
    seg_set_ss(v, in.sel, in.d);
    stack_commit_esp(&in.cursor);
    commit_target(v, t, cpl);
}

static void through_call_gate(struct vcpu *v, uint16_t sel, struct descriptor gate, bool call)
{
    struct target t = {.sel = gate_selector(gate), .eip = gate_offset(gate)};
    unsigned opsize = gate_opsize(gate);

    check_gate(v, sel, gate);
    t.d = fetch(v, t.sel);
    if (!desc_is_code(t.d) || desc_dpl(t.d) > v->cpl ||
        (!call && !desc_is_conforming(t.d) && desc_dpl(t.d) != v->cpl))
        fault_raise(v, VEC_GP, sel_error(t.sel));
    check_present(v, t.sel, t.d);

    if (!call) {
        check_eip(v, &t);
        descriptor_set_accessed(v, t.sel, &t.d);
        commit_target(v, &t, v->cpl);
    } else if (!desc_is_conforming(t.d) && desc_dpl(t.d) < v->cpl) {
        call_inner_level(v, &t, opsize, gate.hi & 31);
    } else {
        call_same_level(v, &t, opsize);
    }
}

static void through_system(struct vcpu *v, uint16_t sel, struct descriptor d, bool call)
{
    switch (desc_type(d)) {
    case SYS_CALL16:
    case SYS_CALL32:
        through_call_gate(v, sel, d, call);
        return;
    case SYS_TASK_GATE:
        check_gate(v, sel, d);
        task_switch(v, gate_selector(d), call ? TASK_CALL : TASK_JMP, false, 0);
        return;
    case SYS_TSS16:
    case SYS_TSS32:
        check_gate(v, sel, d);
        task_switch(v, sel, call ? TASK_CALL : TASK_JMP, false, 0);
        return;
    default: /* busy TSSs too */
        fault_raise(v, VEC_GP, sel_error(sel));
    }
}

void far_jmp(struct vcpu *v, uint16_t sel, uint32_t off, unsigned opsize)
{
    struct target t = {.sel = sel, .eip = opsize == 2 ? off & 0xffff : off};

    if (vcpu_real_mode(v) || vcpu_v86(v)) {
        check_eip_real(v, t.eip);
        load_cs_real(v, sel, t.eip);
        return;
    }
    t.d = fetch(v, sel);
    if (desc_is_system(t.d)) {
        through_system(v, sel, t.d, false);
        return;
    }
    if (!desc_is_code(t.d))
        fault_raise(v, VEC_GP, sel_error(sel));
    check_direct(v, sel, t.d);
    check_eip(v, &t);
    descriptor_set_accessed(v, sel, &t.d);
    commit_target(v, &t, v->cpl);
}

void far_call(struct vcpu *v, uint16_t sel, uint32_t off, unsigned opsize)
{
    struct target t = {.sel = sel, .eip = opsize == 2 ? off & 0xffff : off};

    if (vcpu_real_mode(v) || vcpu_v86(v)) {
        struct stack_cursor s;
        stack_open(&s, v);
        stack_reserve(&s, 2, opsize);
        check_eip_real(v, t.eip);
        push_return(&s, v, opsize);
        stack_commit_esp(&s);
        load_cs_real(v, sel, t.eip);
        return;
    }
    t.d = fetch(v, sel);
    if (desc_is_system(t.d)) {
        through_system(v, sel, t.d, true);
        return;
    }
    if (!desc_is_code(t.d))
        fault_raise(v, VEC_GP, sel_error(sel));
    check_direct(v, sel, t.d);
    call_same_level(v, &t, opsize);
}
