/* SPDX-License-Identifier: MIT */
/* native_unit.c - the memory operand of a unit's instruction: native_judge.h. */
#include "tests/bt/native_judge.h"

const struct operand *unit_memory(const struct unit *u)
{
    for (unsigned k = 0; u->have_insn && k < u->i.nops && k < 4; k++)
        if (u->i.operand[k].kind == OPK_MEM)
            return &u->i.operand[k];
    return NULL;
}

/* How far from its operand BT and its like go for the bit that a register names. */
static uint32_t bit_offset(const struct unit *u)
{
    const struct insn *i = &u->i;
    bool bits = i->op == OP_bt || i->op == OP_bts || i->op == OP_btr || i->op == OP_btc;

    if (!bits || i->operand[1].kind != OPK_GPR)
        return 0;
    uint32_t bit = u->before->s.gpr[i->operand[1].reg];
    return i->opsize == 2 ? (uint32_t)((int16_t)bit >> 4) * 2 : (uint32_t)((int32_t)bit >> 5) * 4;
}

uint32_t unit_offset(const struct unit *u)
{
    const struct insn *i = &u->i;
    uint32_t at = (uint32_t)i->disp + bit_offset(u);

    at += i->base != INSN_NO_REG ? u->before->s.gpr[i->base] : 0;
    at += i->index != INSN_NO_REG ? u->before->s.gpr[i->index] << i->scale : 0;
    return i->addr_size == 2 ? at & 0xffff : at;
}

uint32_t unit_address(const struct unit *u)
{
    return u->before->base[u->i.seg] + unit_offset(u);
}
