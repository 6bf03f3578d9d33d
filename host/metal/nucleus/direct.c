/* SPDX-License-Identifier: MIT */
/* direct.c - see direct.h. */
#include "host/metal/nucleus/direct.h"

#include "host/metal/nucleus/insn.h"
#include "host/metal/nucleus/layout.h"
#include "host/metal/nucleus/pages.h"
#include "host/metal/nucleus/segments.h"
#include "host/metal/nucleus/service.h"
#include "include/ring1/direct.h"
#include "monitor/cpu/vcpu.h"

#define DESC_TYPE(d) ((unsigned)((d) >> 40) & 0xf)
#define TYPE_CODE    8u
#define TYPE_RW      2u
#define DESC_MUST    0x0000900000000000ull /* present, code or data */
#define DESC_MASK    0x0020900000000000ull /* and not L */
#define DESC_DPL(d)  ((unsigned)((d) >> 45) & 3)
#define DESC_G       (1ull << 55)
#define GUEST_FLAGS  (EFL_ARITH | EFL_DF | EFL_TF | EFL_NT | EFL_AC | EFL_ID)

static struct {
    struct trap_frame caller;
    struct direct_regs *regs;
    uint64_t since;    /* the time-stamp counter at direct_enter() */
    uint16_t shown[6]; /* selectors that have a descriptor; 0: none */
} dx;

/* Loading these at CPL 0 must not fault. */
static bool loadable(const struct direct_regs *r, unsigned n)
{
    uint16_t sel = r->sel[n];
    uint64_t desc = r->desc[n];
    unsigned type = DESC_TYPE(desc);

    if ((sel & ~3u) == 0)
        return n != SEG_CS && n != SEG_SS;
    if (sel >> 3 >= DIRECT_SELECTORS || (desc & DESC_MASK) != DESC_MUST || DESC_DPL(desc) < r->cpl)
        return false;
    if (n == SEG_CS || n == SEG_SS) {
        if ((sel & 3) != r->cpl || DESC_DPL(desc) != r->cpl)
            return false;
        return n == SEG_CS ? type & TYPE_CODE : (type & (TYPE_CODE | TYPE_RW)) == TYPE_RW;
    }
    if ((sel & 3) > DESC_DPL(desc))
        return false;
    return !(type & TYPE_CODE) || (type & TYPE_RW);
}

/* What is no code or data segment of ring 1 or 3 without L is shown as none. */
static void show_table(const struct direct_regs *r)
{
    for (unsigned n = 1; n < r->table_count && n < DIRECT_SELECTORS; n++) {
        uint64_t desc = r->table[n];
        bool fit = (desc & DESC_MASK) == DESC_MUST && DESC_DPL(desc) >= r->cpl;
        segments_guest((uint16_t)(n << 3), fit ? desc : 0);
    }
}

/* IRETQ faults at CPL 0 when the CPU checks limits and EIP is beyond that of CS. */
static bool eip_in_limit(const struct direct_regs *r)
{
    uint64_t desc = r->desc[SEG_CS];
    uint32_t limit = (uint32_t)(desc & 0xffff) | (uint32_t)(desc >> 32 & 0xf0000);

    return r->eip <= (desc & DESC_G ? limit << 12 | 0xfff : limit);
}

static bool show_segments(const struct direct_regs *r)
{
    if (r->cpl != 1 && r->cpl != 3)
        return false;
    for (unsigned n = 0; n < 6; n++)
        if (!loadable(r, n))
            return false;
    if (!eip_in_limit(r))
        return false;
    for (unsigned n = 0; n < 6; n++)
        if (dx.shown[n])
            segments_guest(dx.shown[n], 0);
    if (r->table)
        show_table(r);
    for (unsigned n = 0; n < 6; n++) {
        dx.shown[n] = (r->sel[n] & ~3u) ? r->sel[n] : 0;
        if (dx.shown[n])
            segments_guest(r->sel[n], r->desc[n]);
    }
    return true;
}

