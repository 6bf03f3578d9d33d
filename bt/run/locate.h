/* SPDX-License-Identifier: MIT */
/*
 * locate.h - what lies where in the code arena, for crash reports and statistics.
 *
 * Promises   Reads tables only, and changes nothing.
 */
#ifndef RING1_BT_RUN_LOCATE_H
#define RING1_BT_RUN_LOCATE_H

#include "monitor/cpu/engine.h"
#include "monitor/cpu/vcpu.h"

/* What lies at a position of the code arena, for crash reports. */
struct bt_place {
    uint32_t offset;                 /* in the arena */
    bool stub;                       /* one of the fixed routines: the rest is not set */
    bool block, site;                /* is the block known, and the guest instruction? */
    gla_t block_gla;                 /* its first guest instruction */
    uint32_t block_ctx;              /* bt/cache/context.h */
    uint32_t block_entry, block_end; /* arena offsets */
    gla_t eip;                       /* if `site`: the guest instruction, */
    unsigned index;                  /* and its number in the block */
};

/* Is rip inside the code arena (of generated code, executable view)? */
bool bt_owns(const struct vcpu *v, uint64_t rip);

/* Bytes of the code arena that hold code. */
size_t bt_cache_used(const struct vcpu *v);

/* Fills *out when bt_owns(v, rip). Async-signal-safe. */
bool bt_locate(const struct vcpu *v, uint64_t rip, struct bt_place *out);

/* What the translator says of a bug of ours: see report() of struct engine. */
void bt_report(const struct vcpu *v, uint64_t rip, struct engine_report *out);

#endif
