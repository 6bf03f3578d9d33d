/* SPDX-License-Identifier: MIT */
/*
 * quick_forms.c - the quick forms: one short function per operation, operand form and size. See
 * quick.h.
 *
 * Promises   Each form reads what it needs, gives up before it has changed anything, and only then
 *            writes.
 * Source     As the full handlers: arith.c, data.c, shift.c, muldiv.c, stack.c, branch.c.
 */
#include "monitor/interp/alu.h"
#include "monitor/interp/block.h"
#include "monitor/interp/operand.h"
#include "monitor/interp/quick.h"

#define QUICK(name) static void name(struct vcpu *v, const struct quick *q, uint32_t start)
/* The last statement of a form that does not end its block. */
#define NEXT() q[1].run(v, q + 1, start)
#define UNLESS(ok)                                                                                 \
    if (unlikely(!(ok))) {                                                                         \
        quick_plain(v, q, start);                                                                  \
        return;                                                                                    \
    }
#define BRANCH_UNLESS(ok)                                                                          \
    if (unlikely(!(ok))) {                                                                         \
        quick_last(v, q, start);                                                                   \
        return;                                                                                    \
    }

/* ---- memory ---- */

static inline uint32_t quick_ea(const struct vcpu *v, const struct quick *q)
{
    return q->disp + v->gpr[q->base] + (v->gpr[q->index] << q->scale);
}

static inline const struct tlb_entry *quick_entry(const struct vcpu *v, gla_t gla)
{
    const struct tlb_entry *e = &v->tlb.entry[v->cpl == 3][tlb_index(gla)];

    __asm__("" : "+r"(e)); /* once: compilers like to compute it again for each member */
    return e;
}

/* Host address of [off, off+size) for reading (acc SEG_ACC_R) or writing (SEG_ACC_W), or NULL. The
 * tests are those of access_inline.h; the segment's is coarser near its end. */
static inline uint8_t *quick_host(const struct vcpu *v, unsigned seg, uint32_t off, unsigned size,
                                  unsigned acc)
{
    const struct seg *s = &v->seg[seg];
    gla_t gla = s->base + off;
    const struct tlb_entry *e = quick_entry(v, gla);

    if (unlikely(!(s->acc & acc)) || unlikely(off - s->lo >= s->room))
        return NULL;
    if (unlikely(!access_hits(v, gla, size, acc == SEG_ACC_W ? e->tag_w : e->tag_r)))
        return NULL;
    return tlb_host(e, gla);
}

#define LOAD(bits, seg, off)                                                                       \
    const uint8_t *p = quick_host(v, seg, off, (bits) / 8, SEG_ACC_R);                             \
    uint##bits##_t m;                                                                              \
    UNLESS(p)                                                                                      \
    memcpy(&m, p, sizeof m);
#define LOAD_TO_WRITE(bits, seg, off)                                                              \
    uint8_t *p = quick_host(v, seg, off, (bits) / 8, SEG_ACC_W);                                   \
    uint##bits##_t m;                                                                              \
    UNLESS(p)                                                                                      \
    memcpy(&m, p, sizeof m);
#define STORE(bits, val)                                                                           \
    uint##bits##_t m = (uint##bits##_t)(val);                                                      \
    uint8_t *p = quick_host(v, q->seg, quick_ea(v, q), (bits) / 8, SEG_ACC_W);                     \
    UNLESS(p)                                                                                      \
    memcpy(p, &m, sizeof m);

/* ---- ADD OR ADC SBB AND SUB XOR, CMP TEST ---- */

