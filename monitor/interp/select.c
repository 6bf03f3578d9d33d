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
#define OP(name, handler, emitter, traits) [OP_##name] = i_##handler,
#include "decoder/op.def"
#undef OP
};

insn_fn *interp_select(const struct insn *i)
{
    static insn_fn *(*const forms[])(const struct insn *) = {
        data_select, arith_select, stack_select, branch_select, shift_select, muldiv_select,
    };

    for (unsigned n = 0; n < ARRAY_LEN(forms); n++) {
        insn_fn *fn = forms[n](i);

        if (fn)
            return fn;
    }
    return general_table[i->op];
}
