/* SPDX-License-Identifier: MIT */
/* engine.c - see engine.h. */
#include "monitor/cpu/engine.h"

#include <stdarg.h>

#include "include/ring1/fmt.h"
#include "monitor/cpu/breakpoint.h"
#include "monitor/cpu/trace.h"

#define LINE_END 2u /* \r\n */

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

void engines_report(const struct vcpu *v, uint64_t rip, struct engine_report *out)
{
    out->len = 0;
    out->text[0] = 0;
    out->monitor_stack = 0;
    for (unsigned n = 0; n < v->engine_count; n++)
        if (v->engine[n]->report)
            v->engine[n]->report(v, rip, out);
}

void engine_say(struct engine_report *out, const char *fmt, ...)
{
    size_t room = sizeof out->text - out->len;
    va_list ap;

    if (room <= LINE_END)
        return;
    va_start(ap, fmt);
    out->len += fmt_vline(out->text + out->len, room - LINE_END, fmt, ap);
    va_end(ap);
    out->text[out->len++] = '\r';
    out->text[out->len++] = '\n';
    out->text[out->len] = 0;
}

bool engine_single(const struct vcpu *v)
{
    return v->shadow || (v->eflags & (EFL_TF | EFL_RF)) || breakpoint_any_insn(v) ||
           trace_wants(v->vm, TRACE_BIT(TRACE_EXEC));
}
