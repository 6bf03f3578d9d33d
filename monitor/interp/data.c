/* SPDX-License-Identifier: MIT */
/*
 * data.c - moves and conversions: MOV MOVSX MOVZX MOVBE LEA XCHG BSWAP XADD CMPXCHG CMPXCHG8B
 * CMOVcc SETcc XLAT CBW/CWDE CWD/CDQ SALC LAHF SAHF, the flag instructions, NOP and CLFLUSH.
 *
 * Promises   Read-modify-write forms check write permission first, also where nothing will
 *            change (CMPXCHG).
 * Source     SDM vol. 2 pages of the instructions.
 * Not here   MOV of segment, control and debug registers (seg_insn.c, system.c).
 */
#include "monitor/cpu/vm.h"
#include "monitor/interp/alu.h"
#include "monitor/interp/forms.h"
#include "monitor/interp/operand.h"

/* ---- MOV ---- */

#define MOV_FORMS(op, bits, suffix)                                                                \
    static void op##bits##_rr(struct vcpu *v, const struct insn *i)                                \
    {                                                                                              \
        reg##bits##_set(v, i->operand[0].reg, reg##bits##_get(v, i->operand[1].reg));              \
    }                                                                                              \
    static void op##bits##_ri(struct vcpu *v, const struct insn *i)                                \
    {                                                                                              \
        reg##bits##_set(v, i->operand[0].reg, (uint##bits##_t)i->imm);                             \
    }                                                                                              \
    static void op##bits##_rm(struct vcpu *v, const struct insn *i)                                \
    {                                                                                              \
        reg##bits##_set(v, i->operand[0].reg, mem_read##bits(v, i->seg, ea(v, i)));                \
    }                                                                                              \
    static void op##bits##_mr(struct vcpu *v, const struct insn *i)                                \
    {                                                                                              \
        mem_write##bits(v, i->seg, ea(v, i), reg##bits##_get(v, i->operand[1].reg));               \
    }                                                                                              \
    static void op##bits##_mi(struct vcpu *v, const struct insn *i)                                \
    {                                                                                              \
        mem_write##bits(v, i->seg, ea(v, i), (uint##bits##_t)i->imm);                              \
    }
ALU_SIZES(MOV_FORMS, mov)

#define MOV_ROW(bits)                                                                              \
    {                                                                                              \
        mov##bits##_rr, mov##bits##_ri, mov##bits##_rm, mov##bits##_mr, mov##bits##_mi             \
    }
static insn_fn *const mov_table[3][FORM_COUNT] = {MOV_ROW(8), MOV_ROW(16), MOV_ROW(32)};

static insn_fn *mov_pick(const struct insn *i)
{
    enum insn_form form = operand_form(i);

    VMM_CHECK(form != FORM_COUNT);
    return mov_table[size_row(i->operand[0].size)][form];
}

void i_mov(struct vcpu *v, const struct insn *i)
{
    mov_pick(i)(v, i);
}

/* ---- MOVZX, MOVSX ---- */

static uint32_t sign_extend(uint32_t val, unsigned size)
{
    if (size == 1)
        return (uint32_t)(int8_t)val;
    return size == 2 ? (uint32_t)(int16_t)val : val;
}

void i_movzx(struct vcpu *v, const struct insn *i)
{
    reg_put(v, i->operand[0].reg, i->operand[0].size, operand_get(v, i, 1));
}

void i_movsx(struct vcpu *v, const struct insn *i)
{
    uint32_t val = sign_extend(operand_get(v, i, 1), i->operand[1].size);

    reg_put(v, i->operand[0].reg, i->operand[0].size, val);
}