static void set_control(const struct direct_regs *r)
{
    uint64_t cr4 = read_cr4(), cr0 = read_cr0();
    uint64_t cr4_wanted = (cr4 & ~(uint64_t)(CR4_OSFXSR | CR4_OSXMMEXCPT)) | r->cr4_sse;
    uint64_t cr0_wanted =
        (cr0 & ~(uint64_t)CR0_AM) | (r->align_check ? CR0_AM : 0) | (r->fpu_off ? CR0_TS : 0);

    if (cr4 != cr4_wanted)
        write_cr4(cr4_wanted);
    if (cr0 != cr0_wanted)
        write_cr0(cr0_wanted);
}

/* The monitor computes with the guest's x87 and SSE state. CR0.AM may stay: it is for CPL 3. */
static void free_fpu(void)
{
    uint64_t cr4 = read_cr4(), wanted = cr4 | CR4_OSFXSR | CR4_OSXMMEXCPT;

    if (cr4 != wanted)
        write_cr4(wanted);
    clts();
}

void direct_enter(struct trap_frame *f)
{
    struct direct_regs *r = (struct direct_regs *)f->gpr[6];
    const struct vcpu *v = service_vcpu();

    if (v->attention) { /* asked for since the caller looked */
        f->gpr[0] = DIRECT_ASKED;
        return;
    }
    if (!show_segments(r)) {
        f->gpr[0] = DIRECT_REFUSED;
        return;
    }
    pages_low(r->window);
    if (r->cpl == 1)
        segments_hide_ring1(true);
    dx.caller = *f;
    dx.regs = r;
    for (unsigned n = 0; n < 16; n++)
        f->gpr[n] = n < 8 ? r->gpr[n] : 0;
    f->rip = r->eip;
    f->cs = r->sel[SEG_CS];
    f->rflags = (r->eflags & GUEST_FLAGS) | EFL_FIXED1 | EFL_IF;
    f->rsp = r->gpr[4];
    f->ss = r->sel[SEG_SS];
    set_control(r);
    __asm__ volatile("mov %w0, %%es; mov %w1, %%ds; mov %w2, %%fs; mov %w3, %%gs"
                     :
                     : "r"(r->sel[SEG_ES]), "r"(r->sel[SEG_DS]), "r"(r->sel[SEG_FS]),
                       "r"(r->sel[SEG_GS]));
    if (r->timed)
        dx.since = read_tsc();
}

void direct_host_forget(void)
{
    for (unsigned n = 0; n < 6; n++) {
        if (dx.shown[n])
            segments_guest(dx.shown[n], 0);
        dx.shown[n] = 0;
    }
}

bool direct_is(const struct trap_frame *f)
{
    return dx.regs && ((f->cs & 3) || (f->rflags & EFL_VM));
}

static void read_selectors(uint16_t sel[6])
{
    __asm__ volatile("mov %%es, %0; mov %%ds, %1; mov %%fs, %2; mov %%gs, %3"
                     : "=m"(sel[SEG_ES]), "=m"(sel[SEG_DS]), "=m"(sel[SEG_FS]), "=m"(sel[SEG_GS]));
}

bool direct_would_lose(void)
{
    static const uint8_t data_segs[] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};
    uint16_t sel[6];

    read_selectors(sel);
    for (unsigned n = 0; n < ARRAY_LEN(data_segs); n++)
        if (sel[data_segs[n]] && !(sel[data_segs[n]] & ~3u))
            return true;
    return false;
}

void direct_leave(struct trap_frame *f, unsigned why)
{
    struct direct_regs *r = dx.regs;

    if (r->timed)
        r->ticks = read_tsc() - dx.since;
    for (unsigned n = 0; n < 8; n++)
        r->gpr[n] = (uint32_t)f->gpr[n];
    r->gpr[4] = (uint32_t)f->rsp;
    r->eip = (uint32_t)f->rip;
    r->eflags = (uint32_t)f->rflags;
    r->sel[SEG_CS] = (uint16_t)f->cs;
    r->sel[SEG_SS] = (uint16_t)f->ss;
    read_selectors(r->sel);
    __asm__ volatile("mov %0, %%es; mov %0, %%ds; mov %0, %%fs; mov %0, %%gs" : : "r"(0));
    r->error = (uint32_t)f->error;
    r->addr = why == VEC_PF ? (uint32_t)read_cr2() : why == VEC_DB ? take_dr6() : 0;
    free_fpu();
    if (r->cpl == 1)
        segments_hide_ring1(false);
    dx.regs = NULL;
    *f = dx.caller;
    f->gpr[0] = why;
}
