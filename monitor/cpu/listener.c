/* SPDX-License-Identifier: MIT */
/* listener.c - see listener.h. */
#include "monitor/cpu/listener.h"

#include "monitor/cpu/trace.h"

void mmu_listen(struct vcpu *v, const struct mmu_listener *l)
{
    for (unsigned n = 0; n < v->listener_count; n++)
        if (v->listener[n] == l)
            return;
    VMM_CHECK(v->listener_count < MMU_LISTENERS);
    v->listener[v->listener_count++] = l;
}

static __attribute__((cold)) void trace_flush(const struct vcpu *v, enum flush_kind kind, gla_t gla)
{
    uint16_t cs = v->seg[SEG_CS].sel;

    if (kind == FLUSH_ALL || kind == FLUSH_NONGLOBAL)
        trace_line(v->vm, TRACE_MMU, "flush %s at 0x%04x:0x%08x",
                   kind == FLUSH_ALL ? "all" : "all but global", cs, v->eip);
    else
        trace_line(v->vm, TRACE_MMU, "flush page 0x%08x at 0x%04x:0x%08x",
                   gla & ~(gla_t)GUEST_PAGE_MASK, cs, v->eip);
}

void mmu_flush(struct vcpu *v, enum flush_kind kind, gla_t gla)
{
    if (trace_wants(v->vm, TRACE_BIT(TRACE_MMU)))
        trace_flush(v, kind, gla);
    v->fetch_generation++;
    v->stats.costly_events++;
    v->flushes_all += kind == FLUSH_ALL;
    v->flushes_nonglobal += kind == FLUSH_NONGLOBAL;
    v->stats.tlb_flushes += kind == FLUSH_ALL || kind == FLUSH_NONGLOBAL;
    for (unsigned n = 0; n < v->listener_count; n++)
        if (v->listener[n]->flushed)
            v->listener[n]->flushed(v, kind, gla);
}

void mmu_flush_all(struct vcpu *v)
{
    mmu_flush(v, FLUSH_ALL, 0);
}

void mmu_flush_nonglobal(struct vcpu *v)
{
    mmu_flush(v, FLUSH_NONGLOBAL, 0);
}

void mmu_flush_gpa(struct vm *vm, gpa_t gpa)
{
    gpa_t page = gpa & ~(gpa_t)GUEST_PAGE_MASK;

    for (unsigned c = 0; c < vm->cpu_count; c++) {
        struct vcpu *v = vm->cpu[c];

        for (unsigned n = 0; n < v->listener_count; n++)
            if (v->listener[n]->page_changed)
                v->listener[n]->page_changed(v, page);
    }
}

void mmu_memory_changed(struct vm *vm, gpa_t gpa, uint64_t len)
{
    for (unsigned c = 0; c < vm->cpu_count; c++) {
        struct vcpu *v = vm->cpu[c];

        v->fetch_generation++;
        for (unsigned n = 0; n < v->listener_count; n++)
            if (v->listener[n]->memory_changed)
                v->listener[n]->memory_changed(v, gpa, len);
    }
}