/* To a 32-bit register. */
#define EXTEND_FORMS(bits)                                                                         \
    static void movzx##bits##_rr(struct vcpu *v, const struct insn *i)                             \
    {                                                                                              \
        v->gpr[i->operand[0].reg] = reg##bits##_get(v, i->operand[1].reg);                         \
    }                                                                                              \
    static void movzx##bits##_rm(struct vcpu *v, const struct insn *i)                             \
    {                                                                                              \
        v->gpr[i->operand[0].reg] = mem_read##bits(v, i->seg, ea(v, i));                           \
    }                                                                                              \
    static void movsx##bits##_rr(struct vcpu *v, const struct insn *i)                             \
    {                                                                                              \
        v->gpr[i->operand[0].reg] =                                                                \
            (uint32_t)(int##bits##_t)reg##bits##_get(v, i->operand[1].reg);                        \
    }                                                                                              \
    static void movsx##bits##_rm(struct vcpu *v, const struct insn *i)                             \
    {                                                                                              \
        v->gpr[i->operand[0].reg] = (uint32_t)(int##bits##_t)mem_read##bits(v, i->seg, ea(v, i));  \
    }
EXTEND_FORMS(8)
EXTEND_FORMS(16)

/* [signed][16-bit source][memory] */
static insn_fn *const extend_table[2][2][2] = {
    {{movzx8_rr, movzx8_rm}, {movzx16_rr, movzx16_rm}},
    {{movsx8_rr, movsx8_rm}, {movsx16_rr, movsx16_rm}},
};

/* ---- LEA, CMOVcc, SETcc ---- */

void i_lea(struct vcpu *v, const struct insn *i)
{
    reg_put(v, i->operand[0].reg, i->operand[0].size, ea(v, i));
}

static void lea32(struct vcpu *v, const struct insn *i)
{
    v->gpr[i->operand[0].reg] = ea(v, i);
}

/* The source is read, and may fault, whatever the condition. */
void i_cmovcc(struct vcpu *v, const struct insn *i)
{
    uint32_t val = operand_get(v, i, 1);

    if (alu_condition(v->eflags, i->cond))
        reg_put(v, i->operand[0].reg, i->operand[0].size, val);
}

static void cmov32_rr(struct vcpu *v, const struct insn *i)
{
    if (alu_condition(v->eflags, i->cond))
        v->gpr[i->operand[0].reg] = v->gpr[i->operand[1].reg];
}

void i_setcc(struct vcpu *v, const struct insn *i)
{
    operand_put(v, i, 0, alu_condition(v->eflags, i->cond));
}

static void setcc_r(struct vcpu *v, const struct insn *i)
{
    reg8_set(v, i->operand[0].reg, alu_condition(v->eflags, i->cond));
}

/* ---- exchanges ---- */

void i_xchg(struct vcpu *v, const struct insn *i)
{
    unsigned n =
        operand_is_mem(i, 1) ? 1 : 0; /* memory, if any, is the place; the other is a register */
    const struct operand *r = &i->operand[1 - n];
    struct place p;
    uint32_t old = place_open(v, i, n, &p), new = reg_get(v, r->reg, r->size);

    place_put(v, &p, new);
    reg_put(v, r->reg, r->size, old);
}

static void xchg32_rr(struct vcpu *v, const struct insn *i)
{
    uint32_t a = v->gpr[i->operand[0].reg];

    v->gpr[i->operand[0].reg] = v->gpr[i->operand[1].reg];
    v->gpr[i->operand[1].reg] = a;
}

static uint32_t add_sized(uint32_t *efl, unsigned size, uint32_t a, uint32_t b)
{
    uint8_t a8 = (uint8_t)a;
    uint16_t a16 = (uint16_t)a;

    if (size == 1) {
        alu_add8(efl, &a8, (uint8_t)b);
        return a8;
    }
    if (size == 2) {
        alu_add16(efl, &a16, (uint16_t)b);
        return a16;
    }
    alu_add32(efl, &a, b);
    return a;
}

static void compare_sized(uint32_t *efl, unsigned size, uint32_t a, uint32_t b)
{
    uint8_t a8 = (uint8_t)a;
    uint16_t a16 = (uint16_t)a;

    if (size == 1)
        alu_cmp8(efl, &a8, (uint8_t)b);
    else if (size == 2)
        alu_cmp16(efl, &a16, (uint16_t)b);
    else
        alu_cmp32(efl, &a, b);
}

void i_xadd(struct vcpu *v, const struct insn *i)
{
    struct place p;
    uint32_t old = place_open(v, i, 0, &p), add = reg_get(v, i->operand[1].reg, p.size);
    uint32_t sum = add_sized(&v->eflags, p.size, old, add);

    /* The source first: with both operands the same register the sum remains. */
    reg_put(v, i->operand[1].reg, p.size, old);
    place_put(v, &p, sum);
}

void i_cmpxchg(struct vcpu *v, const struct insn *i)
{
    struct place p;
    uint32_t old = place_open(v, i, 0, &p), acc = reg_get(v, EAX, p.size);

    compare_sized(&v->eflags, p.size, acc, old);
    if (v->eflags & EFL_ZF) {
        place_put(v, &p, reg_get(v, i->operand[1].reg, p.size));
    } else {
        place_put(v, &p, old);
        reg_put(v, EAX, p.size, old);
    }
}

void i_cmpxchg8b(struct vcpu *v, const struct insn *i)
{
    struct mem_rmw m;
    uint64_t old = mem_rmw_begin64(v, i->seg, ea(v, i), &m);
    uint64_t acc = (uint64_t)v->gpr[EDX] << 32 | v->gpr[EAX];

    if (old == acc) {
        mem_rmw_commit64(v, &m, (uint64_t)v->gpr[ECX] << 32 | v->gpr[EBX]);
        v->eflags |= EFL_ZF;
    } else {
        mem_rmw_commit64(v, &m, old);
        v->gpr[EAX] = (uint32_t)old;
        v->gpr[EDX] = (uint32_t)(old >> 32);
        v->eflags &= ~EFL_ZF;
    }
}

/* ---- byte order, tables, widening ---- */

void i_bswap(struct vcpu *v, const struct insn *i)
{
    uint32_t *r = &v->gpr[i->operand[0].reg];

    /* With a 16-bit operand the result is undefined: do what the host does. */
    if (i->operand[0].size == 4)
        *r = __builtin_bswap32(*r);
    else
        __asm__(".byte 0x66, 0x0f, 0xc8" : "+a"(*r)); /* bswap ax */
}

void i_movbe(struct vcpu *v, const struct insn *i)
{
    unsigned size = i->operand[0].size;
    uint32_t val = operand_get(v, i, 1);

    operand_put(v, i, 0, size == 4 ? __builtin_bswap32(val) : __builtin_bswap16((uint16_t)val));
}

void i_xlat(struct vcpu *v, const struct insn *i)
{
    uint32_t off = ea_add(i, v->gpr[EBX], v->gpr[EAX] & 0xff);

    reg8_set(v, EAX, mem_read8(v, i->seg, off));
}

void i_cbw(struct vcpu *v, const struct insn *i)
{
    if (i->opsize == 2)
        reg16_set(v, EAX, (uint16_t)(int8_t)v->gpr[EAX]);
    else
        v->gpr[EAX] = (uint32_t)(int16_t)v->gpr[EAX];
}

void i_cwd(struct vcpu *v, const struct insn *i)
{
    if (i->opsize == 2)
        reg16_set(v, EDX, v->gpr[EAX] & 0x8000 ? 0xffff : 0);
    else
        v->gpr[EDX] = v->gpr[EAX] & 0x80000000u ? 0xffffffffu : 0;
}

/* ---- flags ---- */

void i_salc(struct vcpu *v, const struct insn *i)
{
    (void)i;
    reg8_set(v, EAX, v->eflags & EFL_CF ? 0xff : 0);
}

void i_lahf(struct vcpu *v, const struct insn *i)
{
    (void)i;
    reg8_set(v, 4, (uint8_t)((v->eflags & ALU_LAHF_BITS) | EFL_FIXED1));
}

void i_sahf(struct vcpu *v, const struct insn *i)
{
    (void)i;
    v->eflags = (v->eflags & ~ALU_LAHF_BITS) | (reg8_get(v, 4) & ALU_LAHF_BITS);
}

void i_clc(struct vcpu *v, const struct insn *i)
{
    (void)i;
    v->eflags &= ~EFL_CF;
}

void i_stc(struct vcpu *v, const struct insn *i)
{
    (void)i;
    v->eflags |= EFL_CF;
}

void i_cmc(struct vcpu *v, const struct insn *i)
{
    (void)i;
    v->eflags ^= EFL_CF;
}

void i_cld(struct vcpu *v, const struct insn *i)
{
    (void)i;
    v->eflags &= ~EFL_DF;
}

void i_std(struct vcpu *v, const struct insn *i)
{
    (void)i;
    v->eflags |= EFL_DF;
}

void i_nop(struct vcpu *v, const struct insn *i)
{
    (void)v;
    (void)i;
}

/* Memory is coherent; what remains is that CLFLUSH is checked like a byte load. */
void i_clflush(struct vcpu *v, const struct insn *i)
{
    (void)mem_read8(v, i->seg, ea(v, i));
}

insn_fn *data_select(const struct insn *i)
{
    bool wide = i->operand[0].size == 4, mem1 = operand_is_mem(i, 1);

    switch (i->op) {
    case OP_mov:
    case OP_movnti:
        return mov_pick(i);
    case OP_movzx:
    case OP_movsx:
        if (!wide || i->operand[1].size > 2)
            return NULL;
        return extend_table[i->op == OP_movsx][i->operand[1].size == 2][mem1];
    case OP_lea:
        return wide ? lea32 : NULL;
    case OP_cmovcc:
        return wide && !mem1 ? cmov32_rr : NULL;
    case OP_setcc:
        return operand_is_mem(i, 0) ? NULL : setcc_r;
    case OP_xchg:
        return wide && operand_form(i) == FORM_RR ? xchg32_rr : NULL;
    default:
        return NULL;
    }
}
