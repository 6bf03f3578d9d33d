/* SPDX-License-Identifier: MIT */
/*
 * alu.h - the host's own ALU as the reference for results and flags, the undefined ones
 * included.
 *
 * Promises   alu_<op><bits>(&eflags, &dst, ...) computes dst and merges the arithmetic flags
 *            exactly as the host CPU does for the same instruction and operand size. Flags an
 *            instruction leaves alone keep their value.
 * How        LAHF and SETO fetch the flags into AH and AL. Where the old flags matter (rotates,
 *            zero counts, BSF, MUL, DIV ...) they are loaded before: OF by adding 0x7f to AL (0
 *            or 1), the rest by SAHF. Neither needs the stack, so the red zone is safe.
 * Source     SDM vol. 1, appendix A (EFLAGS cross-reference); vol. 2 pages of the instructions.
 * Not here   DIV overflow checks (muldiv.c), count masking: the host's shifts mask as the
 *            guest's do.
 */
#ifndef RING1_MONITOR_INTERP_ALU_H
#define RING1_MONITOR_INTERP_ALU_H

#include "include/ring1/types.h"

/* LAHF and SAHF as bytes: assemblers for plain x86-64 may refuse the mnemonics. */
#define ALU_FLAGS_OUT ".byte 0x9f\n\tseto %%al"
#define ALU_FLAGS_IN  "addb $0x7f, %%al\n\t.byte 0x9e\n\t"

#define ALU_LAHF_BITS (EFL_CF | EFL_PF | EFL_AF | EFL_ZF | EFL_SF)

/* The AX image that ALU_FLAGS_IN takes. */
static inline uint32_t alu_flags_ax(uint32_t efl)
{
    return (efl & ALU_LAHF_BITS) << 8 | (efl >> 11 & 1);
}

/* Merges the AX image that ALU_FLAGS_OUT left; only the flags of `mask` change. */
static inline void alu_flags_merge(uint32_t *efl, uint32_t ax, uint32_t mask)
{
    /* AH also has bit 1 set, as EFLAGS always has; AL is 0 or 1. */
    uint32_t got = (uint8_t)(ax >> 8) | (uint32_t)(uint8_t)ax << 11;

    *efl = (*efl & ~mask) | (got & (mask | EFL_FIXED1));
}

#define ALU_SIZES(shape, op)      shape(op, 8, "b") shape(op, 16, "w") shape(op, 32, "l")
#define ALU_WIDE_SIZES(shape, op) shape(op, 16, "w") shape(op, 32, "l")

/* dst = dst op src; every arithmetic flag comes from the operation. */
#define ALU_BINARY(op, bits, suffix)                                                               \
    static inline void alu_##op##bits(uint32_t *efl, uint##bits##_t *dst, uint##bits##_t src)      \
    {                                                                                              \
        uint32_t ax;                                                                               \
        __asm__(#op suffix " %[src], %[dst]\n\t" ALU_FLAGS_OUT                                     \
                : [dst] "+r"(*dst), "=&a"(ax)                                                      \
                : [src] "r"(src)                                                                   \
                : "cc");                                                                           \
        alu_flags_merge(efl, ax, EFL_ARITH);                                                       \
    }
ALU_SIZES(ALU_BINARY, add)
ALU_SIZES(ALU_BINARY, or)
ALU_SIZES(ALU_BINARY, and)
ALU_SIZES(ALU_BINARY, sub)
ALU_SIZES(ALU_BINARY, xor)

/* CMP and TEST: the same, with dst left alone. */
#define ALU_COMPARE(op, bits, suffix)                                                              \
    static inline void alu_##op##bits(uint32_t *efl, const uint##bits##_t *dst,                    \
                                      uint##bits##_t src)                                          \
    {                                                                                              \
        uint32_t ax;                                                                               \
        __asm__(#op suffix " %[src], %[dst]\n\t" ALU_FLAGS_OUT                                     \
                : "=&a"(ax)                                                                        \
                : [dst] "r"(*dst), [src] "r"(src)                                                  \
                : "cc");                                                                           \
        alu_flags_merge(efl, ax, EFL_ARITH);                                                       \
    }
ALU_SIZES(ALU_COMPARE, cmp)
ALU_SIZES(ALU_COMPARE, test)

