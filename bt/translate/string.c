/* SPDX-License-Identifier: MIT */
/*
 * string.c - emitters of MOVS, STOS, LODS, SCAS, CMPS.
 *
 * How        The host executes the guest's own instruction on host addresses: RSI and RDI are moved
 *            by a delta (r11, r10) before it and back after it, so direction, flags and operand
 *            sizes need no care. In a window a trap may find them moved and a repetition half done:
 *            bt_site.rebased tells bt_host_trap() to take the delta off; the interpreter then does
 *            the rest of the repetition, from the exact registers, as the SDM allows.
 * REP        In a window up to 65535 elements, so that an interrupt waits no longer than some tens
 *            of microseconds. Through the software TLB when all of each operand lies on one page
 *            and DF is 0. The interpreter does longer ones, and REP LODS, by runs of pages
 *            (monitor/interp/string.c).
 * Not here   16-bit addressing, segments with a base, INS, OUTS.
 * Source     SDM vol. 2A: CMPS, LODS; vol. 2B: MOVS, REP, SCAS, STOS; vol. 1, section 7.3.9.
 */
#include "bt/translate/tu.h"

#define REP_MAX_SHIFT 16 /* of the longest repetition in a window */

#define SI_DELTA R11
#define DI_DELTA R10 /* got last: tu_mem_at() uses it */

/* What an instruction does with [E]SI and with ES:[E]DI: 0, TU_R, TU_W. */
struct string_use {
    uint8_t si, di;
};

static bool compares(const struct insn *i)
{
    return i->op == OP_cmps || i->op == OP_scas;
}

/* With a base, an element could straddle the segment's end without leaving the window. */
static bool segment_ok(const struct tu *t, unsigned seg)
{
    return seg != SEG_CS && ctx_seg(t->ctx, seg) == CTX_SEG_FLAT;
}

static bool operands_ok(const struct tu *t, const struct insn *i, struct string_use use)
{
    return i->addr_size == 4 && (!use.si || segment_ok(t, i->seg)) &&
           (!use.di || segment_ok(t, SEG_ES));
}

/* Emits the instruction itself, without segment and address-size prefixes. */
static void write_insn(struct tu *t, const struct insn *i)
{
    unsigned flags = i->opsize == 2 ? EMIT_66 : 0;

    if (insn_repeats(i))
        flags |= compares(i) && i->prefixes & PFX_REPNE ? EMIT_F2 : EMIT_F3;
    emit_insn(&t->e, flags, MAP_1, i->opcode);
}

/* Emits: gpr = (gpr - delta) as a guest register. Destroys delta; keeps the flags. */
static void move_back(struct tu *t, unsigned gpr, unsigned delta)
{
    emit_insn_r(&t->e, EMIT_W, MAP_1, 0xf7, 2, delta); /* not */
    emit_lea32(&t->e, gpr, HMEM_INDEX(gpr, delta, 0, 1));
}

static void move_there(struct tu *t, unsigned gpr, unsigned delta)
{
    emit_lea64(&t->e, gpr, HMEM_INDEX(gpr, delta, 0, 0));
}

/* ---- one element, or any number in a window ---- */

/* Emits the check of seg:[gpr], then: delta = its host address minus gpr. */
static void delta_get(struct tu *t, unsigned delta, unsigned seg, unsigned gpr, unsigned size,
                      unsigned what)
{
    t->string_operand = gpr == ESI ? ADAPT_USER_SI : ADAPT_USER_DI;
    tu_mem_at(t, seg, gpr, 0, size, what);
    t->string_operand = 0;
    emit_mov_rr64(&t->e, delta, t->window ? R14 : R9);
}

static struct bt_site *site_now(struct tu *t)
{
    return &t->bt->cache.sites[t->block->first_site + t->count - 1];
}

/* On hosts that need it, reg = the flags before REP CMPS or SCAS, for bt_host_trap(). TF may be in
 * them. */
static void keep_flags(struct tu *t, const struct insn *i, unsigned reg)
{
    VMM_CHECK(reg >= R8);
    if (!insn_repeats(i) || !compares(i) || !t->v->vm->host->host_rep_flags)
        return;
    site_now(t)->rebased |= BT_KEPT_FLAGS;
    emit_pushfq(&t->e);
    emit_pop_r64(&t->e, reg);
}

static void string_element(struct tu *t, const struct insn *i, struct string_use use)
{
    if (use.si)
        delta_get(t, SI_DELTA, i->seg, ESI, i->opsize, use.si);
    if (use.di)
        delta_get(t, DI_DELTA, SEG_ES, EDI, i->opsize, use.di);
    if (use.si)
        move_there(t, RSI, SI_DELTA);
    if (use.di)
        move_there(t, RDI, DI_DELTA);
    if (t->window)
        site_now(t)->rebased |=
            (uint8_t)((use.si ? BT_REBASED_SI : 0) | (use.di ? BT_REBASED_DI : 0));
    keep_flags(t, i, R9);
    write_insn(t, i);
    if (use.si)
        move_back(t, RSI, SI_DELTA);
    if (use.di)
        move_back(t, RDI, DI_DELTA);
}

/* ---- REP ---- */

/* Goes to the cold path unless rcx is 0; either way the guest's rcx, in r10, is restored. */
static void cold_unless_zero(struct tu *t)
{
    struct emit *e = &t->e;
    uint32_t zero = emit_jrcxz8(e);

    tu_cold_jump(t, true);
    emit_here8(e, zero);
    emit_mov_rr64(e, RCX, R10);
}

