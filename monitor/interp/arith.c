/* SPDX-License-Identifier: MIT */
/*
 * arith.c - ADD OR ADC SBB AND SUB XOR CMP TEST, INC DEC NEG NOT.
 *
 * Promises   One handler per operation, operand form and size; i_<op>() picks among them, and so
 *            does the decode cache once per decoded instruction (arith_select). Memory
 *            destinations check write permission before they read.
 * How        alu.h computes; the macros below only list the operand forms.
 * Source     SDM vol. 2 pages of the instructions. LOCK changes nothing here: the decoder
 *            checked that it is legal, and one host thread runs the VM's CPUs.
 */
#include "monitor/interp/alu.h"
#include "monitor/interp/forms.h"
#include "monitor/interp/operand.h"

/* ---- two operands, destination written ---- */

#define BINARY_FORMS(op, bits, suffix)                                                             \
    static void op##bits##_rr(struct vcpu *v, const struct insn *i)                                \
    {                                                                                              \
        uint##bits##_t a = reg##bits##_get(v, i->operand[0].reg);                                  \
        alu_##op##bits(&v->eflags, &a, reg##bits##_get(v, i->operand[1].reg));                     \
        reg##bits##_set(v, i->operand[0].reg, a);                                                  \
    }                                                                                              \
    static void op##bits##_ri(struct vcpu *v, const struct insn *i)                                \
    {                                                                                              \
        uint##bits##_t a = reg##bits##_get(v, i->operand[0].reg);                                  \
        alu_##op##bits(&v->eflags, &a, (uint##bits##_t)i->imm);                                    \
        reg##bits##_set(v, i->operand[0].reg, a);                                                  \
    }                                                                                              \
    static void op##bits##_rm(struct vcpu *v, const struct insn *i)                                \
    {                                                                                              \
        uint##bits##_t b = mem_read##bits(v, i->seg, ea(v, i));                                    \
        uint##bits##_t a = reg##bits##_get(v, i->operand[0].reg);                                  \
        alu_##op##bits(&v->eflags, &a, b);                                                         \
        reg##bits##_set(v, i->operand[0].reg, a);                                                  \
    }                                                                                              \
    static void op##bits##_mr(struct vcpu *v, const struct insn *i)                                \
    {                                                                                              \
        struct mem_rmw m;                                                                          \
        uint##bits##_t a = (uint##bits##_t)mem_rmw_begin(v, i->seg, ea(v, i), (bits) / 8, &m);     \
        alu_##op##bits(&v->eflags, &a, reg##bits##_get(v, i->operand[1].reg));                     \
        mem_rmw_commit(v, &m, a);                                                                  \
    }                                                                                              \
    static void op##bits##_mi(struct vcpu *v, const struct insn *i)                                \
    {                                                                                              \
        struct mem_rmw m;                                                                          \
        uint##bits##_t a = (uint##bits##_t)mem_rmw_begin(v, i->seg, ea(v, i), (bits) / 8, &m);     \
        alu_##op##bits(&v->eflags, &a, (uint##bits##_t)i->imm);                                    \
        mem_rmw_commit(v, &m, a);                                                                  \
    }
ALU_SIZES(BINARY_FORMS, add)
ALU_SIZES(BINARY_FORMS, or)
ALU_SIZES(BINARY_FORMS, adc)
ALU_SIZES(BINARY_FORMS, sbb)
ALU_SIZES(BINARY_FORMS, and)
ALU_SIZES(BINARY_FORMS, sub)
ALU_SIZES(BINARY_FORMS, xor)

/* ---- two operands, flags only ---- */

#define COMPARE_FORMS(op, bits, suffix)                                                            \
    static void op##bits##_rr(struct vcpu *v, const struct insn *i)                                \
    {                                                                                              \
        uint##bits##_t a = reg##bits##_get(v, i->operand[0].reg);                                  \
        alu_##op##bits(&v->eflags, &a, reg##bits##_get(v, i->operand[1].reg));                     \
    }                                                                                              \
    static void op##bits##_ri(struct vcpu *v, const struct insn *i)                                \
    {                                                                                              \
        uint##bits##_t a = reg##bits##_get(v, i->operand[0].reg);                                  \
        alu_##op##bits(&v->eflags, &a, (uint##bits##_t)i->imm);                                    \
    }                                                                                              \
    static void op##bits##_rm(struct vcpu *v, const struct insn *i)                                \
    {                                                                                              \
        uint##bits##_t b = mem_read##bits(v, i->seg, ea(v, i));                                    \
        uint##bits##_t a = reg##bits##_get(v, i->operand[0].reg);                                  \
        alu_##op##bits(&v->eflags, &a, b);                                                         \
    }                                                                                              \
    static void op##bits##_mr(struct vcpu *v, const struct insn *i)                                \
    {                                                                                              \
        uint##bits##_t a = mem_read##bits(v, i->seg, ea(v, i));                                    \
        alu_##op##bits(&v->eflags, &a, reg##bits##_get(v, i->operand[1].reg));                     \
    }                                                                                              \
    static void op##bits##_mi(struct vcpu *v, const struct insn *i)                                \
    {                                                                                              \
        uint##bits##_t a = mem_read##bits(v, i->seg, ea(v, i));                                    \
        alu_##op##bits(&v->eflags, &a, (uint##bits##_t)i->imm);                                    \
    }
