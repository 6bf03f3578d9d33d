/* SPDX-License-Identifier: MIT */
/*
 * dump.h - what the translator made, as lines of the trace stages `bt` and `emit`
 * (docs/tracing.md).
 *
 * Promises   Changes nothing of the guest; costs one predictable test while both stages are off.
 */
#ifndef RING1_BT_TRANSLATE_DUMP_H
#define RING1_BT_TRANSLATE_DUMP_H

#include "bt/cache/cache.h"
#include "monitor/cpu/trace.h"

#define BT_TRACE_STAGES (TRACE_BIT(TRACE_BT) | TRACE_BIT(TRACE_EMIT))

/* Traces the lines of block *b; parks the guest's FPU. */
void bt_dump_block(struct vcpu *v, const struct bt_block *b) __attribute__((cold));

/* Call it after cache_block_insert(). */
static inline void bt_trace_block(struct vcpu *v, const struct bt_block *b)
{
    if (trace_wants(v->vm, BT_TRACE_STAGES))
        bt_dump_block(v, b);
}

#endif
