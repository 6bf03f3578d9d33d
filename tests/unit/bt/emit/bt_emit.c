/* SPDX-License-Identifier: MIT */
/* uses: bt/emit/emit.c zydis */
/*
 * bt_emit.c - every emitter with all its registers and the displacements where encodings change;
 * what was written is decoded by Zydis and must be the instruction that the function's name says.
 */
#include <Zydis/Zydis.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "bt/emit/emit.h"

#define ROOM 64u

static uint8_t code[4096];
static struct emit e;
static ZydisDecoder decoder;
static ZydisDecodedInstruction zi;
static ZydisDecodedOperand zo[ZYDIS_MAX_OPERAND_COUNT];
static unsigned bad;

static void start(void)
{
    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    e = (struct emit){.rw = code, .at = 0, .end = ROOM};
}

/* Decodes what was emitted since start(); it must be one whole instruction. */
static bool decode(ZydisMnemonic mnemonic)
{
    ZyanStatus st = ZydisDecoderDecodeFull(&decoder, code, e.at, &zi, zo);

    return ZYAN_SUCCESS(st) && zi.length == e.at && zi.mnemonic == mnemonic;
}

static bool is_reg(const ZydisDecodedOperand *o, ZydisRegisterClass cls, unsigned reg)
{
    ZydisRegister r;

    if (cls == ZYDIS_REGCLASS_GPR8) /* Zydis numbers AH..BH in between */
        r = reg < 4   ? ZYDIS_REGISTER_AL + (int)reg
            : reg < 8 ? ZYDIS_REGISTER_SPL + (int)reg - 4
                      : ZYDIS_REGISTER_R8B + (int)reg - 8;
    else
        r = ZydisRegisterEncode(cls, (ZyanU8)reg);
    return o->type == ZYDIS_OPERAND_TYPE_REGISTER && o->reg.value == r;
}

static bool is_mem(const ZydisDecodedOperand *o, struct hmem m, unsigned bits)
{
    ZydisRegisterClass cls = m.gs ? ZYDIS_REGCLASS_GPR32 : ZYDIS_REGCLASS_GPR64;
    bool no_base = m.base == HOST_NO_REG;

    if (o->type != ZYDIS_OPERAND_TYPE_MEMORY || (bits && o->size != bits))
        return false;
    if (o->mem.base != (no_base ? ZYDIS_REGISTER_NONE : ZydisRegisterEncode(cls, m.base)))
        return false;
    if (zi.mnemonic != ZYDIS_MNEMONIC_LEA && m.gs != (o->mem.segment == ZYDIS_REGISTER_GS))
        return false;
    if (m.index == HOST_NO_REG) {
        if (o->mem.index != ZYDIS_REGISTER_NONE)
            return false;
    } else if (o->mem.index != ZydisRegisterEncode(cls, m.index) || o->mem.scale != 1u << m.scale) {
        return false;
    }
    unsigned shortest = no_base                              ? 32
                        : m.disp == 0 && (m.base & 7) != RBP ? 0
                        : m.disp == (int8_t)m.disp           ? 8
                                                             : 32;
    return o->mem.disp.value == m.disp && zi.raw.disp.size == shortest;
}

static bool is_imm(const ZydisDecodedOperand *o, int64_t value)
{
    return o->type == ZYDIS_OPERAND_TYPE_IMMEDIATE && o->imm.value.s == value;
}

static void complain(bool ok, const char *what, unsigned a, unsigned b, int64_t c)
{
    char hex[2 * ROOM + 1] = "";

    if (ok || bad++ > 20)
        return;
    for (unsigned n = 0; n < e.at; n++)
        snprintf(hex + 2 * n, 3, "%02x", code[n]);
    cr_expect(false, "%s %u %u %lld: %s", what, a, b, (long long)c, hex);
}

/* ---- memory operands ---- */

typedef void load_fn(struct emit *, unsigned, struct hmem);
typedef void store_fn(struct emit *, struct hmem, unsigned);

