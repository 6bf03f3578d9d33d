/* SPDX-License-Identifier: MIT */
/*
 * bits.c - BT BTS BTR BTC, BSF BSR, POPCNT, CRC32.
 *
 * Promises   A bit offset in a register reaches beyond a memory operand: the word that holds the
 *            bit is accessed. POPCNT and CRC32 need nothing of the host CPU.
 * Source     SDM vol. 2A: BT, BSF, BSR, CRC32; vol. 2B: POPCNT.
 */
#include "monitor/cpu/vm.h"
#include "monitor/interp/alu.h"
#include "monitor/interp/operand.h"

/* ---- bit test ---- */

/* Offset of the 16- or 32-bit word that holds bit `bit` of the bit string at the memory operand. */
static uint32_t bit_word(const struct vcpu *v, const struct insn *i, uint32_t bit)
{
    if (i->operand[1].kind == OPK_IMM)
        return ea(v, i);
    if (i->operand[0].size == 4)
        return ea_add(i, ea(v, i), (uint32_t)((int32_t)bit >> 5) * 4);
    return ea_add(i, ea(v, i), (uint32_t)((int16_t)bit >> 4) * 2);
}

static inline uint32_t bit_offset(const struct vcpu *v, const struct insn *i)
{
    return i->operand[1].kind == OPK_IMM ? i->imm : v->gpr[i->operand[1].reg];
}

void i_bt(struct vcpu *v, const struct insn *i)
{
    uint32_t bit = bit_offset(v, i), a;
    unsigned size = i->operand[0].size;
    uint16_t a16;

    if (operand_is_mem(i, 0))
        a = mem_read(v, i->seg, bit_word(v, i, bit), size);
    else
        a = reg_get(v, i->operand[0].reg, size);
    bit &= size * 8 - 1;
    a16 = (uint16_t)a;
    if (size == 4)
        alu_bt32(&v->eflags, &a, bit);
    else
        alu_bt16(&v->eflags, &a16, (uint16_t)bit);
}

#define BIT_CHANGE_HANDLER(op)                                                                     \
    void i_##op(struct vcpu *v, const struct insn *i)                                              \
    {                                                                                              \
        uint32_t bit = bit_offset(v, i), a;                                                        \
        struct place p = {.is_mem = operand_is_mem(i, 0)};                                         \
        uint16_t a16;                                                                              \
        p.size = i->operand[0].size;                                                               \
        p.reg = i->operand[0].reg;                                                                 \
        if (p.is_mem)                                                                              \
            a = mem_rmw_begin(v, i->seg, bit_word(v, i, bit), p.size, &p.rmw);                     \
        else                                                                                       \
            a = reg_get(v, p.reg, p.size);                                                         \
        bit &= p.size * 8u - 1;                                                                    \
        a16 = (uint16_t)a;                                                                         \
        if (p.size == 4) {                                                                         \
            alu_##op##32(&v->eflags, &a, bit);                                                     \
            place_put(v, &p, a);                                                                   \
        } else {                                                                                   \
            alu_##op##16(&v->eflags, &a16, (uint16_t)bit);                                         \
            place_put(v, &p, a16);                                                                 \
        }                                                                                          \
    }
BIT_CHANGE_HANDLER(bts)
BIT_CHANGE_HANDLER(btr)
BIT_CHANGE_HANDLER(btc)

/* ---- bit scan: a zero source leaves the destination alone, as the host does ---- */

#define BIT_SCAN_HANDLER(op)                                                                       \
    void i_##op(struct vcpu *v, const struct insn *i)                                              \
    {                                                                                              \
        uint32_t src = operand_get(v, i, 1), a = v->gpr[i->operand[0].reg];                        \
        uint16_t a16 = (uint16_t)a;                                                                \
        if (i->operand[0].size == 4) {                                                             \
            alu_##op##32(&v->eflags, &a, src);                                                     \
            v->gpr[i->operand[0].reg] = a;                                                         \
        } else {                                                                                   \
            alu_##op##16(&v->eflags, &a16, (uint16_t)src);                                         \
            reg16_set(v, i->operand[0].reg, a16);                                                  \
        }                                                                                          \
    }
BIT_SCAN_HANDLER(bsf)
BIT_SCAN_HANDLER(bsr)

/* ---- POPCNT, CRC32 ---- */

static uint32_t count_ones(uint32_t x)
{
    x -= x >> 1 & 0x55555555u;
    x = (x & 0x33333333u) + (x >> 2 & 0x33333333u);
    x = (x + (x >> 4)) & 0x0f0f0f0fu;
    return x * 0x01010101u >> 24;
}

void i_popcnt(struct vcpu *v, const struct insn *i)
{
    uint32_t src = operand_get(v, i, 1);

    reg_put(v, i->operand[0].reg, i->operand[0].size, count_ones(src));
    v->eflags = (v->eflags & ~EFL_ARITH) | (src ? 0 : EFL_ZF);
}

/* Polynomial 0x11EDC6F41, bit-reflected, as the instruction has it. */
#define CRC32C_REFLECTED 0x82f63b78u

static uint32_t crc32c(uint32_t crc, uint32_t data, unsigned bits)
{
    crc ^= data;
    while (bits--)
        crc = crc >> 1 ^ (CRC32C_REFLECTED & -(crc & 1));
    return crc;
}

void i_crc32(struct vcpu *v, const struct insn *i)
{
    uint32_t src = operand_get(v, i, 1);

    v->gpr[i->operand[0].reg] = crc32c(v->gpr[i->operand[0].reg], src, i->operand[1].size * 8u);
}
