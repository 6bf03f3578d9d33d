/* SPDX-License-Identifier: MIT */
/* uses: direct shadow-mmu monitor/memory monitor/interp monitor/arch monitor/cpu decoder
 * devices/bus.c */
/* direct_pages.c - which pages run directly, with what segments, in what state of the guest: the
 * scan, the right to execute and its end, the engine's yes and no. The host runs nothing. */
#include "direct/direct_priv.h"
#include "monitor/cpu/engine.h"
#include "tests/rig/window_rig.h"

#define CODE 0x00010000u /* linear and physical */
#define GDT  0x00020000u

static struct direct *d;
static unsigned asked, answer;
static gla_t goes_to; /* 0: nowhere; where the answer VEC_PF comes from a fetch */
static struct direct_regs given;

static unsigned fake_run(void *opaque, struct direct_regs *r)
{
    (void)opaque;
    asked++;
    given = *r;
    if (goes_to) {
        r->eip = r->addr = goes_to;
        r->error = 16;
    }
    return answer;
}

static void put_descriptor(unsigned sel, uint64_t desc)
{
    fx_put32(GDT + (sel & ~7u), (uint32_t)desc);
    fx_put32(GDT + (sel & ~7u) + 4, (uint32_t)(desc >> 32));
}

static void flat(struct seg *s, uint16_t sel, uint32_t attr)
{
    *s = (struct seg){.sel = sel, .limit = 0xffffffff, .attr = attr};
}

/* A flat guest at CPL 3, without paging; its segments are in its table. */
static struct vcpu *start(bool bit_counts, bool umip)
{
    struct vcpu *v = open_windows();
    static const struct direct_options none;
    struct direct_options o = none;

    fx_cpu_host.direct_run = fake_run;
    o.user = o.kernel = true;
    o.umip = umip;
    o.bit_counts = bit_counts;
    direct_init(v, calloc(1, direct_size(FX_RAM)), &o);
    d = direct_of(v);
    v->cr0 |= CR0_PE;
    v->cpl = 3;
    v->eflags = EFL_IF | EFL_FIXED1;
    v->eip = CODE;
    v->gdtr.base = GDT;
    v->gdtr.limit = 0xff;
    put_descriptor(0x28, 0x00cffb000000ffff);
    put_descriptor(0x30, 0x00cff3000000ffff);
    for (unsigned n = 0; n < SEG_COUNT; n++)
        flat(&v->seg[n], 0x33, 0xc0f3);
    flat(&v->seg[SEG_CS], 0x2b, 0xc0fb);
    return v;
}

/* ---- the scan ---- */

static uint8_t page[GUEST_PAGE_SIZE + 16];

static bool clean(struct vcpu *v, enum role role, unsigned at, const char *bytes, unsigned len)
{
    memset(page, 0x90, sizeof page);
    memcpy(page + at, bytes, len);
    return scan_page(v, d, role, page, 0);
}

