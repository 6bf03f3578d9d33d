/* SPDX-License-Identifier: MIT */
/* fault.c - see fault.h. */
#include "monitor/cpu/fault.h"

#include "include/ring1/mem.h"
#include "monitor/cpu/trace.h"
#include "monitor/cpu/unwind.h"

void fault_raise(struct vcpu *v, unsigned vector, uint32_t error)
{
    VMM_CHECK(v->unwind[UNWIND_RIP] != 0);
    unwind_jump(v->unwind, (uint64_t)error << 32 | 0x100u | vector);
}

void fault_pf(struct vcpu *v, gla_t gla, uint32_t error)
{
    v->cr2 = gla;
    if (trace_wants(v->vm, TRACE_BIT(TRACE_MMU)))
        trace_line(v->vm, TRACE_MMU, "page fault at 0x%08x error 0x%x (%s, %s%s) by 0x%04x:0x%08x",
                   gla, error,
                   error & 16  ? "fetch"
                   : error & 2 ? "write"
                               : "read",
                   error & 8   ? "reserved bit"
                   : error & 1 ? "rights"
                               : "not present",
                   error & 4 ? ", user" : "", v->seg[SEG_CS].sel, v->eip);
    fault_raise(v, VEC_PF, error);
}

bool fault_catch(struct vcpu *v, void (*fn)(struct vcpu *, void *), void *arg, struct fault *f)
{
    uint64_t outer[UNWIND_WORDS];

    memcpy(outer, v->unwind, sizeof outer);
    uint64_t raised = unwind_save(v->unwind);
    if (raised == 0)
        fn(v, arg);
    memcpy(v->unwind, outer, sizeof outer);
    if (raised == 0)
        return false;
    f->vector = (uint8_t)raised;
    f->error = (uint32_t)(raised >> 32);
    return true;
}