static const struct {
    const char *name;
    load_fn *load;
    store_fn *store;
    ZydisMnemonic mnemonic;
    ZydisRegisterClass cls;
    unsigned bits;
} mem_forms[] = {
    {"mov_rm32", emit_mov_rm32, NULL, ZYDIS_MNEMONIC_MOV, ZYDIS_REGCLASS_GPR32, 32},
    {"mov_rm64", emit_mov_rm64, NULL, ZYDIS_MNEMONIC_MOV, ZYDIS_REGCLASS_GPR64, 64},
    {"mov_mr32", NULL, emit_mov_mr32, ZYDIS_MNEMONIC_MOV, ZYDIS_REGCLASS_GPR32, 32},
    {"mov_mr64", NULL, emit_mov_mr64, ZYDIS_MNEMONIC_MOV, ZYDIS_REGCLASS_GPR64, 64},
    {"mov_mr8", NULL, emit_mov_mr8, ZYDIS_MNEMONIC_MOV, ZYDIS_REGCLASS_GPR8, 8},
    {"mov_mr16", NULL, emit_mov_mr16, ZYDIS_MNEMONIC_MOV, ZYDIS_REGCLASS_GPR16, 16},
    {"lea32", emit_lea32, NULL, ZYDIS_MNEMONIC_LEA, ZYDIS_REGCLASS_GPR32, 0},
    {"lea64", emit_lea64, NULL, ZYDIS_MNEMONIC_LEA, ZYDIS_REGCLASS_GPR64, 0},
};

static void check_with_reg(struct hmem m)
{
    for (unsigned f = 0; f < ARRAY_LEN(mem_forms); f++)
        for (unsigned reg = 0; reg < 16; reg++) {
            unsigned r = mem_forms[f].store ? 1 : 0;

            e.at = 0;
            if (mem_forms[f].load)
                mem_forms[f].load(&e, reg, m);
            else
                mem_forms[f].store(&e, m, reg);
            complain(decode(mem_forms[f].mnemonic) && is_reg(&zo[r], mem_forms[f].cls, reg) &&
                         is_mem(&zo[1 - r], m, mem_forms[f].bits),
                     mem_forms[f].name, reg, m.base, m.disp);
        }
}

static void check_without_reg(struct hmem m)
{
    static const uint32_t imm[] = {0, 1, 0x7f, 0x80, 0xff, 0x7fffffff, 0x80000000, 0xffffffff};

    for (unsigned n = 0; n < ARRAY_LEN(imm); n++) {
        e.at = 0;
        emit_mov_mi32(&e, m, imm[n]);
        complain(decode(ZYDIS_MNEMONIC_MOV) && is_mem(&zo[0], m, 32) &&
                     (uint32_t)zo[1].imm.value.u == imm[n],
                 "mov_mi32", m.base, m.index, m.disp);
        e.at = 0;
        emit_mov_mi8(&e, m, (uint8_t)imm[n]);
        complain(decode(ZYDIS_MNEMONIC_MOV) && is_mem(&zo[0], m, 8) &&
                     (uint8_t)zo[1].imm.value.u == (uint8_t)imm[n],
                 "mov_mi8", m.base, m.index, m.disp);
    }
}

/* Prefixes, maps and opcode extensions. */
static void check_insn_m(struct hmem m)
{
    for (unsigned reg = 0; reg < 16; reg++) {
        e.at = 0;
        emit_insn_m(&e, EMIT_LOCK | EMIT_W, MAP_0F, 0xc1, reg, m);
        complain(decode(ZYDIS_MNEMONIC_XADD) && zi.attributes & ZYDIS_ATTRIB_HAS_LOCK &&
                     is_mem(&zo[0], m, 64) && is_reg(&zo[1], ZYDIS_REGCLASS_GPR64, reg),
                 "lock xadd", reg, m.base, m.disp);
        e.at = 0;
        emit_insn_m(&e, EMIT_LOCK | EMIT_BYTE, MAP_0F, 0xb0, reg, m);
        complain(decode(ZYDIS_MNEMONIC_CMPXCHG) && is_mem(&zo[0], m, 8) &&
                     is_reg(&zo[1], ZYDIS_REGCLASS_GPR8, reg),
                 "lock cmpxchg", reg, m.base, m.disp);
        e.at = 0;
        emit_insn_m(&e, EMIT_66, MAP_0F38, 0x00, reg, m);
        complain(decode(ZYDIS_MNEMONIC_PSHUFB) && is_mem(&zo[1], m, 128) &&
                     is_reg(&zo[0], ZYDIS_REGCLASS_XMM, reg),
                 "pshufb", reg, m.base, m.disp);
        e.at = 0;
        emit_insn_m(&e, EMIT_66, MAP_0F3A, 0x0f, reg, m);
        emit8(&e, 5);
        complain(decode(ZYDIS_MNEMONIC_PALIGNR) && is_mem(&zo[1], m, 128) && is_imm(&zo[2], 5),
                 "palignr", reg, m.base, m.disp);
        e.at = 0;
        emit_insn_m(&e, EMIT_F3, MAP_0F, 0x10, reg, m);
        complain(decode(ZYDIS_MNEMONIC_MOVSS) && is_mem(&zo[1], m, 32) &&
                     is_reg(&zo[0], ZYDIS_REGCLASS_XMM, reg),
                 "movss", reg, m.base, m.disp);
        e.at = 0;
        emit_insn_m(&e, EMIT_F2, MAP_0F, 0x10, reg, m);
        complain(decode(ZYDIS_MNEMONIC_MOVSD) && is_mem(&zo[1], m, 64), "movsd", reg, m.base,
                 m.disp);
        e.at = 0;
        emit_insn_m(&e, EMIT_66 | EMIT_F2, MAP_0F38, 0xf1, reg, m);
        complain(decode(ZYDIS_MNEMONIC_CRC32) && is_mem(&zo[1], m, 16), "crc32", reg, m.base,
                 m.disp);
    }
}

