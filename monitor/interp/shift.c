/* SPDX-License-Identifier: MIT */
/*
 * shift.c - ROL ROR RCL RCR SHL SHR SAR, SHLD SHRD.
 *
 * Promises   Counts are masked to 5 bits; a zero count changes no flag, but a memory operand is
 *            still checked for writing. Undefined flags and results are those of the host's CPU.
 * Source     SDM vol. 2B: RCL/RCR/ROL/ROR, SAL/SAR/SHL/SHR, SHLD, SHRD.
 */
#include "monitor/interp/alu.h"
#include "monitor/interp/forms.h"
#include "monitor/interp/operand.h"

/* By CL, by an immediate, or by 1, which the record shows as an immediate. */
static inline uint8_t shift_count(const struct vcpu *v, const struct insn *i)
{
    return i->operand[1].kind == OPK_GPR ? (uint8_t)v->gpr[ECX] : (uint8_t)i->imm;
}

#define SHIFT_REGISTER(op, bits, suffix)                                                           \
    static void op##bits##_r(struct vcpu *v, const struct insn *i)                                 \
    {                                                                                              \
        uint##bits##_t a = reg##bits##_get(v, i->operand[0].reg);                                  \
        alu_##op##bits(&v->eflags, &a, shift_count(v, i));                                         \
        reg##bits##_set(v, i->operand[0].reg, a);                                                  \
    }
ALU_SIZES(SHIFT_REGISTER, rcl)
ALU_SIZES(SHIFT_REGISTER, rcr)
ALU_SIZES(SHIFT_REGISTER, shl)
ALU_SIZES(SHIFT_REGISTER, shr)
ALU_SIZES(SHIFT_REGISTER, sar)

/* ROL and ROR of a register by an immediate are different micro-operations in Intel CPUs: for
 * counts other than 1 they keep OF, where the forms by CL and in memory compute it. Undefined
 * either way, but the translator copies the bytes, so run the same form here: one host instruction
 * per count. */
#define ROTATE_CASE(op, suffix, count)                                                             \
    case count:                                                                                    \
        __asm__(ALU_FLAGS_IN #op suffix " $" #count ", %[dst]\n\t" ALU_FLAGS_OUT                   \
                : [dst] "+r"(*dst), "+a"(ax)                                                       \
                :                                                                                  \
                : "cc");                                                                           \
        break;
#define ROTATE_CASES_4(op, suffix, a, b, c, d)                                                     \
    ROTATE_CASE(op, suffix, a)                                                                     \
    ROTATE_CASE(op, suffix, b)                                                                     \
    ROTATE_CASE(op, suffix, c)                                                                     \
    ROTATE_CASE(op, suffix, d)
#define ROTATE_REGISTER(op, bits, suffix)                                                          \
    static void op##bits##_by(uint32_t *efl, uint##bits##_t *dst, unsigned count)                  \
    {                                                                                              \
        uint32_t ax = alu_flags_ax(*efl);                                                          \
        switch (count & 31) {                                                                      \
            ROTATE_CASES_4(op, suffix, 1, 2, 3, 4)                                                 \
            ROTATE_CASES_4(op, suffix, 5, 6, 7, 8)                                                 \
            ROTATE_CASES_4(op, suffix, 9, 10, 11, 12)                                              \
            ROTATE_CASES_4(op, suffix, 13, 14, 15, 16)                                             \
            ROTATE_CASES_4(op, suffix, 17, 18, 19, 20)                                             \
            ROTATE_CASES_4(op, suffix, 21, 22, 23, 24)                                             \
            ROTATE_CASES_4(op, suffix, 25, 26, 27, 28)                                             \
            ROTATE_CASES_4(op, suffix, 29, 30, 31, 0)                                              \
        }                                                                                          \
        alu_flags_merge(efl, ax, EFL_ARITH);                                                       \
    }                                                                                              \
    static void op##bits##_r(struct vcpu *v, const struct insn *i)                                 \
    {                                                                                              \
        uint##bits##_t a = reg##bits##_get(v, i->operand[0].reg);                                  \
        if (i->operand[1].kind == OPK_IMM)                                                         \
            op##bits##_by(&v->eflags, &a, i->imm);                                                 \
        else                                                                                       \
            alu_##op##bits(&v->eflags, &a, (uint8_t)v->gpr[ECX]);                                  \
        reg##bits##_set(v, i->operand[0].reg, a);                                                  \
    }
ALU_SIZES(ROTATE_REGISTER, rol)
ALU_SIZES(ROTATE_REGISTER, ror)