Test(direct_scan, holes_at_each_offset)
{
    static const struct {
        const char *bytes;
        unsigned len;
        bool user, kernel;
    } row[] = {
        {"\x0f\xa2", 2, false, false},             /* CPUID */
        {"\x0f\x31", 2, false, false},             /* RDTSC */
        {"\x0f\x02\xc8", 3, false, false},         /* LAR */
        {"\x0f\x01\xe0", 3, false, false},         /* SMSW */
        {"\x0f\x01\xf9", 3, false, false},         /* RDTSCP */
        {"\x0f\xae\x23", 3, false, false},         /* XSAVE */
        {"\xf3\x0f\xbd\xc1", 4, false, false},     /* LZCNT */
        {"\xf3\x0f\xc7\xf8", 4, false, false},     /* RDPID */
        {"\xc4\xe2\x70\xf2\xc2", 5, false, false}, /* ANDN */
        {"\xc7\xf8\0\0\0\0", 6, false, false},     /* XBEGIN */
        {"\x0f\xbd\xc1", 3, true, true},           /* BSR */
        {"\x0f\x05", 2, true, true},               /* SYSCALL: #UD */
        {"\x0f\xb6\xc1", 3, true, true},           /* MOVZX */
        {"\xfa", 1, true, true},                   /* CLI traps */
        {"\x9c", 1, true, false},                  /* PUSHF */
        {"\x9d", 1, true, false},                  /* POPF */
        {"\xcf", 1, true, false},                  /* IRET */
        {"\xcb", 1, true, false},                  /* RETF */
        {"\x1f", 1, true, false},                  /* POP DS */
        {"\x8e\xd8", 2, true, false},              /* MOV DS, AX */
        {"\x8c\xc8", 2, true, false},              /* MOV EAX, CS */
        {"\x8c\xd8", 2, true, true},               /* MOV EAX, DS */
        {"\xff\x2b", 2, true, false},              /* JMP FAR */
        {"\xcd\x40", 2, true, true},               /* INT */
    };
    struct vcpu *v = start(true, false);

    for (unsigned n = 0; n < ARRAY_LEN(row); n++)
        for (unsigned at = 0; at + row[n].len <= GUEST_PAGE_SIZE;
             at += at < 20 || at > 4070 ? 1 : 135) {
            bool user = clean(v, ROLE_USER, at, row[n].bytes, row[n].len);
            bool kernel = clean(v, ROLE_KERNEL, at, row[n].bytes, row[n].len);
            bool last = at + 4 > GUEST_PAGE_SIZE; /* a page may be refused for what could follow */
            cr_assert(user == row[n].user || (last && !user), "row %u at %x, user", n, at);
            cr_assert(kernel == row[n].kernel || (last && !kernel), "row %u at %x, kernel", n, at);
        }
}

/* What begins here may end in whatever page comes next. */
Test(direct_scan, the_end_of_the_page)
{
    struct vcpu *v = start(true, false);

    cr_expect(!clean(v, ROLE_USER, 4095, "\x0f", 1), "0F and perhaps A2");
    cr_expect(!clean(v, ROLE_USER, 4094, "\x0f\x01", 2), "0F 01 and perhaps F9");
    cr_expect(!clean(v, ROLE_USER, 4095, "\xc4", 1), "VEX");
    cr_expect(clean(v, ROLE_USER, 4094, "\x0f\x84", 2), "JE");
    cr_expect(clean(v, ROLE_USER, 4095, "\xb8", 1), "MOV");
    cr_expect(!clean(v, ROLE_KERNEL, 4095, "\x8e", 1), "a segment register");
    cr_expect(!clean(v, ROLE_KERNEL, 4095, "\x66", 1), "66 and perhaps 9D");
    cr_expect(clean(v, ROLE_KERNEL, 4095, "\x8b", 1));
}

/* Inside another instruction it is none; a page that begins there is read from each offset. */
Test(direct_scan, inside_another_instruction)
{
    struct vcpu *v = start(false, false);

    cr_expect(clean(v, ROLE_USER, 100, "\xb8\x0f\xa2\x00\x00", 5), "MOV EAX, a20f");
    cr_expect(clean(v, ROLE_KERNEL, 100, "\xb8\x9d\xcf\x00\x00", 5));
    cr_expect(!clean(v, ROLE_USER, 0, "\xb8\x00\x00\x0f\xa2", 5), "or the end of one, and CPUID");
    cr_expect(clean(v, ROLE_USER, 0, "\xf3\x0f\xbd\xc1", 4), "a CPU without LZCNT");
}

Test(direct_scan, umip)
{
    struct vcpu *v = start(true, true);

    cr_expect(clean(v, ROLE_USER, 7, "\x0f\x01\xe0", 3), "SMSW traps");
    cr_expect(!clean(v, ROLE_USER, 7, "\x0f\xa2", 2));
}

/* ---- pages ---- */

static void code(uint8_t byte)
{
    memset(fx_vm.ram + CODE, byte, GUEST_PAGE_SIZE);
}

static bool runs(const struct vcpu *v)
{
    return shows(v, CODE, false) && (told[here(v)][CODE >> 12] & HOST_MAP_EXEC);
}

