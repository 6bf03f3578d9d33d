/* SPDX-License-Identifier: MIT */
/*
 * naive.c - see lab.h: a monitor by trap-and-emulate alone, on the real CPU. The holes are the
 * point: what does not trap reads and writes the machine's state, not the guest's.
 */
#include "host/metal/lab.h"
#include "include/ring1/bytes.h"
#include "include/ring1/direct.h"
#include "include/ring1/mem.h"
#include "monitor/arch/segment.h"
#include "monitor/cpu/engine.h"
#include "monitor/cpu/fpu.h"
#include "monitor/cpu/vcpu.h"
#include "monitor/interp/interp.h"
#include "monitor/memory/page.h"
#include "shadow-mmu/access.h"
#include "shadow-mmu/mmu.h"
#include "shadow-mmu/window.h"

#define TABLE       16u /* descriptors that the machine's GDT has of the guest's */
#define DPL1        (1ull << 45)
#define DPL_BITS    (3ull << 45)
#define S_BIT       (1ull << 44)
#define ERROR_WRITE 2u
#define ERROR_FETCH 16u
#define OWN_FLAGS   (EFL_ARITH | EFL_DF | EFL_TF | EFL_NT | EFL_AC | EFL_ID)

static struct {
    struct direct_regs regs;   /* the machine's */
    uint16_t known[SEG_COUNT]; /* the guest's selectors that the machine's were made from */
    uint64_t table[TABLE];
    struct naive_seen *seen;
} now;

/* The machine's table: the guest's with DPL 1 for DPL 0. */
static void make_table(struct vcpu *v)
{
    uint32_t len;

    memset(now.table, 0, sizeof now.table);
    for (unsigned n = 1; n < TABLE && n * 8 + 7 <= v->gdtr.limit; n++) {
        const uint8_t *p = lin_run(v, v->gdtr.base + n * 8, 0, &len);
        if (!p || len < 8)
            continue;
        now.table[n] = get_le64(p);
        if ((now.table[n] & S_BIT) && !(now.table[n] & DPL_BITS))
            now.table[n] |= DPL1;
    }
}

/* The selectors that the guest's virtual registers got since go into the machine's; all are loaded
 * again from the table, as whoever comes back from a trap loads them. */
static void follow(struct vcpu *v)
{
    make_table(v);
    for (unsigned n = 0; n < SEG_COUNT; n++) {
        uint16_t sel = v->seg[n].sel;
        if (sel != now.known[n])
            now.regs.sel[n] = (sel & 3) || sel_is_null(sel) ? sel : (uint16_t)(sel | 1);
        now.known[n] = sel;
        sel = now.regs.sel[n];
        now.regs.desc[n] = !(sel & 4) && sel >> 3 < TABLE ? now.table[sel >> 3] : 0;
    }
    now.regs.table = now.table;
    now.regs.table_count = TABLE;
}

/* Any page may be executed: nobody looks at it first. */
static bool allow(struct vcpu *v, gla_t gla)
{
    gpa_t page;

    if (!lin_fetch_page(v, gla, &page) || page >= v->vm->ram_size)
        return false;
    page_mark(v->vm, page, PAGE_DIRECT);
    return window_fill(v, gla, MMU_EXEC);
}

static unsigned enter(struct vcpu *v)
{
    struct direct_regs *r = &now.regs;

    memcpy(r->gpr, v->gpr, sizeof r->gpr);
    r->eip = v->eip;
    r->eflags = v->eflags;
    r->window = v->bt.window[0];
    r->cpl = 1;
    fpu_park(v);
    fpu_unpark(v);
    unsigned why = v->host->direct_run(v->host->opaque, r);
    fpu_park(v);
    memcpy(v->gpr, r->gpr, sizeof r->gpr);
    v->eip = v->next_eip = r->eip;
    v->eflags = (v->eflags & ~(uint32_t)OWN_FLAGS) | (r->eflags & OWN_FLAGS);
    return why;
}

/* Was it a hidden page fault, which is no business of the guest's? */
static bool hidden(struct vcpu *v, unsigned why)
{
    const struct direct_regs *r = &now.regs;

    if (why != VEC_PF)
        return false;
    return r->error & ERROR_FETCH
               ? allow(v, r->addr)
               : window_fill(v, r->addr, r->error & ERROR_WRITE ? MMU_WRITE : MMU_READ);
}

static void run(struct vcpu *v)
{
    struct naive_seen *s = now.seen;

    if (v->cpl || !window_usable(v)) {
        interp_step(v);
        return;
    }
    follow(v);
    unsigned why = enter(v);
    if (why == DIRECT_ASKED || hidden(v, why))
        return;
    if (why == VEC_DB && !(now.regs.addr & DR6_BS))
        v->next_eip = --v->eip; /* INT1: a trap, which comes behind it */
    s->traps++;
    if (v->eip == s->at) {
        s->trapped = true;
        s->trap = (uint8_t)why;
    }
    interp_step(v);
}

static bool takes(struct vcpu *v)
{
    return now.seen && (v->cr0 & CR0_PE);
}

static const struct engine engine = {
    .name = "naive, ring 1", .takes = takes, .run = run, .needs_alarm = true};

static void written(void *self, gpa_t page, unsigned first, unsigned last)
{
    struct vcpu *v = self;

    (void)first, (void)last;
    mmu_flush_gpa(v->vm, page);
    page_unmark(v->vm, page, PAGE_DIRECT);
}

static bool holds(void *self, gpa_t page)
{
    (void)self, (void)page;
    return false;
}

void naive_start(struct vcpu *v, struct naive_seen *seen)
{
    static const struct page_watcher watcher = {
        .mark = PAGE_DIRECT, .written = written, .holds = holds};

    if (!now.seen) {
        page_watch(v->vm, &watcher, v);
        engine_add(v, &engine);
    }
    now.seen = seen;
    memset(now.known, 0, sizeof now.known);
    memset(&now.regs, 0, sizeof now.regs);
}