static void check_mem(struct hmem m)
{
    for (unsigned gs = m.base == HOST_NO_REG; gs < 2; gs++) {
        m.gs = gs;
        check_with_reg(m);
        check_without_reg(m);
        check_insn_m(m);
    }
}

Test(bt_emit, memory_operands)
{
    static const int32_t disps[] = {0,    1,    -1,   127,       128,       -128,
                                    -129, 4096, -140, INT32_MAX, INT32_MIN, 0x12345678};
    start();
    bad = 0;
    for (unsigned n = 0; n < 17; n++)
        for (unsigned d = 0; d < ARRAY_LEN(disps); d++) {
            uint8_t base = n < 16 ? (uint8_t)n : HOST_NO_REG;

            check_mem(HMEM(base, disps[d]));
            for (unsigned index = 0; index < 16; index++)
                for (unsigned scale = 0; index != RSP && scale < 4; scale++)
                    check_mem(HMEM_INDEX(base, (uint8_t)index, (uint8_t)scale, disps[d]));
        }
    cr_expect(bad == 0, "%u wrong", bad);
}

/* ---- registers only ---- */

static void check_pair(unsigned a, unsigned b)
{
#define PAIR(call, mnemonic, dst_class, src_class)                                                 \
    do {                                                                                           \
        e.at = 0;                                                                                  \
        call;                                                                                      \
        complain(decode(ZYDIS_MNEMONIC_##mnemonic) && is_reg(&zo[0], dst_class, a) &&              \
                     is_reg(&zo[1], src_class, b),                                                 \
                 #call, a, b, 0);                                                                  \
    } while (0)
    PAIR(emit_mov_rr32(&e, a, b), MOV, ZYDIS_REGCLASS_GPR32, ZYDIS_REGCLASS_GPR32);
    PAIR(emit_mov_rr64(&e, a, b), MOV, ZYDIS_REGCLASS_GPR64, ZYDIS_REGCLASS_GPR64);
    PAIR(emit_movzx_rr16(&e, a, b), MOVZX, ZYDIS_REGCLASS_GPR32, ZYDIS_REGCLASS_GPR16);
    PAIR(emit_movzx_rr8(&e, a, b), MOVZX, ZYDIS_REGCLASS_GPR32, ZYDIS_REGCLASS_GPR8);
    PAIR(emit_insn_r(&e, EMIT_W, MAP_1, 0x03, a, b), ADD, ZYDIS_REGCLASS_GPR64,
         ZYDIS_REGCLASS_GPR64);
    PAIR(emit_insn_r(&e, EMIT_BYTE, MAP_1, 0x02, a, b), ADD, ZYDIS_REGCLASS_GPR8,
         ZYDIS_REGCLASS_GPR8);
    PAIR(emit_insn_r(&e, EMIT_66, MAP_1, 0x03, a, b), ADD, ZYDIS_REGCLASS_GPR16,
         ZYDIS_REGCLASS_GPR16);
    PAIR(emit_insn_r(&e, EMIT_F3, MAP_0F, 0xb8, a, b), POPCNT, ZYDIS_REGCLASS_GPR32,
         ZYDIS_REGCLASS_GPR32);
    PAIR(emit_insn_r(&e, EMIT_66, MAP_0F38, 0x00, a, b), PSHUFB, ZYDIS_REGCLASS_XMM,
         ZYDIS_REGCLASS_XMM);
    PAIR((emit_insn_r(&e, EMIT_66, MAP_0F3A, 0x0f, a, b), emit8(&e, 1)), PALIGNR,
         ZYDIS_REGCLASS_XMM, ZYDIS_REGCLASS_XMM);
    PAIR(emit_rorx_rri32(&e, a, b, (uint8_t)(a + b)), RORX, ZYDIS_REGCLASS_GPR32,
         ZYDIS_REGCLASS_GPR32);
    complain(is_imm(&zo[2], (int64_t)(a + b)), "rorx count", a, b, 0);
#undef PAIR
    for (unsigned count = 0; count < 16; count++) {
        e.at = 0;
        emit_shrx_rrr32(&e, a, b, count);
        complain(decode(ZYDIS_MNEMONIC_SHRX) && is_reg(&zo[0], ZYDIS_REGCLASS_GPR32, a) &&
                     is_reg(&zo[1], ZYDIS_REGCLASS_GPR32, b) &&
                     is_reg(&zo[2], ZYDIS_REGCLASS_GPR32, count),
                 "shrx", a, b, count);
    }
}

static void check_constants(unsigned reg)
{
    static const uint64_t val[] = {0,
                                   1,
                                   0x7fffffff,
                                   0x80000000,
                                   0xffffffff,
                                   0x100000000,
                                   0x7fffffffffffffff,
                                   0x8000000000000000,
                                   0xffffffff7fffffff,
                                   0xffffffff80000000,
                                   0xffffffffffffffff};

    for (unsigned n = 0; n < ARRAY_LEN(val); n++) {
        bool zero_extended = val[n] <= UINT32_MAX;
        unsigned length = zero_extended ? 5 + (reg >= 8) : val[n] >= 0xffffffff80000000 ? 7 : 10;

        e.at = 0;
        emit_mov_ri64(&e, reg, val[n]);
        complain(
            decode(ZYDIS_MNEMONIC_MOV) && zi.length == length &&
                is_reg(&zo[0], zero_extended ? ZYDIS_REGCLASS_GPR32 : ZYDIS_REGCLASS_GPR64, reg) &&
                (zero_extended ? (uint32_t)zo[1].imm.value.u : zo[1].imm.value.u) == val[n],
            "mov_ri64", reg, n, (int64_t)val[n]);
        e.at = 0;
        emit_mov_ri32(&e, reg, (uint32_t)val[n]);
        complain(decode(ZYDIS_MNEMONIC_MOV) && is_reg(&zo[0], ZYDIS_REGCLASS_GPR32, reg) &&
                     (uint32_t)zo[1].imm.value.u == (uint32_t)val[n],
                 "mov_ri32", reg, n, (int64_t)val[n]);
    }
    e.at = 0;
    emit_jmp_r(&e, reg);
    complain(decode(ZYDIS_MNEMONIC_JMP) && is_reg(&zo[0], ZYDIS_REGCLASS_GPR64, reg), "jmp_r", reg,
             0, 0);
    e.at = 0;
    emit_call_r(&e, reg);
    complain(decode(ZYDIS_MNEMONIC_CALL) && is_reg(&zo[0], ZYDIS_REGCLASS_GPR64, reg), "call_r",
             reg, 0, 0);
    e.at = 0;
    emit_insn_r(&e, EMIT_BYTE, MAP_1, 0xf6, 3, reg);
    complain(decode(ZYDIS_MNEMONIC_NEG) && is_reg(&zo[0], ZYDIS_REGCLASS_GPR8, reg), "neg", reg, 0,
             0);
}

static void check_arithmetic(unsigned a)
{
    static const ZydisMnemonic alu[] = {ZYDIS_MNEMONIC_ADD, ZYDIS_MNEMONIC_OR,  ZYDIS_MNEMONIC_ADC,
                                        ZYDIS_MNEMONIC_SBB, ZYDIS_MNEMONIC_AND, ZYDIS_MNEMONIC_SUB,
                                        ZYDIS_MNEMONIC_XOR, ZYDIS_MNEMONIC_CMP};
    const struct hmem m = HMEM_INDEX(RDI, R12, 2, 100), scaled = HMEM_SCALED(R9, 3, -5);
    const unsigned b = 15 - a;

#define ONE(call, mnemonic, condition)                                                             \
    e.at = 0;                                                                                      \
    call;                                                                                          \
    complain(decode(mnemonic) && (condition), #call, a, b, 0)
#define GPR(n, bits, r) is_reg(&zo[n], ZYDIS_REGCLASS_GPR##bits, r)
    for (unsigned op = ALU_ADD; op <= ALU_CMP; op++) {
        ONE(emit_alu_rr32(&e, op, a, b), alu[op], GPR(0, 32, a) && GPR(1, 32, b));
        ONE(emit_alu_ri32(&e, op, a, 77), alu[op], GPR(0, 32, a) && is_imm(&zo[1], 77));
        ONE(emit_alu_mr32(&e, op, m, a), alu[op], is_mem(&zo[0], m, 32) && GPR(1, 32, a));
        ONE(emit_alu_mi32(&e, op, m, 77), alu[op], is_mem(&zo[0], m, 32) && is_imm(&zo[1], 77));
    }
    ONE(emit_test_ri32(&e, a, 77), ZYDIS_MNEMONIC_TEST, GPR(0, 32, a) && is_imm(&zo[1], 77));
    ONE(emit_shl_ri32(&e, a, 7), ZYDIS_MNEMONIC_SHL, GPR(0, 32, a) && is_imm(&zo[1], 7));
    ONE(emit_shr_ri32(&e, a, 7), ZYDIS_MNEMONIC_SHR, GPR(0, 32, a) && is_imm(&zo[1], 7));
    ONE(emit_shlx_rrr32(&e, a, b, 3), ZYDIS_MNEMONIC_SHLX,
        GPR(0, 32, a) && GPR(1, 32, b) && GPR(2, 32, 3));
    ONE(emit_sarx_rrr32(&e, a, b, 3), ZYDIS_MNEMONIC_SARX,
        GPR(0, 32, a) && GPR(1, 32, b) && GPR(2, 32, 3));
    ONE(emit_movzx_rm8(&e, a, m), ZYDIS_MNEMONIC_MOVZX, GPR(0, 32, a) && is_mem(&zo[1], m, 8));
    ONE(emit_lea32(&e, a, scaled), ZYDIS_MNEMONIC_LEA, GPR(0, 32, a) && is_mem(&zo[1], scaled, 0));
    ONE(emit_push_r64(&e, a), ZYDIS_MNEMONIC_PUSH, GPR(0, 64, a));
    ONE(emit_pop_r64(&e, a), ZYDIS_MNEMONIC_POP, GPR(0, 64, a));
    ONE(emit_pop_m64(&e, m), ZYDIS_MNEMONIC_POP, is_mem(&zo[0], m, 64));
    ONE(emit_insn_o(&e, EMIT_W, MAP_0F, 0xc8, a), ZYDIS_MNEMONIC_BSWAP, GPR(0, 64, a));
    ONE(emit_insn(&e, 0, MAP_0F, 0x77), ZYDIS_MNEMONIC_EMMS, true);
    ONE(emit_pushfq(&e), ZYDIS_MNEMONIC_PUSHFQ, true);
    ONE(emit_popfq(&e), ZYDIS_MNEMONIC_POPFQ, true);
    ONE(emit_cld(&e), ZYDIS_MNEMONIC_CLD, true);
    ONE(emit_fwait(&e), ZYDIS_MNEMONIC_FWAIT, true);
#undef ONE
#undef GPR
}

Test(bt_emit, arithmetic_stack_and_flags)
{
    static const uint8_t to_ax[] = {0x9f, 0x0f, 0x90, 0xc0}, from_ah[] = {0x80, 0xc3, 0x7f, 0x9e};

    start();
    bad = 0;
    for (unsigned a = 0; a < 16; a++)
        check_arithmetic(a);
    e.at = 0;
    emit_flags_to_ax(&e);
    cr_expect(e.at == sizeof to_ax && !memcmp(code, to_ax, sizeof to_ax));
    e.at = 0;
    emit_flags_from_ah(&e, RBX);
    cr_expect(e.at == sizeof from_ah && !memcmp(code, from_ah, sizeof from_ah));
    cr_expect(bad == 0, "%u wrong", bad);
}

Test(bt_emit, registers_and_constants)
{
    start();
    bad = 0;
    for (unsigned a = 0; a < 16; a++) {
        for (unsigned b = 0; b < 16; b++)
            check_pair(a, b);
        check_constants(a);
    }
    e.at = 0;
    emit_ret(&e);
    complain(decode(ZYDIS_MNEMONIC_RET), "ret", 0, 0, 0);
    for (unsigned a = 0; a < 16; a++) {
        e.at = 0;
        emit_wrgsbase_r(&e, a);
        complain(decode(ZYDIS_MNEMONIC_WRGSBASE) && is_reg(&zo[0], ZYDIS_REGCLASS_GPR64, a),
                 "wrgsbase", a, 0, 0);
    }
    e.at = 0;
    emit8(&e, 1);
    emit16(&e, 0x0302);
    emit32(&e, 0x07060504);
    emit64(&e, 0x0f0e0d0c0b0a0908);
    emit_bytes(&e, (const uint8_t[]){16, 17}, 2);
    for (unsigned n = 0; n < 17; n++)
        cr_expect(code[n] == n + 1, "byte %u is %u", n, code[n]);
    cr_expect(e.at == 17, "%u bytes", e.at);
    cr_expect(bad == 0, "%u wrong", bad);
}

/* ---- transfers ---- */

/* Where the transfer at `from` leads. */
static uint32_t leads_to(uint32_t from, ZydisMnemonic mnemonic)
{
    ZyanU64 to = 0;

    if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, code + from, 15, &zi, zo)) ||
        zi.mnemonic != mnemonic)
        return UINT32_MAX;
    ZydisCalcAbsoluteAddress(&zi, &zo[0], from, &to);
    return (uint32_t)to;
}