Test(direct_pages, a_write_ends_the_right)
{
    struct vcpu *v = start(true, false);

    code(0x90);
    cr_assert(pages_allow(v, d, CODE));
    cr_expect(runs(v) && !shows(v, CODE, true));
    cr_expect(fx_vm.page[CODE >> 12] & PAGE_DIRECT);
    cr_expect_eq(v->stats.direct_scans, 1);
    cr_expect(pages_allow(v, d, CODE) && v->stats.direct_scans == 1, "known");
    page_written(&fx_vm, CODE, 0, 3, false);
    cr_expect(!runs(v));
    cr_expect(!(fx_vm.page[CODE >> 12] & PAGE_DIRECT));
    fx_vm.ram[CODE] = 0x0f;
    fx_vm.ram[CODE + 1] = 0xa2;
    cr_expect(!pages_allow(v, d, CODE) && v->stats.direct_unclean == 1);
    pages_refuse(v, d, CODE);
    cr_expect(pages_refused(v, d, CODE));
    page_written(&fx_vm, CODE, 0, 3, false);
    cr_expect(!pages_refused(v, d, CODE), "it may be clean now");
}

/* A page that traps a lot is the translator's for a while; so is one that is written a lot. */
Test(direct_pages, busy_for_a_while)
{
    struct vcpu *v = start(true, false);

    code(0x90);
    cr_assert(pages_allow(v, d, CODE));
    for (unsigned n = 0; n < 99; n++)
        pages_trapped(v, d);
    cr_expect(pages_allow(v, d, CODE));
    pages_trapped(v, d);
    cr_expect_eq(v->stats.direct_busy, 1);
    cr_expect(!runs(v) && !pages_allow(v, d, CODE));
    pages_refuse(v, d, CODE);
    fx_world.now += 600000000;
    cr_expect(!pages_refused(v, d, CODE) && pages_allow(v, d, CODE), "half a second later");
    for (unsigned n = 0; n < 40; n++) {
        pages_allow(v, d, CODE);
        page_written(&fx_vm, CODE, 0, 3, false);
    }
    cr_expect(!pages_allow(v, d, CODE), "written");
    cr_expect_eq(v->stats.direct_busy, 2);
    pages_refuse(v, d, CODE);
    fx_world.now += 600000000;
    cr_expect(!pages_refused(v, d, CODE) && pages_allow(v, d, CODE));
}

/* A loop over a clean page and one that is not: the clean one goes to the translator too, which has
 * both then, for a while. What is entered at a page that is not clean says nothing of others. */
Test(direct_pages, a_loop_over_a_page_that_is_not_clean)
{
    struct vcpu *v = start(true, false);
    gla_t other = CODE + GUEST_PAGE_SIZE;

    code(0x90);
    fx_vm.ram[other] = 0x0f;
    fx_vm.ram[other + 1] = 0xa2;
    cr_assert(pages_allow(v, d, CODE) && !pages_allow(v, d, other));
    for (unsigned n = 0; n < 300; n++) {
        d->entered = v->eip = other;
        pages_left(v, d);
    }
    cr_expect_eq(v->stats.direct_busy, 0);
    d->entered = CODE + 0x123;
    for (unsigned n = 0; n < 99; n++)
        pages_left(v, d);
    fx_world.now += 20000000;
    for (unsigned n = 0; n < 99; n++)
        pages_left(v, d);
    cr_expect(pages_allow(v, d, CODE) && !v->stats.direct_busy, "in so much time that is little");
    pages_left(v, d);
    cr_expect(!pages_allow(v, d, CODE) && v->stats.direct_busy == 1);
    fx_world.now += 600000000;
    pages_refused(v, d, CODE);
    cr_expect(pages_allow(v, d, CODE) && !pages_allow(v, d, other), "half a second later");
}

/* The engine says so: entered at the clean page, the fetch that faulted was in the other. */
Test(direct_engine, refusals_count_where_it_was_entered)
{
    struct vcpu *v = start(true, false);
    gla_t other = CODE + GUEST_PAGE_SIZE;

    code(0x90);
    fx_vm.ram[other] = 0x0f;
    fx_vm.ram[other + 1] = 0xa2;
    cr_assert(pages_allow(v, d, CODE));
    goes_to = other;
    answer = VEC_PF;
    for (unsigned n = 0; n < 100; n++) {
        cr_expect(v->stats.direct_busy == 0 && runs(v));
        v->eip = CODE;
        direct_engine.run(v);
        cr_expect(v->eip == other && pages_refused(v, d, other));
    }
    cr_expect(v->stats.direct_busy == 1 && !runs(v));
}

/* ---- segments ---- */

