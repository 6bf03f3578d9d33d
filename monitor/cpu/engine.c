/* SPDX-License-Identifier: MIT */
/* engine.c - see engine.h. */
#include "monitor/cpu/engine.h"

#include "monitor/cpu/breakpoint.h"
#include "monitor/cpu/trace.h"

void engine_add(struct vcpu *v, const struct engine *e)
{
    for (unsigned n = 0; n < v->engine_count; n++)
        if (v->engine[n] == e)
            return;
    VMM_CHECK(v->engine_count < ENGINES);
    for (unsigned n = v->engine_count++; n; n--)
        v->engine[n] = v->engine[n - 1];
    v->engine[0] = e;
    v->needs_alarm |= e->needs_alarm;
}

const struct engine *engine_now(struct vcpu *v)
{
    unsigned n = 0;

    while (!v->engine[n]->takes(v))
        n++;
    return v->engine[n];
}

bool engine_before(struct vcpu *v, const struct engine *e)
{
    for (unsigned n = 0; v->engine[n] != e; n++)
        if (v->engine[n]->takes(v))
            return true;
    return false;
}

void engines_woken(struct vcpu *v)
{
    for (unsigned n = 0; n < v->engine_count; n++)
        if (v->engine[n]->woken)
            v->engine[n]->woken(v);
}

bool engines_host_trap(struct vcpu *v, struct host_regs *r, enum trap_kind kind, uint64_t addr)
{
    for (unsigned n = 0; n < v->engine_count; n++)
        if (v->engine[n]->host_trap && v->engine[n]->host_trap(v, r, kind, addr))
            return true;
    return false;
}

bool engines_break_in(struct vcpu *v, struct host_regs *r)
{
    for (unsigned n = 0; n < v->engine_count; n++)
        if (v->engine[n]->break_in && v->engine[n]->break_in(v, r))
            return true;
    return false;
}

bool engine_single(const struct vcpu *v)
{
    return v->shadow || (v->eflags & (EFL_TF | EFL_RF)) || breakpoint_any_insn(v) ||
           trace_wants(v->vm, TRACE_BIT(TRACE_EXEC));
}
