/* SPDX-License-Identifier: MIT */
/*
 * stack.c - stacks that far transfers push to and pop from, ESP being committed only at the end.
 *
 * Promises   A 16-bit stack (SS.B = 0) wraps within SP and keeps the upper half of ESP.
 *            Pushes after a successful stack_reserve() of the same items do not fault.
 * Source     SDM vol. 1, section 6.2; vol. 3A, sections 5.8.5 (stack switching) and 8.2 (TSS).
 */
#include "monitor/arch/far_priv.h"

void stack_open(struct stack_cursor *s, struct vcpu *v)
{
    *s =
        (struct stack_cursor){.v = v, .seg = v->seg[SEG_SS], .esp = v->gpr[ESP], .how = lin_how(v)};
}

static uint32_t stack_mask(const struct stack_cursor *s)
{
    return s->seg.attr & SEGA_DB ? 0xffffffffu : 0xffffu;
}

/* ESP moved by `delta`, the upper half untouched on a 16-bit stack. */
static uint32_t stack_moved(const struct stack_cursor *s, uint32_t delta)
{
    uint32_t mask = stack_mask(s);

    return (s->esp & ~mask) | ((s->esp + delta) & mask);
}

/* Linear address of [off, off+size) after the segment's checks. */
static gla_t stack_linear(const struct stack_cursor *s, uint32_t off, unsigned size, unsigned acc)
{
    struct vcpu *v = s->v;

    if (!(s->seg.acc & acc) || off < s->seg.lo || off > s->seg.hi || s->seg.hi - off < size - 1)
        fault_raise(v, VEC_SS, s->fault_code);
    gla_t gla = s->seg.base + off;
    if ((s->how & MMU_USER) && (gla & (size - 1)) && (v->cr0 & CR0_AM) && (v->eflags & EFL_AC))
        fault_raise(v, VEC_AC, 0);
    return gla;
}

static void stack_store(const struct stack_cursor *s, gla_t gla, uint32_t val, unsigned size)
{
    if (size == 2)
        lin_write16(s->v, gla, (uint16_t)val, s->how);
    else
        lin_write32(s->v, gla, val, s->how);
}

void stack_push(struct stack_cursor *s, uint32_t val, unsigned size)
{
    uint32_t esp = stack_moved(s, 0u - size);

    stack_store(s, stack_linear(s, esp & stack_mask(s), size, SEG_ACC_W), val, size);
    s->esp = esp;
}

uint32_t stack_pop(struct stack_cursor *s, unsigned size)
{
    gla_t gla = stack_linear(s, s->esp & stack_mask(s), size, SEG_ACC_R);
    uint32_t val = size == 2 ? lin_read16(s->v, gla, s->how) : lin_read32(s->v, gla, s->how);

    s->esp = stack_moved(s, size);
    return val;
}

void stack_reserve(const struct stack_cursor *s, unsigned count, unsigned size)
{
    struct stack_cursor c = *s;
    gla_t at, probed = 1; /* page-aligned addresses only: nothing was probed yet */

    for (unsigned n = 0; n < count; n++) {
        c.esp = stack_moved(&c, 0u - size);
        stack_linear(&c, c.esp & stack_mask(&c), size, SEG_ACC_W);
    }
    /* In the order of the pushes, so that CR2 is what the first failing push would have made it. */
    for (c.esp = s->esp; count > 0; count--) {
        c.esp = stack_moved(&c, 0u - size);
        at = c.seg.base + (c.esp & stack_mask(&c));
        gla_t last = at + size - 1;
        if ((at & ~GUEST_PAGE_MASK) == probed && (last & ~GUEST_PAGE_MASK) == probed)
            continue;
        lin_probe(s->v, at, size, s->how | MMU_WRITE);
        probed = at & ~GUEST_PAGE_MASK;
    }
}

void stack_release(struct stack_cursor *s, uint32_t bytes)
{
    s->esp = stack_moved(s, bytes);
}

void stack_commit_esp(struct stack_cursor *s)
{
    s->v->gpr[ESP] = s->esp; /* the upper half was kept on the way when SS.B is 0 */
}

void inner_stack_open(struct vcpu *v, unsigned cpl, unsigned ext, struct inner_stack *in)
{
    bool tss32 = v->tr.attr & 8;
    uint32_t at = tss32 ? 4 + cpl * 8 : 2 + cpl * 4;
    unsigned len = tss32 ? 6 : 4;
    uint32_t esp;

    if (!v->tr.acc || at + len - 1 > v->tr.limit)
        fault_raise(v, VEC_TS, sel_error(v->tr.sel) | ext);
    if (tss32) {
        esp = lin_read32(v, v->tr.base + at, MMU_IMPLICIT);
        in->sel = lin_read16(v, v->tr.base + at + 4, MMU_IMPLICIT);
    } else {
        esp = lin_read16(v, v->tr.base + at, MMU_IMPLICIT);
        in->sel = lin_read16(v, v->tr.base + at + 2, MMU_IMPLICIT);
    }
    in->d = seg_check_stack(v, in->sel, cpl, VEC_TS, ext);
    in->cursor = (struct stack_cursor){.v = v, .esp = esp, .how = cpl == 3 ? MMU_USER : 0};
    in->cursor.fault_code = sel_error(in->sel) | ext;
    seg_from_descriptor(&in->cursor.seg, in->sel, in->d);
}
