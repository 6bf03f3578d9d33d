/* SPDX-License-Identifier: MIT */
/*
 * operand.c - reads and writes explicit operands by kind and size.
 *
 * Promises   A value is fully read, or an exception was raised, before the caller changes
 *            anything.
 * Not here   Effective addresses (handler.h: ea()), segment checks (shadow-mmu/access.h).
 * Source     SDM vol. 1, section 3.7; vol. 2A, chapter 2.
 */
#include "monitor/interp/operand.h"

enum insn_form operand_form(const struct insn *i)
{
    unsigned dst = i->operand[0].kind, src = i->operand[1].kind;

    if (dst == OPK_GPR && src == OPK_GPR)
        return FORM_RR;
    if (dst == OPK_GPR && src == OPK_IMM)
        return FORM_RI;
    if (dst == OPK_GPR && src == OPK_MEM)
        return FORM_RM;
    if (dst == OPK_MEM && src == OPK_GPR)
        return FORM_MR;
    if (dst == OPK_MEM && src == OPK_IMM)
        return FORM_MI;
    return FORM_COUNT;
}

uint32_t reg_get(const struct vcpu *v, unsigned r, unsigned size)
{
    if (size == 4)
        return v->gpr[r];
    return size == 2 ? reg16_get(v, r) : reg8_get(v, r);
}

void reg_put(struct vcpu *v, unsigned r, unsigned size, uint32_t val)
{
    if (size == 4)
        v->gpr[r] = val;
    else if (size == 2)
        reg16_set(v, r, (uint16_t)val);
    else
        reg8_set(v, r, (uint8_t)val);
}

uint32_t operand_get(struct vcpu *v, const struct insn *i, unsigned n)
{
    const struct operand *o = &i->operand[n];

    switch (o->kind) {
    case OPK_GPR:
        return reg_get(v, o->reg, o->size);
    case OPK_MEM:
        return mem_read(v, i->seg, ea(v, i), o->size);
    default:
        VMM_CHECK(o->kind == OPK_IMM);
        if (o->size == 1)
            return (uint8_t)i->imm;
        return o->size == 2 ? (uint16_t)i->imm : i->imm;
    }
}

void operand_put(struct vcpu *v, const struct insn *i, unsigned n, uint32_t val)
{
    const struct operand *o = &i->operand[n];

    if (o->kind == OPK_MEM) {
        mem_write(v, i->seg, ea(v, i), o->size, val);
    } else {
        VMM_CHECK(o->kind == OPK_GPR);
        reg_put(v, o->reg, o->size, val);
    }
}

uint32_t place_open(struct vcpu *v, const struct insn *i, unsigned n, struct place *p)
{
    const struct operand *o = &i->operand[n];

    p->is_mem = o->kind == OPK_MEM;
    p->reg = o->reg;
    p->size = o->size;
    if (p->is_mem)
        return mem_rmw_begin(v, i->seg, ea(v, i), p->size, &p->rmw);
    return reg_get(v, p->reg, p->size);
}

void place_put(struct vcpu *v, const struct place *p, uint32_t val)
{
    if (p->is_mem)
        mem_rmw_commit(v, &p->rmw, val);
    else
        reg_put(v, p->reg, p->size, val);
}

uint16_t operand_get16(struct vcpu *v, const struct insn *i, unsigned n)
{
    if (operand_is_mem(i, n))
        return mem_read16(v, i->seg, ea(v, i));
    return reg16_get(v, i->operand[n].reg);
}

void operand_put_word(struct vcpu *v, const struct insn *i, unsigned n, uint16_t val)
{
    if (operand_is_mem(i, n))
        mem_write16(v, i->seg, ea(v, i), val);
    else if (i->operand[n].size == 4)
        v->gpr[i->operand[n].reg] = val;
    else
        reg16_set(v, i->operand[n].reg, val);
}
