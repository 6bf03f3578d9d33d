/* SPDX-License-Identifier: MIT */
/*
 * bcd.c - AAA AAS AAD AAM DAA DAS.
 *
 * Promises   Defined results as the SDM's pseudo-code has them; the undefined flags as current
 *            Intel CPUs leave them (checked against one in a 32-bit process over all AX and flag
 *            values): OF = 0 but for AAD, whose CF, AF and OF are those of its 8-bit addition;
 *            SF, ZF, PF always describe AL.
 * Source     SDM vol. 2A: AAA, AAD, AAM, AAS, DAA, DAS. Invalid in 64-bit mode, so the host
 *            cannot run them.
 */
#include "monitor/interp/alu.h"
#include "monitor/interp/operand.h"

/* SF, ZF, PF of a byte. */
static uint32_t byte_flags(uint8_t val)
{
    uint32_t efl = 0;

    alu_test8(&efl, &val, val);
    return efl;
}

static void set_flags(struct vcpu *v, uint32_t arith)
{
    v->eflags = (v->eflags & ~EFL_ARITH) | arith;
}

static bool low_digit_carries(const struct vcpu *v)
{
    return (v->gpr[EAX] & 0xf) > 9 || (v->eflags & EFL_AF);
}

/* AAA adds, AAS subtracts 0x106 from AX; AL keeps its low digit. */
static void ascii_adjust(struct vcpu *v, uint32_t delta)
{
    uint32_t flags = 0, ax = v->gpr[EAX];

    if (low_digit_carries(v)) {
        ax += delta;
        flags = EFL_CF | EFL_AF;
    }
    reg16_set(v, EAX, (uint16_t)(ax & 0xff0f));
    set_flags(v, flags | byte_flags(ax & 0xf));
}

void i_aaa(struct vcpu *v, const struct insn *i)
{
    (void)i;
    ascii_adjust(v, 0x106);
}

void i_aas(struct vcpu *v, const struct insn *i)
{
    (void)i;
    ascii_adjust(v, 0u - 0x106);
}

void i_aad(struct vcpu *v, const struct insn *i)
{
    uint8_t al = (uint8_t)v->gpr[EAX];
    uint32_t tens = (v->gpr[EAX] >> 8 & 0xff) * (i->imm & 0xff);

    alu_add8(&v->eflags, &al, (uint8_t)tens);
    reg16_set(v, EAX, al);
}

void i_aam(struct vcpu *v, const struct insn *i)
{
    uint32_t al = v->gpr[EAX] & 0xff, base = i->imm & 0xff;

    if (base == 0)
        fault_raise(v, VEC_DE, NO_ERROR_CODE);
    reg16_set(v, EAX, (uint16_t)((al / base) << 8 | al % base));
    set_flags(v, byte_flags((uint8_t)(al % base)));
}

void i_daa(struct vcpu *v, const struct insn *i)
{
    uint32_t al = v->gpr[EAX] & 0xff, add = 0, flags = 0;

    (void)i;
    if (low_digit_carries(v)) {
        add = 6;
        flags = EFL_AF;
    }
    if (al > 0x99 || (v->eflags & EFL_CF)) {
        add += 0x60;
        flags |= EFL_CF;
    }
    al = (al + add) & 0xff;
    reg8_set(v, EAX, (uint8_t)al);
    set_flags(v, flags | byte_flags((uint8_t)al));
}

void i_das(struct vcpu *v, const struct insn *i)
{
    uint32_t al = v->gpr[EAX] & 0xff, sub = 0, flags = 0;

    (void)i;
    if (low_digit_carries(v)) {
        sub = 6;
        flags = EFL_AF | (al < 6 ? EFL_CF : 0);
    }
    if (al > 0x99 || (v->eflags & EFL_CF)) {
        sub += 0x60;
        flags |= EFL_CF;
    }
    al = (al - sub) & 0xff;
    reg8_set(v, EAX, (uint8_t)al);
    set_flags(v, flags | byte_flags((uint8_t)al));
}
