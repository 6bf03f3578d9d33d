/* SPDX-License-Identifier: MIT */
/*
 * deliver.c - one event through the interrupt vector table or the IDT, in every mode.
 *
 * Promises   Checks and probes come first, then pushes, registers last: a delivery that faults has
 *            changed nothing visible (except in a task switch past its commit point).
 * Not here   What happens when the delivery itself faults (exception.c).
 * Source     SDM vol. 2A, INT n ("Operation"); vol. 3A, sections 6.10-6.14; vol. 3B, chapter 21
 *            (real mode, V86, VME).
 */
#include "monitor/arch/far_priv.h"

#define EFL_CLEARED_ALWAYS (EFL_TF | EFL_NT | EFL_RF | EFL_VM)

/* Where the event goes. */
struct handler {
    struct descriptor gate, cs_d;
    uint32_t eip;
    uint16_t cs;
    unsigned opsize;
    bool trap_gate;
};

/* Error code that names an IDT entry (SDM vol. 3A, section 6.13). */
static uint32_t idt_error(const struct event *e)
{
    return e->vector * 8u | 2u | e->ext;
}

static void set_eip(struct vcpu *v, uint32_t eip)
{
    v->eip = v->next_eip = eip;
}

/* Delivers the 8086 way: three words on the current stack, CS:IP from a table of far pointers. */
static void deliver_8086(struct vcpu *v, uint32_t entry, uint16_t flags, uint16_t ip)
{
    struct stack_cursor s;

    stack_open(&s, v);
    stack_reserve(&s, 3, 2);
    stack_push(&s, flags, 2);
    stack_push(&s, v->seg[SEG_CS].sel, 2);
    stack_push(&s, ip, 2);
    stack_commit_esp(&s);
    if (vcpu_v86(v))
        seg_load_v86(v, SEG_CS, (uint16_t)(entry >> 16));
    else
        seg_load_real(v, SEG_CS, (uint16_t)(entry >> 16));
    set_eip(v, entry & 0xffff);
}

static void deliver_real(struct vcpu *v, const struct event *e)
{
    if (e->vector * 4u + 3 > v->idtr.limit)
        fault_raise(v, VEC_GP, idt_error(e)); /* the code is dropped in real mode */
    uint32_t entry = lin_read32(v, v->idtr.base + e->vector * 4u, MMU_IMPLICIT);
    if ((entry & 0xffff) > v->seg[SEG_CS].limit)
        fault_raise(v, VEC_GP, e->ext);
    deliver_8086(v, entry, (uint16_t)e->eflags, (uint16_t)e->eip);
    eflags_write(v, 0, EFL_IF | EFL_TF | EFL_RF | EFL_AC);
}

/* INT n in virtual-8086 mode under CR4.VME: does the TSS's bitmap send it to the 8086 program? */
static bool vme_redirects(struct vcpu *v, const struct event *e)
{
    if (!v->tr.acc || v->tr.limit < 0x67)
        fault_gp0(v);
    uint32_t io_map = lin_read16(v, v->tr.base + 0x66, MMU_IMPLICIT);
    uint32_t at = io_map - 32 + e->vector / 8u;
    if (io_map < 32 || at > v->tr.limit)
        fault_gp0(v);
    return !(lin_read8(v, v->tr.base + at, MMU_IMPLICIT) >> (e->vector & 7) & 1);
}

/* INT n in virtual-8086 mode; true when it was delivered 8086 style. */
static bool deliver_v86_soft(struct vcpu *v, const struct event *e)
{
    bool trusted = vcpu_iopl(v) == 3;

    if ((v->cr4 & CR4_VME) && vme_redirects(v, e)) {
        uint32_t flags = e->eflags;
        if (!trusted)
            flags = (flags & ~EFL_IF) | EFL_IOPL | (flags & EFL_VIF ? EFL_IF : 0);
        uint32_t entry = lin_read32(v, e->vector * 4u, MMU_USER);
        deliver_8086(v, entry, (uint16_t)flags, (uint16_t)e->eip);
        eflags_write(v, 0, EFL_TF | EFL_RF | (trusted ? EFL_IF : EFL_VIF));
        return true;
    }
    if (!trusted)
        fault_gp0(v);
    return false;
}

static struct descriptor fetch_gate(struct vcpu *v, const struct event *e)
{
    struct descriptor gate;

    if (e->vector * 8u + 7 > v->idtr.limit)
        fault_raise(v, VEC_GP, idt_error(e));
    uint64_t raw = lin_read64(v, v->idtr.base + e->vector * 8u, MMU_IMPLICIT);
    gate.lo = (uint32_t)raw;
    gate.hi = (uint32_t)(raw >> 32);
    switch (desc_is_system(gate) ? desc_type(gate) : 0) {
    case SYS_TASK_GATE:
    case SYS_INTR16:
    case SYS_TRAP16:
    case SYS_INTR32:
    case SYS_TRAP32:
        break;
    default:
        fault_raise(v, VEC_GP, idt_error(e));
    }
    bool soft = e->type == EVENT_SOFT || e->type == EVENT_SOFT_TRAP;
    if (soft && desc_dpl(gate) < v->cpl)
        fault_raise(v, VEC_GP, idt_error(e));
    if (!desc_present(gate))
        fault_raise(v, VEC_NP, idt_error(e));
    return gate;
}

