/* SPDX-License-Identifier: MIT */
/*
 * select.c - from a decoded record to the function that executes it.
 *
 * Promises   Called once per decoded instruction, so it may look at everything; what it returns
 *            needs to look at nothing that the record already decided.
 */
#include "monitor/interp/forms.h"

static insn_fn *const general_table[OP_COUNT] = {
    [OP_INVALID] = i_ud,
#define OP(name, handler) [OP_##name] = i_##handler,
#include "decoder/op.def"
#undef OP
};

insn_fn *interp_select(const struct insn *i)
{
    insn_fn *fn = NULL;

    switch (i->op) {
    case OP_mov:
    case OP_movnti:
    case OP_movzx:
    case OP_movsx:
    case OP_lea:
    case OP_cmovcc:
    case OP_setcc:
    case OP_xchg:
        fn = data_select(i);
        break;
    case OP_push:
    case OP_pop:
    case OP_leave:
        fn = stack_select(i);
        break;
    case OP_jcc:
    case OP_jmp:
    case OP_call:
    case OP_ret:
        fn = branch_select(i);
        break;
    case OP_imul2:
    case OP_imul3:
        fn = muldiv_select(i);
        break;
    default:
        fn = arith_select(i);
        if (!fn)
            fn = shift_select(i);
        break;
    }
    return fn ? fn : general_table[i->op];
}
