/* SPDX-License-Identifier: MIT */
/* engine.c - direct execution as an engine; see direct.h. */
#include "direct/direct_priv.h"
#include "include/ring1/mem.h"
#include "monitor/cpu/breakpoint.h"
#include "monitor/cpu/fpu.h"
#include "monitor/cpu/fpu_image.h"
#include "monitor/cpu/vm.h"
#include "monitor/interp/interp.h"
#include "shadow-mmu/mmu.h"
#include "shadow-mmu/window.h"

#define ERROR_WRITE     2u
#define ERROR_FETCH     16u
#define OPCODE_INT1_LEN 1u
/* The flags that direct code has as the guest sees them. */
#define OWN_FLAGS (EFL_ARITH | EFL_DF | EFL_TF | EFL_NT | EFL_AC | EFL_ID)

size_t direct_size(uint64_t ram_size)
{
    return sizeof(struct direct) + (ram_size >> GUEST_PAGE_SHIFT) * ROLE_COUNT;
}

/* ---- the state ---- */

/* Does the guest's CPU look like the host's? A kernel's IF and IOPL are virtual: only pages that do
 * not look at them run directly. The scan reads 32-bit code. */
static bool state_fits(const struct vcpu *v, const struct direct_options *o)
{
    if (!(v->cr0 & CR0_PE) || (v->eflags & (EFL_VM | EFL_TF | EFL_RF)) || v->dr_armed ||
        !(v->seg[SEG_CS].attr & SEGA_DB))
        return false;
    if (v->cpl == 0)
        return o->kernel && window_usable(v);
    if (v->cpl != 3 || !o->user || !(v->eflags & EFL_IF) || vcpu_iopl(v) ||
        (v->eflags & (EFL_VIF | EFL_VIP)))
        return false;
    return window_usable(v);
}

static bool takes(struct vcpu *v)
{
    struct direct *d = direct_of(v);

    return state_fits(v, &d->options) && !engine_single(v) && !pages_refused(v, d, code_at(v));
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
    r->window = v->bt.window[v->cpl == 3];
    r->cpl = v->cpl == 3 ? 3 : 1;
    r->fpu_off = v->cr0 & (CR0_EM | CR0_TS);
    r->align_check = v->cr0 & CR0_AM;
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

static void emulate(struct vcpu *v, struct direct *d)
{
    v->stats.direct_emulated++;
    pages_trapped(v, d);
    interp_step(v);
}

/* False: another engine goes on. */
static bool page_fault(struct vcpu *v, struct direct *d)
{
    const struct direct_regs *r = &d->regs;

    if (r->error & ERROR_FETCH) {
        if (pages_allow(v, d, r->addr))
            return true;
        if (((r->addr ^ code_at(v)) & ~GUEST_PAGE_MASK) == 0) {
            pages_left(v, d);
            pages_refuse(v, d, code_at(v));
            return false;
        }
    } else if (window_fill(v, r->addr, r->error & ERROR_WRITE ? MMU_WRITE : MMU_READ)) {
        v->stats.hidden_faults++;
        return true;
    }
    emulate(v, d);
    return true;
}

static bool handle(struct vcpu *v, struct direct *d, unsigned why)
{
    switch (why) {
    case DIRECT_ASKED:
        return false;
    case DIRECT_REFUSED:
        pages_refuse(v, d, code_at(v));
        return false;
    case VEC_DB:
        debug_trap(v, &d->regs);
        return true;
    case VEC_PF:
        return page_fault(v, d);
    default:
        emulate(v, d);
        return true;
    }
}

static bool may_go_on(const struct vcpu *v)
{
    return !v->attention && !v->shadow_next && !v->dr6_pending && !v->halted &&
           !(v->intr_line && (v->eflags & EFL_IF));
}

static void run(struct vcpu *v)
{
    const struct vcpu_host *h = v->host;
    struct direct *d = direct_of(v);

    do {
        if (!state_give(v, d)) {
            pages_refuse(v, d, code_at(v));
            return;
        }
        v->stats.direct_entries++;
        d->entered = code_at(v);
        unsigned why = h->direct_run(h->opaque, &d->regs);
        state_take(v, d);
        if (!handle(v, d, why))
            return;
    } while (may_go_on(v) && takes(v));
}

static void report(const struct vcpu *v, uint64_t rip, struct engine_report *out)
{
    const struct direct_regs *r = &direct_of(v)->regs;

    (void)rip; /* a guest's, if it is direct code's: the host knows */
    engine_say(out,
               "direct execution: last at 0x%08x in CPL %u, flags 0x%08x, window at 0x%llx; error "
               "0x%x at 0x%08x",
               r->eip, r->cpl, r->eflags, (unsigned long long)r->window, r->error, r->addr);
}

const struct engine direct_engine = {
    .name = "direct execution", .takes = takes, .run = run, .needs_alarm = true, .report = report};

void direct_init(struct vcpu *v, void *memory, const struct direct_options *options)
{
    struct direct *d = memory;

    d->options = *options;
    d->generation = 1;
    v->direct = d;
    pages_watch(v);
    engine_add(v, &direct_engine);
}
