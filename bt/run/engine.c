/* SPDX-License-Identifier: MIT */
/* engine.c - the translator as an engine (monitor/cpu/engine.h). */
#include "monitor/cpu/engine.h"

#include "bt/run/bt.h"
#include "bt/run/idle_prefetch.h"
#include "bt/run/locate.h"
#include "bt/run/trap.h"

static bool takes(struct vcpu *v)
{
    return !engine_single(v) && bt_usable(v);
}

static bool host_trap(struct vcpu *v, struct host_regs *r, enum trap_kind kind, uint64_t addr)
{
    return kind == TRAP_STEP ? bt_single_step(v, r) : bt_host_trap(v, r, kind, addr);
}

const struct engine bt_engine = {.name = "translator",
                                 .takes = takes,
                                 .run = bt_run,
                                 .woken = idle_prefetch,
                                 .needs_alarm = true,
                                 .host_trap = host_trap,
                                 .break_in = bt_break_in,
                                 .report = bt_report};