#define SHIFT_MEMORY(op, bits, suffix)                                                             \
    static void op##bits##_m(struct vcpu *v, const struct insn *i)                                 \
    {                                                                                              \
        struct mem_rmw m;                                                                          \
        uint##bits##_t a = (uint##bits##_t)mem_rmw_begin(v, i->seg, ea(v, i), (bits) / 8, &m);     \
        alu_##op##bits(&v->eflags, &a, shift_count(v, i));                                         \
        mem_rmw_commit(v, &m, a);                                                                  \
    }
ALU_SIZES(SHIFT_MEMORY, rol)
ALU_SIZES(SHIFT_MEMORY, ror)
ALU_SIZES(SHIFT_MEMORY, rcl)
ALU_SIZES(SHIFT_MEMORY, rcr)
ALU_SIZES(SHIFT_MEMORY, shl)
ALU_SIZES(SHIFT_MEMORY, shr)
ALU_SIZES(SHIFT_MEMORY, sar)

/* 32-bit register by an immediate: the hot form, without looking at the opcode. */
#define SHIFT_IMMEDIATE(op)                                                                        \
    static void op##32_ri(struct vcpu * v, const struct insn *i)                                   \
    {                                                                                              \
        uint32_t a = v->gpr[i->operand[0].reg];                                                    \
        alu_##op##32(&v->eflags, &a, (uint8_t)i->imm);                                             \
        v->gpr[i->operand[0].reg] = a;                                                             \
    }
SHIFT_IMMEDIATE(shl)
SHIFT_IMMEDIATE(shr)
SHIFT_IMMEDIATE(sar)

#define SHIFT_LIST(X) X(rol) X(ror) X(rcl) X(rcr) X(shl) X(shr) X(sar)

#define LIST_ID(op) S_##op,
enum shift_op { SHIFT_LIST(LIST_ID) SHIFT_COUNT };

#define SHIFT_ENTRY(op) [S_##op] = {{op##8_r, op##8_m}, {op##16_r, op##16_m}, {op##32_r, op##32_m}},
static insn_fn *const shift_table[SHIFT_COUNT][3][2] = {SHIFT_LIST(SHIFT_ENTRY)};

static insn_fn *shift_pick(enum shift_op op, const struct insn *i)
{
    return shift_table[op][size_row(i->operand[0].size)][operand_is_mem(i, 0)];
}

#define SHIFT_HANDLER(op)                                                                          \
    void i_##op(struct vcpu *v, const struct insn *i)                                              \
    {                                                                                              \
        shift_pick(S_##op, i)(v, i);                                                               \
    }
SHIFT_LIST(SHIFT_HANDLER)

insn_fn *shift_select(const struct insn *i)
{
#define OP_TO_SHIFT(op) [OP_##op] = S_##op + 1,
    static const uint8_t shift_of[OP_COUNT] = {SHIFT_LIST(OP_TO_SHIFT)};

    if (!shift_of[i->op])
        return NULL;
    if (i->operand[1].kind == OPK_IMM && i->operand[0].kind == OPK_GPR && i->operand[0].size == 4) {
        if (i->op == OP_shl)
            return shl32_ri;
        if (i->op == OP_shr)
            return shr32_ri;
        if (i->op == OP_sar)
            return sar32_ri;
    }
    return shift_pick((enum shift_op)(shift_of[i->op] - 1), i);
}

/* ---- SHLD, SHRD ---- */

static inline uint8_t double_count(const struct vcpu *v, const struct insn *i)
{
    return i->operand[2].kind == OPK_GPR ? (uint8_t)v->gpr[ECX] : (uint8_t)i->imm;
}

#define DOUBLE_SHIFT_HANDLER(op)                                                                   \
    void i_##op(struct vcpu *v, const struct insn *i)                                              \
    {                                                                                              \
        struct place p;                                                                            \
        uint32_t a = place_open(v, i, 0, &p);                                                      \
        uint16_t a16 = (uint16_t)a;                                                                \
        uint32_t b = v->gpr[i->operand[1].reg];                                                    \
        if (p.size == 4) {                                                                         \
            alu_##op##32(&v->eflags, &a, b, double_count(v, i));                                   \
            place_put(v, &p, a);                                                                   \
        } else {                                                                                   \
            alu_##op##16(&v->eflags, &a16, (uint16_t)b, double_count(v, i));                       \
            place_put(v, &p, a16);                                                                 \
        }                                                                                          \
    }
DOUBLE_SHIFT_HANDLER(shld)
DOUBLE_SHIFT_HANDLER(shrd)
