/* SPDX-License-Identifier: MIT */
/* engine.c - the translator as an engine (monitor/cpu/engine.h). */
#include "monitor/cpu/engine.h"

#include "bt/run/bt.h"
#include "bt/run/idle_prefetch.h"

static bool takes(struct vcpu *v)
{
    return !engine_single(v) && bt_usable(v);
}

const struct engine bt_engine = {.name = "translator",
                                 .takes = takes,
                                 .run = bt_run,
                                 .woken = idle_prefetch,
                                 .needs_alarm = true};
