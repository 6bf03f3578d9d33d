/* SPDX-License-Identifier: MIT */
/* emitters.c - the table of emitters by operation (emitters.def). */
#include "bt/translate/tu.h"

bt_emit_fn *bt_emitter(unsigned op)
{
    static bt_emit_fn *const table[OP_COUNT] = {
#define EMITTER(op, fn) [OP_##op] = fn,
#include "bt/translate/emitters.def"
#undef EMITTER
    };

    return op < OP_COUNT ? table[op] : NULL;
}
