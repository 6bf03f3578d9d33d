/* SPDX-License-Identifier: MIT */
/*
 * muldiv.c - MUL, IMUL in its three forms, DIV, IDIV.
 *
 * Promises   Division is refused (#DE) before the host's divider could trap; results and flags
 *            are those of the host's CPU.
 * Source     SDM vol. 2A: DIV, IDIV, IMUL; vol. 2B: MUL.
 */
#include "monitor/interp/alu.h"
#include "monitor/interp/forms.h"
#include "monitor/interp/operand.h"

/* Write the accumulator pair of a 16- or 32-bit operation. */
static void pair_put16(struct vcpu *v, uint16_t lo, uint16_t hi)
{
    reg16_set(v, EAX, lo);
    reg16_set(v, EDX, hi);
}

#define MULTIPLY_HANDLER(name, alu)                                                                \
    void i_##name(struct vcpu *v, const struct insn *i)                                            \
    {                                                                                              \
        uint32_t src = operand_get(v, i, 0);                                                       \
        uint16_t acc = (uint16_t)v->gpr[EAX], hi16 = 0;                                            \
        switch (i->operand[0].size) {                                                              \
        case 1:                                                                                    \
            alu_##alu##8(&v->eflags, &acc, (uint8_t)src);                                          \
            reg16_set(v, EAX, acc);                                                                \
            break;                                                                                 \
        case 2:                                                                                    \
            alu_##alu##16(&v->eflags, &acc, &hi16, (uint16_t)src);                                 \
            pair_put16(v, acc, hi16);                                                              \
            break;                                                                                 \
        default:                                                                                   \
            alu_##alu##32(&v->eflags, &v->gpr[EAX], &v->gpr[EDX], src);                            \
            break;                                                                                 \
        }                                                                                          \
    }
MULTIPLY_HANDLER(mul, mul)
MULTIPLY_HANDLER(imul1, imul1_)

/* ---- IMUL r, r/m and IMUL r, r/m, imm ---- */

static void imul_into(struct vcpu *v, const struct insn *i, uint32_t a, uint32_t b)
{
    unsigned r = i->operand[0].reg;
    uint16_t a16 = (uint16_t)a;

    if (i->operand[0].size == 4) {
        alu_imul32(&v->eflags, &a, b);
        v->gpr[r] = a;
    } else {
        alu_imul16(&v->eflags, &a16, (uint16_t)b);
        reg16_set(v, r, a16);
    }
}

void i_imul2(struct vcpu *v, const struct insn *i)
{
    imul_into(v, i, v->gpr[i->operand[0].reg], operand_get(v, i, 1));
}

void i_imul3(struct vcpu *v, const struct insn *i)
{
    imul_into(v, i, operand_get(v, i, 1), i->imm);
}

static void imul2_32_rr(struct vcpu *v, const struct insn *i)
{
    uint32_t a = v->gpr[i->operand[0].reg];

    alu_imul32(&v->eflags, &a, v->gpr[i->operand[1].reg]);
    v->gpr[i->operand[0].reg] = a;
}

static void imul2_32_rm(struct vcpu *v, const struct insn *i)
{
    uint32_t b = mem_read32(v, i->seg, ea(v, i)), a = v->gpr[i->operand[0].reg];

    alu_imul32(&v->eflags, &a, b);
    v->gpr[i->operand[0].reg] = a;
}

static void imul3_32_rr(struct vcpu *v, const struct insn *i)
{
    uint32_t a = v->gpr[i->operand[1].reg];

    alu_imul32(&v->eflags, &a, i->imm);
    v->gpr[i->operand[0].reg] = a;
}

insn_fn *muldiv_select(const struct insn *i)
{
    bool mem = operand_is_mem(i, 1);

    if (i->operand[0].size != 4)
        return NULL;
    if (i->op == OP_imul2)
        return mem ? imul2_32_rm : imul2_32_rr;
    if (i->op == OP_imul3 && !mem)
        return imul3_32_rr;
    return NULL;
}

/* ---- DIV, IDIV ---- */

static _Noreturn void divide_error(struct vcpu *v)
{
    fault_raise(v, VEC_DE, NO_ERROR_CODE);
}

static void divide(struct vcpu *v, unsigned size, uint32_t src)
{
    uint16_t acc = (uint16_t)v->gpr[EAX], hi = (uint16_t)v->gpr[EDX];

    switch (size) {
    case 1:
        if ((acc >> 8) >= src)
            divide_error(v);
        alu_div8(&v->eflags, &acc, (uint8_t)src);
        reg16_set(v, EAX, acc);
        break;
    case 2:
        if (hi >= src)
            divide_error(v);
        alu_div16(&v->eflags, &acc, &hi, (uint16_t)src);
        pair_put16(v, acc, hi);
        break;
    default:
        if (v->gpr[EDX] >= src)
            divide_error(v);
        alu_div32(&v->eflags, &v->gpr[EAX], &v->gpr[EDX], src);
        break;
    }
}

void i_div(struct vcpu *v, const struct insn *i)
{
    divide(v, i->operand[0].size, operand_get(v, i, 0));
}

/* Does num / den, truncated, fit `bits` signed bits? */
static bool idiv_fits(int64_t num, int64_t den, unsigned bits)
{
    int64_t max = ((int64_t)1 << (bits - 1)) - 1;

    if (den == 0)
        return false;
    if (den == -1)
        return num >= -max && num <= max + 1;
    return num / den >= -max - 1 && num / den <= max;
}

static void divide_signed(struct vcpu *v, unsigned size, uint32_t src)
{
    uint32_t eax = v->gpr[EAX], edx = v->gpr[EDX];
    uint16_t acc = (uint16_t)eax, hi = (uint16_t)edx;

    switch (size) {
    case 1:
        if (!idiv_fits((int16_t)acc, (int8_t)src, 8))
            divide_error(v);
        alu_idiv8(&v->eflags, &acc, (uint8_t)src);
        reg16_set(v, EAX, acc);
        break;
    case 2:
        if (!idiv_fits((int32_t)((uint32_t)hi << 16 | acc), (int16_t)src, 16))
            divide_error(v);
        alu_idiv16(&v->eflags, &acc, &hi, (uint16_t)src);
        pair_put16(v, acc, hi);
        break;
    default:
        if (!idiv_fits((int64_t)((uint64_t)edx << 32 | eax), (int32_t)src, 32))
            divide_error(v);
        alu_idiv32(&v->eflags, &v->gpr[EAX], &v->gpr[EDX], src);
        break;
    }
}

void i_idiv(struct vcpu *v, const struct insn *i)
{
    divide_signed(v, i->operand[0].size, operand_get(v, i, 0));
}
