/* SPDX-License-Identifier: MIT */
/* options.h - the knobs of the translator. */
#ifndef RING1_BT_CACHE_OPTIONS_H
#define RING1_BT_CACHE_OPTIONS_H

#include "include/ring1/types.h"

#define BT_MAX_INSNS 64u /* of a block, if no knob says less */

/* Knobs for tests and measurements; zero is the default for all. */
struct bt_options {
    bool no_chain;          /* every block returns to the dispatcher */
    bool no_return_stack;   /* RET always looks its target up */
    uint16_t max_insns;     /* guest instructions in a block; 0: BT_MAX_INSNS */
    uint16_t heat;          /* interpret a block this often before it is translated */
    bool split_at_branches; /* blocks end at every control transfer */
    /* Every direct branch leaves by a slot, which tells how many instructions of the block ran: for
     * bt_run_block(). With no_chain and no_return_stack only. */
    bool count_exits;
    bool soft_only;        /* never use windows */
    bool no_bmi2;          /* as on a host without BMI2 */
    bool no_gs;            /* windows without the GS base */
    bool no_idle_prefetch; /* bt/run/idle_prefetch.h does nothing */
    bool no_aliased;       /* code that is translated at another address counts as any other */
};

#endif
