/* SPDX-License-Identifier: MIT */
/* insn.c - see insn.h: what follows from a record alone; the names of operations and classes. */
#include "decoder/insn.h"

bool insn_names(const struct insn *i, unsigned kind)
{
    for (unsigned n = 0; n < i->nops; n++)
        if (i->operand[n].kind == kind)
            return true;
    return false;
}

const struct operand *insn_memory(const struct insn *i)
{
    for (unsigned n = 0; n < i->nops; n++)
        if (i->operand[n].kind == OPK_MEM)
            return &i->operand[n];
    return NULL;
}

bool insn_wants_alignment(const struct insn *i)
{
    const struct operand *o = insn_memory(i);

    return o && o->size == 16 && !(i->traits & (T_X87 | T_UNALIGNED));
}

const struct operand *insn_operand_at(const struct insn *i, unsigned place)
{
    for (unsigned n = 0; n < i->nops; n++)
        if (i->operand[n].place == place)
            return &i->operand[n];
    return NULL;
}

bool insn_adds_constant(const struct insn *i, unsigned *reg, uint32_t *by)
{
    if (i->opsize != 4 || i->nops == 0 || i->operand[0].kind != OPK_GPR)
        return false;
    *reg = i->operand[0].reg;
    switch (i->op) {
    case OP_inc:
        *by = 1;
        return true;
    case OP_dec:
        *by = -1u;
        return true;
    case OP_lea:
        *by = (uint32_t)i->disp;
        return i->addr_size == 4 && i->base == *reg && i->index == INSN_NO_REG;
    case OP_add:
        *by = i->imm;
        return i->operand[1].kind == OPK_IMM;
    case OP_sub:
        *by = -i->imm;
        return i->operand[1].kind == OPK_IMM;
    default:
        return false;
    }
}

const char *insn_op_name(unsigned op)
{
    static const char *const names[OP_COUNT] = {
        "(invalid)",
#define OP(name, handler, emitter, traits) #name,
#include "decoder/op.def"
#undef OP
    };

    return op < OP_COUNT ? names[op] : names[OP_INVALID];
}

const char *insn_class_name(unsigned cls)
{
    static const char *const names[] = {
        [CLS_IDENTICAL] = "IDENTICAL", [CLS_MEMORY] = "MEMORY",
        [CLS_STACK] = "STACK",         [CLS_INVALID64] = "INVALID64",
        [CLS_CONTROL] = "CONTROL",     [CLS_PRIVILEGED] = "PRIVILEGED",
        [CLS_IOPL] = "IOPL",           [CLS_SENSITIVE] = "SENSITIVE",
    };

    return cls < ARRAY_LEN(names) ? names[cls] : "(invalid)";
}