static void check_handler_cs(struct vcpu *v, const struct event *e, struct handler *h)
{
    if (sel_is_null(h->cs))
        fault_raise(v, VEC_GP, e->ext);
    if (!descriptor_fetch(v, h->cs, &h->cs_d) || !desc_is_code(h->cs_d) ||
        desc_dpl(h->cs_d) > v->cpl)
        fault_raise(v, VEC_GP, sel_error(h->cs) | e->ext);
    if (!desc_present(h->cs_d))
        fault_raise(v, VEC_NP, sel_error(h->cs) | e->ext);
    /* Out of virtual-8086 mode the way leads to ring 0 only. */
    if (vcpu_v86(v) && (desc_is_conforming(h->cs_d) || desc_dpl(h->cs_d) != 0))
        fault_raise(v, VEC_GP, sel_error(h->cs) | e->ext);
}

static void check_handler_eip(struct vcpu *v, const struct event *e, const struct handler *h)
{
    if (h->eip > desc_limit(h->cs_d))
        fault_raise(v, VEC_GP, e->ext);
}

static void push_frame(struct vcpu *v, const struct event *e, struct stack_cursor *s,
                       unsigned opsize)
{
    stack_push(s, e->eflags, opsize);
    stack_push(s, v->seg[SEG_CS].sel, opsize);
    stack_push(s, e->eip, opsize);
    if (e->error != NO_ERROR_CODE)
        stack_push(s, e->error, opsize);
}

static void enter_handler(struct vcpu *v, const struct handler *h, unsigned cpl)
{
    seg_set_cs(v, h->cs, h->cs_d, cpl);
    set_eip(v, h->eip);
    eflags_write(v, 0, h->trap_gate ? EFL_CLEARED_ALWAYS : EFL_CLEARED_ALWAYS | EFL_IF);
}

static void deliver_same_level(struct vcpu *v, const struct event *e, struct handler *h)
{
    struct stack_cursor s;

    stack_open(&s, v);
    s.fault_code = e->ext;
    stack_reserve(&s, e->error != NO_ERROR_CODE ? 4 : 3, h->opsize);
    check_handler_eip(v, e, h);
    descriptor_set_accessed(v, h->cs, &h->cs_d);
    push_frame(v, e, &s, h->opsize);
    stack_commit_esp(&s);
    enter_handler(v, h, v->cpl);
}

static void deliver_inner_level(struct vcpu *v, const struct event *e, struct handler *h)
{
    static const uint8_t v86_order[] = {SEG_GS, SEG_FS, SEG_DS, SEG_ES};
    bool v86 = vcpu_v86(v);
    unsigned cpl = desc_dpl(h->cs_d);
    unsigned items = (v86 ? 9u : 5u) + (e->error != NO_ERROR_CODE);
    struct inner_stack in;

    inner_stack_open(v, cpl, e->ext, &in);
    stack_reserve(&in.cursor, items, h->opsize);
    check_handler_eip(v, e, h);
    descriptor_set_accessed(v, in.sel, &in.d);
    descriptor_set_accessed(v, h->cs, &h->cs_d);

    for (unsigned n = 0; v86 && n < ARRAY_LEN(v86_order); n++)
        stack_push(&in.cursor, v->seg[v86_order[n]].sel, h->opsize);
    stack_push(&in.cursor, v->seg[SEG_SS].sel, h->opsize);
    stack_push(&in.cursor, v->gpr[ESP], h->opsize);
    push_frame(v, e, &in.cursor, h->opsize);

    for (unsigned n = 0; v86 && n < ARRAY_LEN(v86_order); n++)
        seg_set_null(&v->seg[v86_order[n]], 0);
    seg_set_ss(v, in.sel, in.d);
    stack_commit_esp(&in.cursor);
    enter_handler(v, h, cpl);
}

static void deliver_task(struct vcpu *v, const struct event *e, uint16_t tss)
{
    struct task_args a = {
        .sel = tss,
        .why = TASK_EVENT,
        .ext = e->ext,
        .push_error = e->error != NO_ERROR_CODE,
        .error = e->error,
        .old_eip = e->eip,
        .old_eflags = e->eflags,
    };
    task_switch_args(v, &a);
}

void deliver_once(struct vcpu *v, const struct event *e)
{
    struct handler h;

    if (vcpu_real_mode(v)) {
        deliver_real(v, e);
        return;
    }
    if (e->type == EVENT_SOFT && vcpu_v86(v) && deliver_v86_soft(v, e))
        return;
    h.gate = fetch_gate(v, e);
    h.cs = gate_selector(h.gate);
    if (desc_type(h.gate) == SYS_TASK_GATE) {
        deliver_task(v, e, h.cs);
        return;
    }
    h.eip = gate_offset(h.gate);
    h.opsize = gate_opsize(h.gate);
    h.trap_gate = desc_type(h.gate) & 1;
    check_handler_cs(v, e, &h);
    if (!desc_is_conforming(h.cs_d) && desc_dpl(h.cs_d) < v->cpl)
        deliver_inner_level(v, e, &h);
    else
        deliver_same_level(v, e, &h);
}