/* Operations that also read CF. */
#define ALU_CARRY(op, bits, suffix)                                                                \
    static inline void alu_##op##bits(uint32_t *efl, uint##bits##_t *dst, uint##bits##_t src)      \
    {                                                                                              \
        uint32_t ax;                                                                               \
        __asm__("btl $0, %[efl]\n\t" #op suffix " %[src], %[dst]\n\t" ALU_FLAGS_OUT                \
                : [dst] "+r"(*dst), "=&a"(ax)                                                      \
                : [src] "r"(src), [efl] "r"(*efl)                                                  \
                : "cc");                                                                           \
        alu_flags_merge(efl, ax, EFL_ARITH);                                                       \
    }
ALU_SIZES(ALU_CARRY, adc)
ALU_SIZES(ALU_CARRY, sbb)

/* One operand; `mask` flags change. */
#define ALU_UNARY(op, bits, suffix, mask)                                                          \
    static inline void alu_##op##bits(uint32_t *efl, uint##bits##_t *dst)                          \
    {                                                                                              \
        uint32_t ax;                                                                               \
        __asm__(#op suffix " %[dst]\n\t" ALU_FLAGS_OUT : [dst] "+r"(*dst), "=&a"(ax) : : "cc");    \
        alu_flags_merge(efl, ax, mask);                                                            \
    }
#define ALU_COUNTING(op, bits, suffix) ALU_UNARY(op, bits, suffix, EFL_ARITH & ~EFL_CF)
#define ALU_NEGATING(op, bits, suffix) ALU_UNARY(op, bits, suffix, EFL_ARITH)
ALU_SIZES(ALU_COUNTING, inc)
ALU_SIZES(ALU_COUNTING, dec)
ALU_SIZES(ALU_NEGATING, neg)

/* NOT touches no flag; it has the shape of the others for the tables' sake. */
#define ALU_NOT(op, bits, suffix)                                                                  \
    static inline void alu_##op##bits(uint32_t *efl, uint##bits##_t *dst)                          \
    {                                                                                              \
        (void)efl;                                                                                 \
        *dst = (uint##bits##_t) ~*dst;                                                             \
    }
ALU_SIZES(ALU_NOT, not )

/* Shifts and rotates by CL; the host masks the count and keeps the flags when it is 0. */
#define ALU_SHIFT(op, bits, suffix)                                                                \
    static inline void alu_##op##bits(uint32_t *efl, uint##bits##_t *dst, uint8_t count)           \
    {                                                                                              \
        uint32_t ax = alu_flags_ax(*efl);                                                          \
        __asm__(ALU_FLAGS_IN #op suffix " %%cl, %[dst]\n\t" ALU_FLAGS_OUT                          \
                : [dst] "+r"(*dst), "+a"(ax)                                                       \
                : "c"(count)                                                                       \
                : "cc");                                                                           \
        alu_flags_merge(efl, ax, EFL_ARITH);                                                       \
    }
ALU_SIZES(ALU_SHIFT, rol)
ALU_SIZES(ALU_SHIFT, ror)
ALU_SIZES(ALU_SHIFT, rcl)
ALU_SIZES(ALU_SHIFT, rcr)
ALU_SIZES(ALU_SHIFT, shl)
ALU_SIZES(ALU_SHIFT, shr)
ALU_SIZES(ALU_SHIFT, sar)

/* SHLD, SHRD: the guest gets the host's answer, also for 16-bit registers with counts above 16. */
#define ALU_DOUBLE_SHIFT(op, bits, suffix)                                                         \
    static inline void alu_##op##bits(uint32_t *efl, uint##bits##_t *dst, uint##bits##_t src,      \
                                      uint8_t count)                                               \
    {                                                                                              \
        uint32_t ax = alu_flags_ax(*efl);                                                          \
        __asm__(ALU_FLAGS_IN #op suffix " %%cl, %[src], %[dst]\n\t" ALU_FLAGS_OUT                  \
                : [dst] "+r"(*dst), "+a"(ax)                                                       \
                : [src] "r"(src), "c"(count)                                                       \
                : "cc");                                                                           \
        alu_flags_merge(efl, ax, EFL_ARITH);                                                       \
    }
ALU_WIDE_SIZES(ALU_DOUBLE_SHIFT, shld)
ALU_WIDE_SIZES(ALU_DOUBLE_SHIFT, shrd)

/* Two operands, old flags and old destination visible: bit tests, BSF/BSR (dst survives a zero
 * source), IMUL. */
#define ALU_KEEPING(op, bits, suffix)                                                              \
    static inline void alu_##op##bits(uint32_t *efl, uint##bits##_t *dst, uint##bits##_t src)      \
    {                                                                                              \
        uint32_t ax = alu_flags_ax(*efl);                                                          \
        __asm__(ALU_FLAGS_IN #op suffix " %[src], %[dst]\n\t" ALU_FLAGS_OUT                        \
                : [dst] "+r"(*dst), "+a"(ax)                                                       \
                : [src] "r"(src)                                                                   \
                : "cc");                                                                           \
        alu_flags_merge(efl, ax, EFL_ARITH);                                                       \
    }
ALU_WIDE_SIZES(ALU_KEEPING, bt)
ALU_WIDE_SIZES(ALU_KEEPING, bts)
ALU_WIDE_SIZES(ALU_KEEPING, btr)
ALU_WIDE_SIZES(ALU_KEEPING, btc)
ALU_WIDE_SIZES(ALU_KEEPING, bsf)
ALU_WIDE_SIZES(ALU_KEEPING, bsr)
ALU_WIDE_SIZES(ALU_KEEPING, imul)

/* MUL, IMUL, DIV, IDIV on the accumulator pair hi:lo (DX:AX, EDX:EAX). Division must not overflow:
 * it would trap. */
#define ALU_PAIR(name, op, bits, suffix, acc)                                                      \
    static inline void alu_##name##bits(uint32_t *efl, uint##bits##_t *lo, uint##bits##_t *hi,     \
                                        uint##bits##_t src)                                        \
    {                                                                                              \
        uint32_t ax = alu_flags_ax(*efl);                                                          \
        __asm__(ALU_FLAGS_IN "mov" suffix " %[lo], %%" acc "\n\t" op suffix " %[src]\n\t"          \
                             "mov" suffix " %%" acc ", %[lo]\n\t" ALU_FLAGS_OUT                    \
                : [lo] "+&r"(*lo), "+&d"(*hi), "+&a"(ax)                                           \
                : [src] "r"(src)                                                                   \
                : "cc");                                                                           \
        alu_flags_merge(efl, ax, EFL_ARITH);                                                       \
    }
#define ALU_PAIR_SIZES(name, op)                                                                   \
    ALU_PAIR(name, op, 16, "w", "ax") ALU_PAIR(name, op, 32, "l", "eax")
ALU_PAIR_SIZES(mul, "mul")
ALU_PAIR_SIZES(imul1_, "imul")
ALU_PAIR_SIZES(div, "div")
ALU_PAIR_SIZES(idiv, "idiv")

/* The same on AX, by a byte. */
#define ALU_PAIR8(name, op)                                                                        \
    static inline void alu_##name##8(uint32_t * efl, uint16_t * acc, uint8_t src)                  \
    {                                                                                              \
        uint32_t ax = alu_flags_ax(*efl);                                                          \
        __asm__(ALU_FLAGS_IN "movw %[acc], %%ax\n\t" op "b %[src]\n\t"                             \
                             "movw %%ax, %[acc]\n\t" ALU_FLAGS_OUT                                 \
                : [acc] "+&r"(*acc), "+&a"(ax)                                                     \
                : [src] "r"(src)                                                                   \
                : "cc");                                                                           \
        alu_flags_merge(efl, ax, EFL_ARITH);                                                       \
    }
ALU_PAIR8(mul, "mul")
ALU_PAIR8(imul1_, "imul")
ALU_PAIR8(div, "div")
ALU_PAIR8(idiv, "idiv")

/* Does condition code cc of Jcc, SETcc, CMOVcc hold? (SDM vol. 1, appendix B) */
static inline bool alu_condition(uint32_t efl, unsigned cc)
{
    uint32_t yes;

    switch (cc >> 1) {
    case 0:
        yes = efl & EFL_OF;
        break;
    case 1:
        yes = efl & EFL_CF;
        break;
    case 2:
        yes = efl & EFL_ZF;
        break;
    case 3:
        yes = efl & (EFL_CF | EFL_ZF);
        break;
    case 4:
        yes = efl & EFL_SF;
        break;
    case 5:
        yes = efl & EFL_PF;
        break;
    case 6:
        yes = (efl >> 4 ^ efl) & EFL_SF;
        break;
    default:
        yes = ((efl >> 4 ^ efl) & EFL_SF) | (efl & EFL_ZF);
        break;
    }
    return (yes != 0) != (cc & 1);
}

#endif