#define BINARY_FORMS(op, bits, suffix)                                                             \
    QUICK(op##bits##_rr)                                                                           \
    {                                                                                              \
        uint##bits##_t a = reg##bits##_get(v, q->dst);                                             \
        alu_##op##bits(&v->eflags, &a, reg##bits##_get(v, q->src));                                \
        reg##bits##_set(v, q->dst, a);                                                             \
        NEXT();                                                                                    \
    }                                                                                              \
    QUICK(op##bits##_ri)                                                                           \
    {                                                                                              \
        uint##bits##_t a = reg##bits##_get(v, q->dst);                                             \
        alu_##op##bits(&v->eflags, &a, (uint##bits##_t)q->imm);                                    \
        reg##bits##_set(v, q->dst, a);                                                             \
        NEXT();                                                                                    \
    }                                                                                              \
    QUICK(op##bits##_rm)                                                                           \
    {                                                                                              \
        LOAD(bits, q->seg, quick_ea(v, q))                                                         \
        uint##bits##_t a = reg##bits##_get(v, q->dst);                                             \
        alu_##op##bits(&v->eflags, &a, m);                                                         \
        reg##bits##_set(v, q->dst, a);                                                             \
        NEXT();                                                                                    \
    }                                                                                              \
    QUICK(op##bits##_mr)                                                                           \
    {                                                                                              \
        LOAD_TO_WRITE(bits, q->seg, quick_ea(v, q))                                                \
        alu_##op##bits(&v->eflags, &m, reg##bits##_get(v, q->src));                                \
        memcpy(p, &m, sizeof m);                                                                   \
        NEXT();                                                                                    \
    }                                                                                              \
    QUICK(op##bits##_mi)                                                                           \
    {                                                                                              \
        LOAD_TO_WRITE(bits, q->seg, quick_ea(v, q))                                                \
        alu_##op##bits(&v->eflags, &m, (uint##bits##_t)q->imm);                                    \
        memcpy(p, &m, sizeof m);                                                                   \
        NEXT();                                                                                    \
    }
ALU_SIZES(BINARY_FORMS, add)
ALU_SIZES(BINARY_FORMS, or)
ALU_SIZES(BINARY_FORMS, adc)
ALU_SIZES(BINARY_FORMS, sbb)
ALU_SIZES(BINARY_FORMS, and)
ALU_SIZES(BINARY_FORMS, sub)
ALU_SIZES(BINARY_FORMS, xor)

#define COMPARE_FORMS(op, bits, suffix)                                                            \
    QUICK(op##bits##_rr)                                                                           \
    {                                                                                              \
        uint##bits##_t a = reg##bits##_get(v, q->dst);                                             \
        alu_##op##bits(&v->eflags, &a, reg##bits##_get(v, q->src));                                \
        NEXT();                                                                                    \
    }                                                                                              \
    QUICK(op##bits##_ri)                                                                           \
    {                                                                                              \
        uint##bits##_t a = reg##bits##_get(v, q->dst);                                             \
        alu_##op##bits(&v->eflags, &a, (uint##bits##_t)q->imm);                                    \
        NEXT();                                                                                    \
    }                                                                                              \
    QUICK(op##bits##_rm)                                                                           \
    {                                                                                              \
        LOAD(bits, q->seg, quick_ea(v, q))                                                         \
        uint##bits##_t a = reg##bits##_get(v, q->dst);                                             \
        alu_##op##bits(&v->eflags, &a, m);                                                         \
        NEXT();                                                                                    \
    }                                                                                              \
    QUICK(op##bits##_mr)                                                                           \
    {                                                                                              \
        LOAD(bits, q->seg, quick_ea(v, q))                                                         \
        alu_##op##bits(&v->eflags, &m, reg##bits##_get(v, q->src));                                \
        NEXT();                                                                                    \
    }                                                                                              \
    QUICK(op##bits##_mi)                                                                           \
    {                                                                                              \
        LOAD(bits, q->seg, quick_ea(v, q))                                                         \
        alu_##op##bits(&v->eflags, &m, (uint##bits##_t)q->imm);                                    \
        NEXT();                                                                                    \
    }
ALU_SIZES(COMPARE_FORMS, cmp)
ALU_SIZES(COMPARE_FORMS, test)

/* ---- INC DEC NEG NOT ---- */

#define UNARY_FORMS(op, bits, suffix)                                                              \
    QUICK(op##bits##_r)                                                                            \
    {                                                                                              \
        uint##bits##_t a = reg##bits##_get(v, q->dst);                                             \
        alu_##op##bits(&v->eflags, &a);                                                            \
        reg##bits##_set(v, q->dst, a);                                                             \
        NEXT();                                                                                    \
    }                                                                                              \
    QUICK(op##bits##_m)                                                                            \
    {                                                                                              \
        LOAD_TO_WRITE(bits, q->seg, quick_ea(v, q))                                                \
        alu_##op##bits(&v->eflags, &m);                                                            \
        memcpy(p, &m, sizeof m);                                                                   \
        NEXT();                                                                                    \
    }
ALU_SIZES(UNARY_FORMS, inc)
ALU_SIZES(UNARY_FORMS, dec)
ALU_SIZES(UNARY_FORMS, neg)
ALU_SIZES(UNARY_FORMS, not )

/* ---- 32-bit register shifts, by an immediate (or 1) and by CL; IMUL ---- */

#define SHIFT_FORMS(op)                                                                            \
    QUICK(op##32_ri)                                                                               \
    {                                                                                              \
        alu_##op##32(&v->eflags, &v->gpr[q->dst], (uint8_t)q->imm);                                \
        NEXT();                                                                                    \
    }                                                                                              \
    QUICK(op##32_rc)                                                                               \
    {                                                                                              \
        alu_##op##32(&v->eflags, &v->gpr[q->dst], (uint8_t)v->gpr[ECX]);                           \
        NEXT();                                                                                    \
    }
SHIFT_FORMS(shl)
SHIFT_FORMS(shr)
SHIFT_FORMS(sar)

QUICK(imul2_rr)
{
    alu_imul32(&v->eflags, &v->gpr[q->dst], v->gpr[q->src]);
    NEXT();
}

QUICK(imul2_rm)
{
    LOAD(32, q->seg, quick_ea(v, q))
    alu_imul32(&v->eflags, &v->gpr[q->dst], m);
    NEXT();
}

QUICK(imul3_rr)
{
    uint32_t a = v->gpr[q->src];

    alu_imul32(&v->eflags, &a, q->imm);
    v->gpr[q->dst] = a;
    NEXT();
}

/* ---- MOV, MOVZX, MOVSX, LEA, CMOVcc, SETcc, XCHG, NOP ---- */

#define MOV_FORMS(op, bits, suffix)                                                                \
    QUICK(op##bits##_rr)                                                                           \
    {                                                                                              \
        reg##bits##_set(v, q->dst, reg##bits##_get(v, q->src));                                    \
        NEXT();                                                                                    \
    }                                                                                              \
    QUICK(op##bits##_ri)                                                                           \
    {                                                                                              \
        reg##bits##_set(v, q->dst, (uint##bits##_t)q->imm);                                        \
        NEXT();                                                                                    \
    }                                                                                              \
    QUICK(op##bits##_rm)                                                                           \
    {                                                                                              \
        LOAD(bits, q->seg, quick_ea(v, q))                                                         \
        reg##bits##_set(v, q->dst, m);                                                             \
        NEXT();                                                                                    \
    }                                                                                              \
    QUICK(op##bits##_mr)                                                                           \
    {                                                                                              \
        STORE(bits, reg##bits##_get(v, q->src))                                                    \
        NEXT();                                                                                    \
    }                                                                                              \
    QUICK(op##bits##_mi)                                                                           \
    {                                                                                              \
        STORE(bits, q->imm)                                                                        \
        NEXT();                                                                                    \
    }
ALU_SIZES(MOV_FORMS, mov)

/* To a 32-bit register. */
#define EXTEND_FORMS(bits)                                                                         \
    QUICK(movzx##bits##_rr)                                                                        \
    {                                                                                              \
        v->gpr[q->dst] = reg##bits##_get(v, q->src);                                               \
        NEXT();                                                                                    \
    }                                                                                              \
    QUICK(movzx##bits##_rm)                                                                        \
    {                                                                                              \
        LOAD(bits, q->seg, quick_ea(v, q))                                                         \
        v->gpr[q->dst] = m;                                                                        \
        NEXT();                                                                                    \
    }                                                                                              \
    QUICK(movsx##bits##_rr)                                                                        \
    {                                                                                              \
        v->gpr[q->dst] = (uint32_t)(int##bits##_t)reg##bits##_get(v, q->src);                      \
        NEXT();                                                                                    \
    }                                                                                              \
    QUICK(movsx##bits##_rm)                                                                        \
    {                                                                                              \
        LOAD(bits, q->seg, quick_ea(v, q))                                                         \
        v->gpr[q->dst] = (uint32_t)(int##bits##_t)m;                                               \
        NEXT();                                                                                    \
    }
EXTEND_FORMS(8)
EXTEND_FORMS(16)

QUICK(lea32)
{
    v->gpr[q->dst] = quick_ea(v, q);
    NEXT();
}

QUICK(cmov32_rr)
{
    if (alu_condition(v->eflags, q->imm))
        v->gpr[q->dst] = v->gpr[q->src];
    NEXT();
}

QUICK(cmov32_rm)
{
    LOAD(32, q->seg, quick_ea(v, q))
    if (alu_condition(v->eflags, q->imm))
        v->gpr[q->dst] = m;
    NEXT();
}

QUICK(setcc_r)
{
    reg8_set(v, q->dst, alu_condition(v->eflags, q->imm));
    NEXT();
}

QUICK(xchg32_rr)
{
    uint32_t a = v->gpr[q->dst];

    v->gpr[q->dst] = v->gpr[q->src];
    v->gpr[q->src] = a;
    NEXT();
}

QUICK(nop)
{
    NEXT();
}

/* ---- the stack: 32-bit operands, 32-bit stack ---- */

#define PUSH(val)                                                                                  \
    uint32_t sp = v->gpr[ESP] - 4, pushed = (val);                                                 \
    uint8_t *top = quick_host(v, SEG_SS, sp, 4, SEG_ACC_W);                                        \
    UNLESS(top)                                                                                    \
    memcpy(top, &pushed, sizeof pushed);                                                           \
    v->gpr[ESP] = sp;

QUICK(push32_r)
{
    PUSH(v->gpr[q->dst])
    NEXT();
}

QUICK(push32_i)
{
    PUSH(q->imm)
    NEXT();
}

QUICK(push32_m)
{
    LOAD(32, q->seg, quick_ea(v, q))
    PUSH(m)
    NEXT();
}

QUICK(pop32_r)
{
    LOAD(32, SEG_SS, v->gpr[ESP])
    v->gpr[ESP] += 4;
    v->gpr[q->dst] = m; /* POP ESP: the value wins */
    NEXT();
}

QUICK(leave32)
{
    uint32_t bp = v->gpr[EBP];

    LOAD(32, SEG_SS, bp)
    v->gpr[ESP] = bp + 4;
    v->gpr[EBP] = m;
    NEXT();
}

/* ---- branches: 32-bit operands; they end their block ---- */

#undef UNLESS
#define UNLESS(ok) BRANCH_UNLESS(ok)

static inline bool quick_target_ok(const struct vcpu *v, uint32_t target)
{
    return target <= v->seg[SEG_CS].limit;
}

#define JCC_FORM(cc)                                                                               \
    QUICK(jcc32_##cc)                                                                              \
    {                                                                                              \
        uint32_t eip = start + q->end;                                                             \
        if (alu_condition(v->eflags, cc)) {                                                        \
            eip += q->imm;                                                                         \
            UNLESS(quick_target_ok(v, eip))                                                        \
        }                                                                                          \
        v->eip = eip;                                                                              \
    }
#define CONDITION_LIST(X)                                                                          \
    X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
CONDITION_LIST(JCC_FORM)

QUICK(jmp32_rel)
{
    uint32_t eip = start + q->end + q->imm;

    UNLESS(quick_target_ok(v, eip))
    v->eip = eip;
}

QUICK(jmp32_r)
{
    uint32_t eip = v->gpr[q->dst];

    UNLESS(quick_target_ok(v, eip))
    v->eip = eip;
}

QUICK(jmp32_m)
{
    LOAD(32, q->seg, quick_ea(v, q))
    UNLESS(quick_target_ok(v, m))
    v->eip = m;
}

QUICK(call32_rel)
{
    uint32_t eip = start + q->end + q->imm;

    UNLESS(quick_target_ok(v, eip))
    PUSH(start + q->end)
    v->eip = eip;
}

QUICK(call32_r)
{
    uint32_t eip = v->gpr[q->dst];

    UNLESS(quick_target_ok(v, eip))
    PUSH(start + q->end)
    v->eip = eip;
}

QUICK(call32_m)
{
    LOAD(32, q->seg, quick_ea(v, q))
    UNLESS(quick_target_ok(v, m))
    PUSH(start + q->end)
    v->eip = m;
}

/* imm: what it releases, the return address included */
QUICK(ret32)
{
    LOAD(32, SEG_SS, v->gpr[ESP])
    UNLESS(quick_target_ok(v, m))
    v->gpr[ESP] += q->imm;
    v->eip = m;
}

/* ---- tables ---- */

#define TABLE_ROW(op, bits)                                                                        \
    {                                                                                              \
        op##bits##_rr, op##bits##_ri, op##bits##_rm, op##bits##_mr, op##bits##_mi                  \
    }
#define TABLE_ROWS(op) [OP_##op] = {TABLE_ROW(op, 8), TABLE_ROW(op, 16), TABLE_ROW(op, 32)},
static quick_fn *const binary_table[][3][FORM_COUNT] = {
    TABLE_ROWS(add) TABLE_ROWS(or) TABLE_ROWS(adc) TABLE_ROWS(sbb) TABLE_ROWS(and) TABLE_ROWS(sub)
        TABLE_ROWS(xor) TABLE_ROWS(cmp) TABLE_ROWS(test) TABLE_ROWS(mov)};

#define UNARY_ROWS(op) [OP_##op] = {{op##8_r, op##8_m}, {op##16_r, op##16_m}, {op##32_r, op##32_m}},
static quick_fn *const unary_table[][3][2] = {UNARY_ROWS(inc) UNARY_ROWS(dec) UNARY_ROWS(neg)
                                                  UNARY_ROWS(not )};

/* [signed][16-bit source][memory] */
static quick_fn *const extend_table[2][2][2] = {
    {{movzx8_rr, movzx8_rm}, {movzx16_rr, movzx16_rm}},
    {{movsx8_rr, movsx8_rm}, {movsx16_rr, movsx16_rm}},
};

#define JCC_ENTRY(cc) jcc32_##cc,
static quick_fn *const jcc_table[16] = {CONDITION_LIST(JCC_ENTRY)};

static quick_fn *binary_select(const struct insn *i)
{
    enum insn_form form = operand_form(i);

    return form == FORM_COUNT ? NULL : binary_table[i->op][size_row(i->operand[0].size)][form];
}

static quick_fn *shift_select_quick(const struct insn *i)
{
    bool by_cl = i->operand[1].kind == OPK_GPR;

    if (i->operand[0].kind != OPK_GPR || i->operand[0].size != 4)
        return NULL;
    switch (i->op) {
    case OP_shl:
        return by_cl ? shl32_rc : shl32_ri;
    case OP_shr:
        return by_cl ? shr32_rc : shr32_ri;
    default:
        return by_cl ? sar32_rc : sar32_ri;
    }
}

static quick_fn *stack_select_quick(const struct insn *i)
{
    const struct operand *o = &i->operand[0];

    if (i->opsize != 4 || i->stack_size != 4)
        return NULL;
    if (i->op == OP_leave)
        return leave32;
    if (i->op == OP_pop)
        return o->kind == OPK_GPR ? pop32_r : NULL;
    return o->kind == OPK_IMM ? push32_i : o->kind == OPK_MEM ? push32_m : push32_r;
}

static quick_fn *branch_select_quick(struct quick *q, const struct insn *i)
{
    unsigned kind = i->operand[0].kind;

    if (i->opsize != 4)
        return NULL;
    if (i->op == OP_jcc)
        return jcc_table[i->cond & 15];
    if (i->op == OP_jmp)
        return kind == OPK_REL ? jmp32_rel : kind == OPK_MEM ? jmp32_m : jmp32_r;
    if (i->stack_size != 4)
        return NULL;
    if (i->op == OP_call)
        return kind == OPK_REL ? call32_rel : kind == OPK_MEM ? call32_m : call32_r;
    q->imm = 4 + (i->opcode & 1 ? 0 : i->imm & 0xffff); /* C2 releases arguments, C3 does not */
    return ret32;
}

static quick_fn *data_select_quick(struct quick *q, const struct insn *i)
{
    bool wide = i->operand[0].size == 4, mem1 = operand_is_mem(i, 1);

    switch (i->op) {
    case OP_movzx:
    case OP_movsx:
        if (!wide || i->operand[1].size > 2)
            return NULL;
        return extend_table[i->op == OP_movsx][i->operand[1].size == 2][mem1];
    case OP_lea:
        return wide ? lea32 : NULL;
    case OP_cmovcc:
        q->imm = i->cond;
        return !wide ? NULL : mem1 ? cmov32_rm : cmov32_rr;
    case OP_setcc:
        q->imm = i->cond;
        return operand_is_mem(i, 0) ? NULL : setcc_r;
    case OP_xchg:
        return wide && operand_form(i) == FORM_RR ? xchg32_rr : NULL;
    case OP_imul2:
        return !wide ? NULL : mem1 ? imul2_rm : imul2_rr;
    case OP_imul3:
        return wide && !mem1 ? imul3_rr : NULL;
    default:
        return nop;
    }
}

bool quick_is_branch(const struct insn *i)
{
    return i->op == OP_jcc || i->op == OP_jmp || i->op == OP_call || i->op == OP_ret;
}

quick_fn *quick_select(struct quick *q, const struct insn *i)
{
    for (unsigned n = 0; n < i->nops; n++)
        if (operand_is_mem(i, n) && i->addr_size != 4)
            return NULL;
    switch (i->op) {
    case OP_add:
    case OP_or:
    case OP_adc:
    case OP_sbb:
    case OP_and:
    case OP_sub:
    case OP_xor:
    case OP_cmp:
    case OP_test:
    case OP_mov:
        return binary_select(i);
    case OP_inc:
    case OP_dec:
    case OP_neg:
    case OP_not:
        return unary_table[i->op][size_row(i->operand[0].size)][operand_is_mem(i, 0)];
    case OP_shl:
    case OP_shr:
    case OP_sar:
        return shift_select_quick(i);
    case OP_push:
    case OP_pop:
    case OP_leave:
        return stack_select_quick(i);
    case OP_jcc:
    case OP_jmp:
    case OP_call:
    case OP_ret:
        return branch_select_quick(q, i);
    case OP_movzx:
    case OP_movsx:
    case OP_lea:
    case OP_cmovcc:
    case OP_setcc:
    case OP_xchg:
    case OP_imul2:
    case OP_imul3:
    case OP_nop:
        return data_select_quick(q, i);
    default:
        return NULL;
    }
}
