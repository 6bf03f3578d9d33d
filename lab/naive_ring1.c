/* SPDX-License-Identifier: MIT */
/*
 * naive_ring1.c - see naive.h: the same CPU in two states. In the machine's it executes the guest's
 * code in ring 1; what faults there is executed in the guest's, in ring 0.
 */
#include <string.h>

#include "lab/naive.h"
#include "monitor/arch/segment.h"
#include "monitor/cpu/fault.h"
#include "monitor/interp/interp.h"
#include "monitor/memory/page.h"
#include "shadow-mmu/mmu.h"

#define HARD_TSS    0x30u /* the machine's task */
#define HARD_UPTIME (1ll << 40)
#define SYSTEM      ((uint32_t)(EFL_IF | EFL_IOPL))

/* What the machine and the guest each have of their own. */
struct privileged {
    struct seg seg[SEG_COUNT], ldtr, tr;
    struct table_reg gdtr, idtr;
    uint32_t cr0, cr4, system_flags;
    uint32_t dr[8];
    bool dr_armed;
    uint8_t cpl;
    uint64_t sysenter_cs;
    int64_t tsc_offset;
};

static struct {
    struct privileged hard;
    uint16_t known[SEG_COUNT]; /* the guest's selectors that the machine's were made from */
    struct seen *out;
    uint32_t at;
} now;

static struct privileged get(const struct vcpu *v)
{
    struct privileged p = {.ldtr = v->ldtr,
                           .tr = v->tr,
                           .gdtr = v->gdtr,
                           .idtr = v->idtr,
                           .cr0 = v->cr0,
                           .cr4 = v->cr4,
                           .system_flags = v->eflags & SYSTEM,
                           .dr_armed = v->dr_armed,
                           .cpl = v->cpl,
                           .sysenter_cs = v->msr.sysenter_cs,
                           .tsc_offset = v->msr.tsc_offset};

    memcpy(p.seg, v->seg, sizeof p.seg);
    memcpy(p.dr, v->dr, sizeof p.dr);
    return p;
}

static void set(struct vcpu *v, const struct privileged *p)
{
    memcpy(v->seg, p->seg, sizeof p->seg);
    memcpy(v->dr, p->dr, sizeof p->dr);
    v->ldtr = p->ldtr;
    v->tr = p->tr;
    v->gdtr = p->gdtr;
    v->idtr = p->idtr;
    v->cr0 = p->cr0;
    v->cr4 = p->cr4;
    v->eflags = (v->eflags & ~SYSTEM) | p->system_flags;
    v->dr_armed = p->dr_armed;
    v->cpl = p->cpl;
    v->msr.sysenter_cs = p->sysenter_cs;
    v->msr.tsc_offset = p->tsc_offset;
    mmu_flush_all(v); /* breakpoints: what the TLB lets pass without a look */
    vcpu_attend(v, ATT_MODE);
}

/* The machine's GDT: the guest's with DPL 1 for DPL 0, and a task of its own. */
static void make_table(struct vcpu *v)
{
    uint8_t *ram = v->vm->ram;
    struct table_reg guest = v->gdtr;

    now.hard.gdtr.limit = guest.limit < LAB_GDT_LIMIT ? guest.limit : LAB_GDT_LIMIT;
    VMM_CHECK(guest.base <= v->vm->ram_size - LAB_GDT_LIMIT - 1);
    memcpy(ram + LAB_HARD_GDT, ram + guest.base, now.hard.gdtr.limit + 1u);
    for (unsigned at = 8; at <= now.hard.gdtr.limit; at += 8) {
        uint8_t *access = ram + LAB_HARD_GDT + at + 5;
        if ((*access & 0x70) == 0x10) /* code or data, DPL 0 */
            *access |= 0x20;
    }
    memcpy(ram + LAB_HARD_GDT + HARD_TSS, ram + LAB_GDT + LAB_SEL_TSS, 8);
    vm_ram_written(v->vm, LAB_HARD_GDT, LAB_GDT_LIMIT + 1);
}

/* The machine's table and registers follow the guest's: each selector that the guest's virtual
 * registers got since, and the others as they are loaded again. */
static void follow(struct vcpu *v)
{
    struct table_reg guest = v->gdtr;

    make_table(v);
    v->gdtr = now.hard.gdtr;
    for (unsigned n = 0; n < SEG_COUNT; n++) {
        struct seg *s = &now.hard.seg[n];
        struct descriptor d;
        if (v->seg[n].sel != now.known[n])
            s->sel =
                (uint16_t)((v->seg[n].sel & 3) || sel_is_null(v->seg[n].sel) ? v->seg[n].sel
                                                                             : v->seg[n].sel | 1);
        now.known[n] = v->seg[n].sel;
        if (!sel_is_null(s->sel) && descriptor_fetch(v, s->sel, &d))
            seg_from_descriptor(s, s->sel, d);
    }
    v->gdtr = guest;
}

static void step(struct vcpu *v, void *unused)
{
    (void)unused;
    interp_step(v);
}

static bool takes(struct vcpu *v)
{
    return v->cr0 & CR0_PE;
}

static void run(struct vcpu *v)
{
    struct privileged guest = get(v);
    struct fault f;
    uint32_t eip = v->eip;

    if (v->cpl) {
        interp_step(v);
        return;
    }
    for (unsigned n = 0; n < SEG_COUNT; n++)
        if (v->seg[n].sel != now.known[n])
            follow(v);
    set(v, &now.hard);
    bool trapped = fault_catch(v, step, NULL, &f);
    now.hard = get(v);
    set(v, &guest);
    if (!trapped)
        return;
    if (eip == now.at) {
        now.out->trapped = true;
        now.out->trap = f.vector;
    }
    v->next_eip = v->eip = eip;
    interp_step(v);
    follow(v);
}

static const struct engine engine = {.name = "naive, ring 1", .takes = takes, .run = run};

int naive_ring1_start(struct micro *m, const struct program *p, struct seen *out)
{
    struct vcpu *v = m->machine.vcpu;

    now.hard = get(v);
    now.hard.cpl = 1;
    now.hard.system_flags = EFL_IF;
    now.hard.gdtr = (struct table_reg){.base = LAB_HARD_GDT, .limit = LAB_GDT_LIMIT};
    now.hard.idtr = (struct table_reg){.base = LAB_HARD_GDT + 0x400}; /* every vector traps */
    now.hard.tr.sel = HARD_TSS;
    seg_set_null(&now.hard.ldtr, 0);
    now.hard.sysenter_cs = 0;
    now.hard.tsc_offset += HARD_UPTIME;
    now.out = out;
    now.at = LAB_CODE + (uint32_t)(p->at - p->code);
    follow(v);
    engine_add(v, &engine);
    return 0;
}