static void rep_window(struct tu *t, const struct insn *i, struct string_use use)
{
    struct emit *e = &t->e;

    /* rcx = count >> REP_MAX_SHIFT, by way of memory */
    _Static_assert(REP_MAX_SHIFT == 16, "the upper half is loaded");
    emit_mov_rr64(e, R10, RCX);
    emit_mov_mr32(e, VCPU(bt.shift), RCX);
    emit_insn_m(e, 0, MAP_0F, 0xb7, RCX, HMEM(R15, BT_OFF(bt.shift) + 2)); /* movzx */
    cold_unless_zero(t);
    string_element(t, i, use);
}

/* For the bytes from [gpr] on, r13 + 1 of them: miss = 0 if they lie on one page that hits, addend
 * = its addend. The sum has 64 bits: a tag of another page cannot make it small. */
static void page_check(struct tu *t, unsigned gpr, unsigned what, unsigned addend, unsigned miss,
                       int32_t set)
{
    struct emit *e = &t->e;
    int32_t tag = what & TU_W ? BT_OFF(tlb.entry[0][0].tag_w) : BT_OFF(tlb.entry[0][0].tag_r);

    emit_shrx_rrr32(e, addend, gpr, R15);
    emit_movzx_rr16(e, addend, addend);
    emit_lea32(e, addend, HMEM_INDEX(addend, addend, 0, 0));
    emit_lea32(e, addend, HMEM_INDEX(addend, addend, 0, 0));
    emit_mov_rm32(e, miss, HMEM_INDEX(R15, addend, 3, tag + set));
    emit_lea32(e, miss, HMEM_INDEX(miss, gpr, 0, 0));
    emit_lea64(e, miss, HMEM_INDEX(miss, R13, 0, 0));
    emit_shrx_rrr64(e, miss, miss, R15); /* by a page */
    emit_mov_rm64(e, addend, HMEM_INDEX(R15, addend, 3, BT_OFF(tlb.entry[0][0].addend) + set));
}

_Static_assert(BT_PTR_BIAS % 64 == GUEST_PAGE_SHIFT, "r15 counts as a page in 64 bits too");

/* r13 = rcx * size - 1; -1 for a count of 0, which any hit lets pass and page offset 0 does not */
static void last_offset(struct emit *e, unsigned size)
{
    if (size == 1) {
        emit_lea64(e, R13, HMEM(RCX, -1));
    } else if (size == 2) {
        emit_lea64(e, R13, HMEM_INDEX(RCX, RCX, 0, -1));
    } else {
        emit_lea64(e, R13, HMEM_INDEX(RCX, RCX, 0, 0));
        emit_lea64(e, R13, HMEM_INDEX(R13, R13, 0, -1));
    }
}

/* Emits: reg = DF. Clobbers r13. */
static void direction_get(struct emit *e, unsigned reg)
{
    emit_pushfq(e);
    emit_pop_r64(e, reg);
    emit_rorx_rri32(e, reg, reg, 11); /* to bit 31 */
    emit_mov_ri32(e, R13, 31);
    emit_shrx_rrr32(e, reg, reg, R13);
}

static void rep_soft(struct tu *t, const struct insn *i, struct string_use use)
{
    struct emit *e = &t->e;
    int32_t di_set = tu_tlb_set(t, ADAPT_USER_DI);
    int32_t si_set = use.si ? tu_tlb_set(t, ADAPT_USER_SI) : 0;

    last_offset(e, i->opsize);
    page_check(t, RDI, use.di, R9, R10, di_set);
    if (use.si) {
        page_check(t, RSI, use.si, R8, R11, si_set);
        emit_lea64(e, R10, HMEM_INDEX(R10, R11, 0, 0));
    }
    direction_get(e, R11);
    emit_lea64(e, R10, HMEM_INDEX(R10, R11, 0, 0));
    emit_insn_r(e, EMIT_W, MAP_1, 0x87, R10, RCX); /* xchg */
    cold_unless_zero(t);
    if (use.si)
        move_there(t, RSI, R8);
    move_there(t, RDI, R9);
    site_now(t)->rebased |= (uint8_t)((use.si ? BT_REBASED_SI : 0) | BT_REBASED_DI | BT_REBASED_R8);
    keep_flags(t, i, R11);
    write_insn(t, i);
    if (use.si)
        move_back(t, RSI, R8);
    move_back(t, RDI, R9);
    tu_jump_map_again(t);
}

static void string_rep(struct tu *t, const struct insn *i, struct string_use use)
{
    if (t->window)
        rep_window(t, i, use);
    else if (tu_bmi2(t))
        rep_soft(t, i, use);
    else
        tu_callout(t);
}

/* ---- emitters ---- */

void t_movs(struct tu *t, const struct insn *i)
{
    struct string_use use = {i->op == OP_movs ? TU_R : 0, TU_W};

    if (!operands_ok(t, i, use))
        tu_callout(t);
    else if (insn_repeats(i))
        string_rep(t, i, use);
    else
        string_element(t, i, use);
}

void t_scan(struct tu *t, const struct insn *i)
{
    struct string_use use = {i->op == OP_scas ? 0 : TU_R, i->op == OP_lods ? 0 : TU_R};

    if (!operands_ok(t, i, use) || (insn_repeats(i) && !compares(i)))
        tu_callout(t);
    else if (insn_repeats(i))
        string_rep(t, i, use);
    else
        string_element(t, i, use);
}