/* In the order of the encoding. */
static const ZydisMnemonic jcc[] = {
    ZYDIS_MNEMONIC_JO, ZYDIS_MNEMONIC_JNO, ZYDIS_MNEMONIC_JB,  ZYDIS_MNEMONIC_JNB,
    ZYDIS_MNEMONIC_JZ, ZYDIS_MNEMONIC_JNZ, ZYDIS_MNEMONIC_JBE, ZYDIS_MNEMONIC_JNBE,
    ZYDIS_MNEMONIC_JS, ZYDIS_MNEMONIC_JNS, ZYDIS_MNEMONIC_JP,  ZYDIS_MNEMONIC_JNP,
    ZYDIS_MNEMONIC_JL, ZYDIS_MNEMONIC_JNL, ZYDIS_MNEMONIC_JLE, ZYDIS_MNEMONIC_JNLE,
};

Test(bt_emit, transfers)
{
    static const uint32_t targets[] = {0, 1, 1000, 1004, 1005, 1006, 1500, 4000};

    start();
    e.end = sizeof code;
    for (unsigned n = 0; n < ARRAY_LEN(targets); n++) {
        uint32_t to = targets[n], site;

        e.at = 1000;
        site = emit_jmp(&e, to);
        cr_expect(site == 1001 && e.at == 1005 && leads_to(1000, ZYDIS_MNEMONIC_JMP) == to);
        emit_patch32(code, site, 4000 - to);
        cr_expect(leads_to(1000, ZYDIS_MNEMONIC_JMP) == 4000 - to);
        e.at = 1000;
        site = emit_call(&e, to);
        cr_expect(site == 1001 && leads_to(1000, ZYDIS_MNEMONIC_CALL) == to);
        for (unsigned cc = 0; cc < 16; cc++) {
            e.at = 1000;
            site = emit_jcc(&e, cc, to);
            cr_expect(site == 1002 && e.at == 1006 && leads_to(1000, jcc[cc]) == to, "jcc %u", cc);
            e.at = 2000 + cc;
            emit_here32(&e, site);
            cr_expect(leads_to(1000, jcc[cc]) == 2000 + cc, "jcc %u", cc);
        }
    }
    for (uint32_t skip = 0; skip <= 127; skip++)
        for (unsigned cc = 0; cc < 18; cc++) {
            e.at = 100;
            uint32_t site = cc < 16    ? emit_jcc8(&e, cc)
                            : cc == 16 ? emit_jmp8(&e)
                                       : emit_jrcxz8(&e);
            cr_expect(site == 101 && e.at == 102);
            e.at += skip;
            emit_here8(&e, site);
            cr_expect(leads_to(100, cc < 16    ? jcc[cc]
                                    : cc == 16 ? ZYDIS_MNEMONIC_JMP
                                               : ZYDIS_MNEMONIC_JRCXZ) == 102 + skip,
                      "short %u over %u", cc, skip);
        }
}
