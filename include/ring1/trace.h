/* SPDX-License-Identifier: MIT */
/*
 * trace.h - the trace stages as numbers: bit n of vmm_host.trace_mask and the `stage` of
 *           vmm_host.trace().
 *
 * Promises   TRACE_<ID> counts up in the order of trace.def; the host's names come from the same
 *            rows.
 * Not here   Choosing stages (cli), printing lines (host).
 */
#ifndef RING1_TRACE_H
#define RING1_TRACE_H

enum trace_stage {
#define TRACE(id, name, text) TRACE_##id,
#include "include/ring1/trace.def"
#undef TRACE
    TRACE_COUNT
};

#define TRACE_BIT(stage) (1u << (stage))

#endif
