/* SPDX-License-Identifier: MIT */
/* micro.c - see micro.h. */
#include "boot/micro.h"

#include "include/ring1/mem.h"
#include "monitor/arch/segment.h"
#include "monitor/cpu/vcpu.h"
#include "shadow-mmu/mmu.h"

#define GUESTS_MAX 4096u

const struct micro_head *micro_find(const void *bytes, size_t size)
{
    const struct micro_head *h = bytes;

    if (size < sizeof *h || h->magic != MICRO_MAGIC || h->count > GUESTS_MAX ||
        (size - sizeof *h) / sizeof(struct micro_guest) < h->count)
        return NULL;
    return h;
}

static bool set_segment(struct vcpu *v, struct seg *s, uint32_t sel)
{
    struct descriptor d;

    if (!descriptor_fetch(v, (uint16_t)sel, &d))
        return false;
    seg_from_descriptor(s, (uint16_t)sel, d);
    return true;
}

bool micro_enter(struct vcpu *v, const struct micro_state *s, uint32_t esi)
{
    bool ok = true;

    v->halted = false;
    v->cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE;
    v->cr4 = 0;
    v->eflags = EFL_FIXED1;
    v->gdtr = (struct table_reg){.base = s->gdt_base, .limit = (uint16_t)s->gdt_limit};
    v->idtr = (struct table_reg){.base = s->idt_base, .limit = (uint16_t)s->idt_limit};
    v->cpl = 0;
    memset(v->gpr, 0, sizeof v->gpr);
    v->gpr[ESP] = s->esp;
    v->gpr[ESI] = esi;
    v->eip = v->next_eip = s->eip;
    v->msr.sysenter_cs = s->code;
    v->msr.sysenter_esp = s->sysenter_esp;
    v->msr.sysenter_eip = s->sysenter_eip;
    for (unsigned n = 0; n < SEG_COUNT; n++)
        ok = set_segment(v, &v->seg[n], n == SEG_CS ? s->code : s->data) && ok;
    ok = set_segment(v, &v->tr, s->tss) && set_segment(v, &v->ldtr, s->ldt) && ok;
    mmu_flush_all(v);
    vcpu_attend(v, ATT_MODE);
    return ok;
}