Test(direct_segments, what_the_cpu_may_see)
{
    struct vcpu *v = start(true, false);

    cr_expect(segments_shadow(v, d));
    cr_expect(d->regs.desc[SEG_CS] == 0x00cffb000000ffff && d->regs.sel[SEG_DS] == 0x33);
    v->seg[SEG_DS].base = 0x1000;
    cr_expect(!segments_shadow(v, d), "its table says otherwise");
    flat(&v->seg[SEG_DS], 0x33, 0xc0f3);
    put_descriptor(0x30, 0x00cff2000000ffff);
    cr_expect(!segments_shadow(v, d), "a load would set the accessed bit");
    put_descriptor(0x30, 0x00cff3000000ffff);
    put_descriptor(0x40, 0x008ffb000000ffff);
    flat(&v->seg[SEG_DS], 0x43, 0x80fb);
    cr_expect(!segments_shadow(v, d), "16-bit code that could be jumped to");
    flat(&v->seg[SEG_DS], 0x2b, 0xc0fb);
    cr_expect(segments_shadow(v, d), "CS itself");
    flat(&v->seg[SEG_DS], 0, 0);
    cr_expect(segments_shadow(v, d) && d->regs.desc[SEG_DS] == 0);
    v->seg[SEG_CS].sel = 0x102b;
    cr_expect(!segments_shadow(v, d), "beyond the table's limit");
}

Test(direct_segments, a_kernel_is_at_cpl_1)
{
    struct vcpu *v = start(true, false);

    v->cpl = 0;
    put_descriptor(0x08, 0x00cf9b000000ffff);
    put_descriptor(0x10, 0x00cf93000000ffff);
    flat(&v->seg[SEG_CS], 0x08, 0xc09b);
    flat(&v->seg[SEG_SS], 0x10, 0xc093);
    cr_assert(segments_shadow(v, d));
    cr_expect(d->regs.sel[SEG_CS] == 0x09 && d->regs.sel[SEG_SS] == 0x11);
    cr_expect_eq(d->regs.desc[SEG_CS], 0x00cfbb000000ffff);
    cr_expect_eq(d->regs.sel[SEG_DS], 0x33);
    d->regs.sel[SEG_DS] = 0x10;
    segments_take(v, d);
    cr_expect(v->seg[SEG_CS].sel == 0x08 && v->seg[SEG_DS].sel == 0x10);
    cr_expect_eq(v->seg[SEG_DS].attr & SEGA_DPL, 0u);
}

/* ---- the engine ---- */

Test(direct_engine, what_it_takes)
{
    static const uint32_t not_with[] = {EFL_TF, EFL_RF, EFL_VM, EFL_VIF, EFL_VIP, EFL_IOPL};
    struct vcpu *v = start(true, false);

    cr_assert(direct_engine.takes(v));
    for (unsigned n = 0; n < ARRAY_LEN(not_with); n++) {
        v->eflags |= not_with[n];
        cr_expect(!direct_engine.takes(v), "flags %x", v->eflags);
        v->eflags &= ~not_with[n];
    }
    v->eflags &= ~EFL_IF;
    cr_expect(!direct_engine.takes(v), "PUSHF would show IF = 1");
    v->cpl = 0;
    cr_expect(direct_engine.takes(v), "a kernel's IF is virtual");
    v->cpl = 3;
    v->eflags |= EFL_IF;
    v->dr_armed = 1;
    cr_expect(!direct_engine.takes(v));
    v->dr_armed = 0;
    v->cr0 &= ~CR0_PE;
    cr_expect(!direct_engine.takes(v));
}

Test(direct_engine, refused_at_the_linear_address)
{
    struct vcpu *v = start(true, false);

    put_descriptor(0x28, 0x00cffb100000ffff); /* base 100000 */
    v->seg[SEG_CS].base = 0x00100000;
    v->eip = 0x10;
    v->cr0 |= CR0_AM;
    answer = DIRECT_REFUSED;
    direct_engine.run(v);
    cr_expect(asked == 1 && given.cpl == 3 && given.eip == 0x10 && given.align_check);
    cr_expect(pages_refused(v, d, 0x00100010) && !pages_refused(v, d, 0x10));
    cr_expect(!direct_engine.takes(v));
    v->seg[SEG_CS].base = 0;
    asked = 0;
    direct_engine.run(v);
    cr_expect_eq(asked, 0, "the table says otherwise: the host is not asked");
}
