/* SPDX-License-Identifier: MIT */
/* engine.c - the interpreter as an engine (monitor/cpu/engine.h), and single instructions. */
#include "monitor/cpu/engine.h"

#include "monitor/cpu/breakpoint.h"
#include "monitor/cpu/fault.h"
#include "monitor/cpu/trace.h"
#include "monitor/interp/interp.h"

void interp_single(struct vcpu *v)
{
    uint32_t before = v->eflags;

    if (v->dr_armed)
        breakpoint_check_insn(v, v->seg[SEG_CS].base + v->eip);
    if (trace_wants(v->vm, TRACE_BIT(TRACE_EXEC)))
        trace_exec(v, interp_peek(v));
    interp_step(v);
    /* RF protects one instruction: what the instruction loaded is for the next, and a REP string
     * that is not done yet keeps it (SDM vol. 3B, section 18.3.1.1). */
    if ((before & EFL_RF) && !(v->outcome & (DID_RF | DID_PART))) {
        v->eflags &= ~EFL_RF;
        v->rf_lent = false;
    }
    /* Delivery cleared TF before the trap was due (SDM vol. 3A, section 6.12.1.3). */
    if ((before & EFL_TF) && !(v->outcome & DID_EVENT))
        v->dr6_pending |= DR6_BS;
    if (v->dr6_pending)
        vcpu_attend(v, ATT_TRAP);
}

static bool takes(struct vcpu *v)
{
    (void)v;
    return true;
}

static void run(struct vcpu *v)
{
    if (engine_single(v))
        interp_single(v);
    else
        interp_run(v, INTERP_BUDGET);
}

const struct engine interp_engine = {.name = "interpreter", .takes = takes, .run = run};
