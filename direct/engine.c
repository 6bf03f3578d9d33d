/* SPDX-License-Identifier: MIT */
/* engine.c - direct execution as an engine; see direct.h. */
#include "direct/direct_priv.h"
#include "include/ring1/mem.h"
#include "monitor/cpu/breakpoint.h"
#include "monitor/cpu/fpu.h"
#include "monitor/cpu/fpu_image.h"
#include "monitor/interp/interp.h"
#include "monitor/memory/page.h"
#include "shadow-mmu/access.h"
#include "shadow-mmu/window.h"

#define ERROR_WRITE     2u
#define ERROR_FETCH     16u
#define OPCODE_INT1_LEN 1u
/* The flags that direct code has as the guest sees them. */
#define OWN_FLAGS (EFL_ARITH | EFL_DF | EFL_TF | EFL_NT | EFL_AC | EFL_ID)

static struct direct *direct_of(const struct vcpu *v)
{
    return v->direct;
}

size_t direct_size(uint64_t ram_size)
{
    return sizeof(struct direct) + (ram_size >> GUEST_PAGE_SHIFT);
}

/* ---- pages ---- */

static void revoke(struct vcpu *v, struct direct *d, gpa_t page)
{
    const struct vmm_host *h = v->vm->host;

    for (unsigned n = 0; n < d->grant_count;) {
        struct grant *g = &d->grant[n];
        if (page != UINT64_MAX && g->page != page) {
            n++;
            continue;
        }
        h->direct_allow(h->opaque, g->window, g->gla, false);
        *g = d->grant[--d->grant_count];
    }
}

static void written(void *self, gpa_t page, unsigned first, unsigned last)
{
    struct vcpu *v = self;
    struct direct *d = direct_of(v);
    uint8_t *p = &d->page[page >> GUEST_PAGE_SHIFT];

    (void)first, (void)last;
    if ((*p & PAGE_STATE_BITS) == PAGE_CLEAN) {
        revoke(v, d, page);
        if (*p < PAGE_CHURN_MOST)
            *p += PAGE_CHURN_ONE;
    }
    *p &= (uint8_t)~PAGE_STATE_BITS;
    d->generation++;
    page_unmark(v->vm, page, PAGE_DIRECT);
}

static bool holds(void *self, gpa_t page)
{
    const struct vcpu *v = self;

    return direct_of(v)->page[page >> GUEST_PAGE_SHIFT] & PAGE_STATE_BITS;
}

/* May the page, which holds these bytes, be executed? */
static bool page_clean(struct vcpu *v, struct direct *d, gpa_t page, const uint8_t *bytes,
                       unsigned entry)
{
    uint8_t *p = &d->page[page >> GUEST_PAGE_SHIFT];

    if ((*p & ~PAGE_STATE_BITS) >= PAGE_CHURN_MANY)
        return false;
    if (!(*p & PAGE_STATE_BITS)) {
        bool clean = scan_page(v, d, bytes, entry);
        *p |= clean ? PAGE_CLEAN : PAGE_UNCLEAN;
        page_mark(v->vm, page, PAGE_DIRECT);
        v->stats.direct_scans++;
        v->stats.direct_unclean += !clean;
    }
    return (*p & PAGE_STATE_BITS) == PAGE_CLEAN;
}

/* The place is known to be one that the translator takes: ask no more until memory changes. */
static uint32_t *refusal_of(struct direct *d, gla_t gla)
{
    return &d->refused[gla >> GUEST_PAGE_SHIFT & (REFUSALS - 1)];
}

static uint32_t refusal_word(const struct vcpu *v, const struct direct *d, gla_t gla)
{
    return (gla & ~GUEST_PAGE_MASK) | ((d->generation + v->fetch_generation) & GUEST_PAGE_MASK);
}

static void refuse(struct vcpu *v, struct direct *d, gla_t gla)
{
    *refusal_of(d, gla) = refusal_word(v, d, gla);
    v->stats.direct_refused++;
}

/* Code at gla was to be fetched and may not be executed there yet. False: the translator takes it.
 * */
static bool allow_fetch(struct vcpu *v, struct direct *d, gla_t gla)
{
    const struct vmm_host *h = v->vm->host;
    gla_t at = gla & ~GUEST_PAGE_MASK;
    gpa_t page;
    const uint8_t *bytes = lin_fetch_page(v, gla, &page); /* raises what a fetch raises */

    if (!bytes || !page_clean(v, d, page, bytes, gla & GUEST_PAGE_MASK) ||
        !window_fill(v, at, false))
        return false;
    if (d->grant_count == GRANTS)
        revoke(v, d, UINT64_MAX);
    uint8_t window = (uint8_t)window_user(v);
    d->grant[d->grant_count++] = (struct grant){.page = page, .gla = at, .window = window};
    return h->direct_allow(h->opaque, window, at, true) == 0;
}

/* ---- the state ---- */