ALU_SIZES(COMPARE_FORMS, cmp)
ALU_SIZES(COMPARE_FORMS, test)

/* ---- one operand ---- */

#define UNARY_FORMS(op, bits, suffix)                                                              \
    static void op##bits##_r(struct vcpu *v, const struct insn *i)                                 \
    {                                                                                              \
        uint##bits##_t a = reg##bits##_get(v, i->operand[0].reg);                                  \
        alu_##op##bits(&v->eflags, &a);                                                            \
        reg##bits##_set(v, i->operand[0].reg, a);                                                  \
    }                                                                                              \
    static void op##bits##_m(struct vcpu *v, const struct insn *i)                                 \
    {                                                                                              \
        struct mem_rmw m;                                                                          \
        uint##bits##_t a = (uint##bits##_t)mem_rmw_begin(v, i->seg, ea(v, i), (bits) / 8, &m);     \
        alu_##op##bits(&v->eflags, &a);                                                            \
        mem_rmw_commit(v, &m, a);                                                                  \
    }
ALU_SIZES(UNARY_FORMS, inc)
ALU_SIZES(UNARY_FORMS, dec)
ALU_SIZES(UNARY_FORMS, neg)
ALU_SIZES(UNARY_FORMS, not )

/* ---- tables ---- */

#define BINARY_ROW(op, bits)                                                                       \
    {                                                                                              \
        op##bits##_rr, op##bits##_ri, op##bits##_rm, op##bits##_mr, op##bits##_mi                  \
    }
#define BINARY_ROWS(op)                                                                            \
    {                                                                                              \
        BINARY_ROW(op, 8), BINARY_ROW(op, 16), BINARY_ROW(op, 32)                                  \
    }
#define UNARY_ROWS(op)                                                                             \
    {                                                                                              \
        {op##8_r, op##8_m}, {op##16_r, op##16_m},                                                  \
        {                                                                                          \
            op##32_r, op##32_m                                                                     \
        }                                                                                          \
    }

/* The nine operations with two operands, and the four with one. */
#define BINARY_LIST(X) X(add) X(or) X(adc) X(sbb) X(and) X(sub) X(xor) X(cmp) X(test)
#define UNARY_LIST(X)  X(inc) X(dec) X(neg) X(not )

#define LIST_ID(op) A_##op,
enum arith_binary { BINARY_LIST(LIST_ID) BINARY_COUNT };
enum arith_unary { UNARY_LIST(LIST_ID) UNARY_COUNT };

#define BINARY_ENTRY(op) [A_##op] = BINARY_ROWS(op),
static insn_fn *const binary_table[BINARY_COUNT][3][FORM_COUNT] = {BINARY_LIST(BINARY_ENTRY)};

#define UNARY_ENTRY(op) [A_##op] = UNARY_ROWS(op),
static insn_fn *const unary_table[UNARY_COUNT][3][2] = {UNARY_LIST(UNARY_ENTRY)};

static insn_fn *binary_pick(enum arith_binary op, const struct insn *i)
{
    enum insn_form form = operand_form(i);

    VMM_CHECK(form != FORM_COUNT);
    return binary_table[op][size_row(i->operand[0].size)][form];
}

static insn_fn *unary_pick(enum arith_unary op, const struct insn *i)
{
    return unary_table[op][size_row(i->operand[0].size)][operand_is_mem(i, 0)];
}

#define BINARY_HANDLER(op)                                                                         \
    void i_##op(struct vcpu *v, const struct insn *i)                                              \
    {                                                                                              \
        binary_pick(A_##op, i)(v, i);                                                              \
    }
BINARY_LIST(BINARY_HANDLER)

#define UNARY_HANDLER(op)                                                                          \
    void i_##op(struct vcpu *v, const struct insn *i)                                              \
    {                                                                                              \
        unary_pick(A_##op, i)(v, i);                                                               \
    }
UNARY_LIST(UNARY_HANDLER)

insn_fn *arith_select(const struct insn *i)
{
#define OP_TO_BINARY(op) [OP_##op] = A_##op + 1,
#define OP_TO_UNARY(op)  [OP_##op] = A_##op + 1,
    static const uint8_t binary_of[OP_COUNT] = {BINARY_LIST(OP_TO_BINARY)};
    static const uint8_t unary_of[OP_COUNT] = {UNARY_LIST(OP_TO_UNARY)};
    unsigned op = i->op;

    if (binary_of[op])
        return binary_pick((enum arith_binary)(binary_of[op] - 1), i);
    if (unary_of[op])
        return unary_pick((enum arith_unary)(unary_of[op] - 1), i);
    return NULL;
}