/* Does the guest's CPU look like the host's at CPL 3? */
static bool state_fits(const struct vcpu *v)
{
    if (v->cpl != 3 || !(v->cr0 & CR0_PE) || (v->eflags & (EFL_VM | EFL_TF | EFL_RF)))
        return false;
    if (!(v->eflags & EFL_IF) || vcpu_iopl(v) || v->dr_armed)
        return false;
    if ((v->eflags & EFL_AC) && (v->cr0 & CR0_AM))
        return false;
    return window_usable(v);
}

static bool takes(struct vcpu *v)
{
    struct direct *d = direct_of(v);

    return state_fits(v) && !engine_single(v) &&
           *refusal_of(d, v->eip) != refusal_word(v, d, v->eip);
}

/* The x87 pointers that the guest sees are in the vCPU; direct code sees and changes the CPU's. */
static void fpu_give(struct vcpu *v)
{
    uint8_t *area = v->fpu.area;

    fpu_park(v);
    image_put16(area, FX_FOP, v->fpu.fop);
    image_put32(area, FX_FIP, v->fpu.fip);
    image_put16(area, FX_FCS, v->fpu.fcs);
    image_put32(area, FX_FDP, v->fpu.fdp);
    image_put16(area, FX_FDS, v->fpu.fds);
    fpu_unpark(v);
}

static void fpu_take(struct vcpu *v)
{
    uint8_t *area = v->fpu.area;

    fpu_park(v);
    v->fpu.fop = image_get16(area, FX_FOP);
    v->fpu.fip = image_get32(area, FX_FIP);
    v->fpu.fcs = image_get16(area, FX_FCS);
    v->fpu.fdp = image_get32(area, FX_FDP);
    v->fpu.fds = image_get16(area, FX_FDS);
}

static bool state_give(struct vcpu *v, struct direct *d)
{
    struct direct_regs *r = &d->regs;

    if (!segments_shadow(v, d))
        return false;
    memcpy(r->gpr, v->gpr, sizeof r->gpr);
    r->eip = v->eip;
    r->eflags = v->eflags;
    r->window = (uint8_t)window_user(v);
    r->fpu_off = v->cr0 & (CR0_EM | CR0_TS);
    r->cr4_sse = v->cr4 & (CR4_OSFXSR | CR4_OSXMMEXCPT);
    fpu_give(v);
    return true;
}

static void state_take(struct vcpu *v, const struct direct *d)
{
    const struct direct_regs *r = &d->regs;

    memcpy(v->gpr, r->gpr, sizeof r->gpr);
    v->eip = v->next_eip = r->eip;
    v->eflags = (v->eflags & ~(uint32_t)OWN_FLAGS) | (r->eflags & OWN_FLAGS);
    segments_take(v, d);
    fpu_take(v);
}

/* ---- running ---- */

/* A single step that direct code asked for itself (POPF), or INT1, which no scan looks for. */
static void debug_trap(struct vcpu *v, const struct direct_regs *r)
{
    if (r->addr & DR6_BS) {
        v->dr6_pending |= DR6_BS;
        return;
    }
    v->eip -= OPCODE_INT1_LEN;
    interp_step(v);
}

/* False: another engine goes on. */
static bool page_fault(struct vcpu *v, struct direct *d)
{
    const struct direct_regs *r = &d->regs;

    if (r->error & ERROR_FETCH) {
        if (allow_fetch(v, d, r->addr))
            return true;
        if (((r->addr ^ v->eip) & ~GUEST_PAGE_MASK) == 0) {
            refuse(v, d, v->eip);
            return false;
        }
    } else if (window_fill(v, r->addr, r->error & ERROR_WRITE)) {
        v->stats.hidden_faults++;
        return true;
    }
    v->stats.direct_emulated++;
    interp_step(v);
    return true;
}

static bool handle(struct vcpu *v, struct direct *d, unsigned why)
{
    switch (why) {
    case DIRECT_ASKED:
        return false;
    case DIRECT_REFUSED:
        refuse(v, d, v->eip);
        return false;
    case VEC_DB:
        debug_trap(v, &d->regs);
        return true;
    case VEC_PF:
        return page_fault(v, d);
    default:
        v->stats.direct_emulated++;
        interp_step(v);
        return true;
    }
}

static bool may_go_on(const struct vcpu *v)
{
    return !v->attention && !v->shadow_next && !v->dr6_pending && !v->halted && !v->intr_line;
}

static void run(struct vcpu *v)
{
    const struct vmm_host *h = v->vm->host;
    struct direct *d = direct_of(v);

    do {
        if (!state_give(v, d)) {
            refuse(v, d, v->eip);
            return;
        }
        v->stats.direct_entries++;
        unsigned why = h->direct_run(h->opaque, &d->regs);
        state_take(v, d);
        if (!handle(v, d, why))
            return;
    } while (may_go_on(v) && takes(v));
}

const struct engine direct_engine = {
    .name = "direct execution", .takes = takes, .run = run, .needs_alarm = true};

void direct_init(struct vcpu *v, void *memory, bool umip)
{
    static const struct page_watcher watcher = {
        .mark = PAGE_DIRECT, .written = written, .holds = holds};
    struct direct *d = memory;

    d->umip = umip;
    d->generation = 1;
    v->direct = d;
    page_watch(v->vm, &watcher, v);
    engine_add(v, &direct_engine);
}
