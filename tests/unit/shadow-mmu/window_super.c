/* SPDX-License-Identifier: MIT */
/* uses: shadow-mmu monitor/arch/debugreg.c monitor/cpu/cpuid.c devices/bus.c */
/* window_super.c - windows of CPL 0-2: address spaces with the same kernel half share one, others
 * get their own, and whatever is in them is what the tables of the present address space say. */
#include "tests/rig/window_rig.h"

/* 4-MiB pages from KERNEL on; the first is in all kinds of address spaces. */
#define KERNEL 0x80000000u
#define BIGS   16u
#define BIG    0x400000u
#define PDS    0x10000u /* page directories */
#define PTS    0x40000u /* a page table in each, at KERNEL + BIGS * BIG */
#define SMALL  (KERNEL + BIGS * BIG)
#define FLAGS  (P | W | PTEA | PTED)

static gpa_t pd_of(unsigned space)
{
    return PDS + space * 0x1000;
}

static void set_pde(unsigned space, gla_t gla, uint32_t pde)
{
    fx_put32(pd_of(space) + (gla >> 22) * 4, pde);
}

/* An address space with `bigs` pages; those after the first lie at frame `kind`. */
static void make_space(unsigned space, unsigned bigs, unsigned kind)
{
    for (unsigned i = 0; i < 1024; i++)
        fx_put32(pd_of(space) + i * 4, 0);
    for (unsigned i = 0; i < bigs; i++)
        set_pde(space, KERNEL + i * BIG, (i ? kind % 4 : 0) * BIG | FLAGS | PS);
    set_pde(space, SMALL, (PTS + space * 0x1000) | P | W | PTEA);
}

static struct vcpu *open_spaces(unsigned count, unsigned bigs)
{
    struct vcpu *v = open_windows();

    for (unsigned n = 0; n < count; n++)
        make_space(n, bigs, n);
    v->cr3 = pd_of(0);
    v->cr0 |= CR0_PG | CR0_WP;
    v->cr4 = CR4_PSE | CR4_PGE;
    mmu_flush_all(v);
    return v;
}

static void load(struct vcpu *v, unsigned space)
{
    cr_assert(mmu_load_cr3(v, (uint32_t)pd_of(space)));
    check_window(v, here(v), 0, space);
}

/* Loads it and touches its pages; returns how many were not mapped. */
static unsigned run_in(struct vcpu *v, unsigned space, unsigned bigs)
{
    unsigned missing = 0;

    load(v, space);
    for (unsigned i = 0; i < bigs; i++)
        if (!shows(v, KERNEL + i * BIG, true)) {
            missing++;
            cr_assert(window_fill(v, KERNEL + i * BIG, true));
        }
    check_window(v, here(v), 0, space);
    return missing;
}

/* Page-table isolation: spaces 0 and 2 are the kernel's, 1 and 3 those of programs. */
static struct vcpu *open_isolated(void)
{
    struct vcpu *v = open_spaces(5, BIGS);

    make_space(2, BIGS, 0);
    make_space(1, 1, 0);
    make_space(3, 1, 0);
    return v;
}

Test(window_super, isolated)
{
    struct vcpu *v = open_isolated();
    unsigned kernel, program;

    cr_expect(run_in(v, 0, BIGS) == BIGS);
    kernel = here(v);
    run_in(v, 1, 1);
    program = here(v);
    cr_expect(program != kernel && program < WINDOW_SUPERS);
    host_calls = 0;
    for (unsigned round = 0; round < 25; round++)
        for (unsigned space = 0; space < 4; space++) {
            cr_expect(run_in(v, space, space & 1 ? 1 : BIGS) == 0);
            cr_expect(here(v) == (space & 1 ? program : kernel));
        }
    cr_expect(host_calls == 0, "%u", host_calls);
    /* The first look at a kernel's address space need not come from another one of that kind. */
    load(v, 1);
    make_space(4, BIGS, 0);
    cr_expect(run_in(v, 4, BIGS) == 0 && here(v) == kernel);
    /* A space of the one kind whose page becomes a directory of the other kind. */
    make_space(4, 1, 0);
    load(v, 4);
    cr_expect(here(v) == program && run_in(v, 0, BIGS) == 0);
}

Test(window_super, edits_from_elsewhere)
{
    struct vcpu *v = open_isolated();

    run_in(v, 0, BIGS);
    map(PTS, SMALL, 0x20000 | FLAGS);
    map(PTS, SMALL + 0x1000, 0x30000 | FLAGS | G);
    cr_assert(window_fill(v, SMALL, true) && window_fill(v, SMALL + 0x1000, true));
    run_in(v, 1, 1);
    set_pde(0, KERNEL + BIG, 0x00c00000 | FLAGS | PS);
    set_pde(0, KERNEL + 2 * BIG, 0);
    set_pde(0, KERNEL + 3 * BIG, FLAGS | PS);
    set_pde(0, KERNEL + 3 * BIG, (P | W | PTEA | PS));
    map(PTS, SMALL, 0x21000 | FLAGS);
    map(PTS, SMALL + 0x1000, 0);
    mmu_flush_page(v, SMALL + 0x1000); /* it may be cached, being global */
    load(v, 0);
    cr_expect(!shows(v, KERNEL + BIG, false) && !shows(v, KERNEL + 2 * BIG, false));
    cr_expect(!shows(v, KERNEL + 3 * BIG, true), "D was cleared");
    cr_expect(shows(v, KERNEL + 4 * BIG, true), "unchanged");
    cr_expect(!shows(v, SMALL, false) && !shows(v, SMALL + 0x1000, false));
    /* The same for INVLPG and a flush of everything here. */
    cr_assert(window_fill(v, SMALL, true));
    map(PTS, SMALL, 0);
    mmu_flush_page(v, SMALL);
    cr_expect(!shows(v, SMALL, false));
    load(v, 1);
    set_pde(0, KERNEL + 4 * BIG, 0);
    control_write_cr(v, 4, v->cr4 & ~CR4_PGE);
    control_write_cr(v, 4, v->cr4 | CR4_PGE);
    load(v, 0);
    cr_expect(!shows(v, KERNEL + 4 * BIG, false) && shows(v, KERNEL + 5 * BIG, true));
}

Test(window_super, global_pages)
{
    struct vcpu *v = open_isolated();

    for (unsigned space = 0; space < 4; space++)
        set_pde(space, KERNEL, FLAGS | PS | G);
    mmu_flush_all(v);
    run_in(v, 0, BIGS);
    set_pde(0, KERNEL, BIG | FLAGS | PS | G);
    cr_assert(mmu_load_cr3(v, (uint32_t)pd_of(0)));
    cr_expect(shown[here(v)][KERNEL >> 12] == 3, "stays over a load of CR3");
    mmu_flush_page(v, KERNEL);
    cr_expect(!shows(v, KERNEL, false));
    cr_assert(window_fill(v, KERNEL, true));
    check_window(v, here(v), 0, 0);
    run_in(v, 1, 1);
    /* No INVLPG reaches the kernel's window now: it is compared when its turn comes. */
    set_pde(0, KERNEL, FLAGS | PS | G);
    mmu_flush_page(v, KERNEL);
    cr_expect(run_in(v, 0, BIGS) == 1);
}

/* Code, devices and changes of mode concern all windows. */
Test(window_super, every_window)
{
    struct vcpu *v = open_isolated();
    unsigned kernel, program;

    run_in(v, 0, BIGS);
    kernel = here(v);
    map(PTS, SMALL, 0x50000 | FLAGS);
    map(PTS + 0x1000, SMALL, 0x50000 | FLAGS);
    cr_assert(window_fill(v, SMALL, true));
    run_in(v, 1, 1);
    program = here(v);
    cr_assert(window_fill(v, SMALL, true));
    fx_vm.page[0x50] = PAGE_TRANSLATED;
    mmu_flush_gpa(&fx_vm, 0x50000);
    for (unsigned n = kernel;; n = program) {
        cr_expect(shown[n][SMALL >> 12] == (0x50 << 2 | 1));
        cr_expect(shown[n][(KERNEL >> 12) + 0x50] == (0x50 << 2 | 1));
        if (n == program)
            break;
    }
    fx_vm.page[0x50] = PAGE_RAM;
    cr_expect(window_fill(v, SMALL, true) && shows(v, SMALL, true));
    fx_vm.page[0x51] = PAGE_MMIO;
    mmu_flush_gpa(&fx_vm, 0x51000);
    cr_expect(!shown[kernel][(KERNEL >> 12) + 0x51] && !shown[program][(KERNEL >> 12) + 0x51]);
    run_in(v, 0, BIGS);
    run_in(v, 1, 1);
    control_write_cr(v, 0, v->cr0 ^ CR0_WP);
    cr_expect(!shown[kernel][KERNEL >> 12] && !shown[program][KERNEL >> 12]);
    /* Breakpoints */
    run_in(v, 0, BIGS);
    run_in(v, 1, 1);
    control_write_dr(v, 0, KERNEL + 0x10);
    control_write_dr(v, 7, 0x00010002);
    cr_expect(!shown[kernel][KERNEL >> 12] && !shown[program][KERNEL >> 12]);
}

/* Halves that differ in a few leaves share a window; what is lost decides when they no longer do.
 * The cost stays in proportion: each page is mapped again only when it was lost, or its window was
 * given up for as many losses as it had leaves. */
Test(window_super, losses_are_weighed)
{
    struct vcpu *v = open_spaces(2, BIGS);

    for (unsigned i = 2; i < BIGS; i++) /* two pages differ */
        set_pde(1, KERNEL + i * BIG, FLAGS | PS);
    run_in(v, 0, BIGS);
    cr_expect(run_in(v, 1, BIGS) == 1 && here(v) == 0, "one is no reason");
    for (unsigned round = 0; round < 20; round++) {
        run_in(v, 0, BIGS);
        run_in(v, 1, BIGS);
    }
    host_calls = 0;
    cr_expect(run_in(v, 0, BIGS) == 0 && run_in(v, 1, BIGS) == 0 && host_calls == 0);
    /* More kinds than windows, each unlike the others in all pages but the first. */
    v = open_spaces(8, BIGS);
    for (unsigned space = 0; space < 8; space++)
        for (unsigned i = 1; i < BIGS; i++)
            set_pde(space, KERNEL + i * BIG,
                    (space + i) % 4 * BIG | FLAGS | PS | (space & 4 ? U : 0));
    for (unsigned round = 0; round < 10; round++)
        for (unsigned space = 0; space < 8; space++)
            run_in(v, space, BIGS);
    cr_expect(v->stats.window_maps < 80 * 3 * BIGS * 512);
    for (unsigned n = 0; n < HOST_WINDOWS; n++)
        cr_expect(n < WINDOW_SUPERS || !v->windows->win[n].leaves);
}

/* A host with fewer windows: one for the supervisor, as ever. */
Test(window_super, few_windows)
{
    struct vcpu *v = open_isolated();

    fx_cpu_host.window_count = 4;
    mmu_flush_all(v);
    for (unsigned round = 0; round < 20; round++)
        for (unsigned space = 0; space < 4; space++) {
            run_in(v, space, space & 1 ? 1 : BIGS);
            cr_expect(here(v) == 0);
        }
    v->cpl = 3;
    set_pde(3, 0, FLAGS | PS | U);
    load(v, 3);
    cr_expect(window_fill(v, 0x5000, true) && here(v) == 1);
}

#define SPACES 8u

/* Of space n; three kinds and variants of them. */
static void random_edit(struct vcpu *v, uint32_t *seed)
{
    unsigned space = rnd(seed) % SPACES, i = rnd(seed) % BIGS, old = v->cr3;
    uint32_t pde = rnd(seed) % 4 * BIG | (rnd(seed) & (P | W | U | PTEA | PTED)) | PS | P;

    if (rnd(seed) & 1) {
        unsigned like = rnd(seed) % SPACES;

        memcpy(fx_vm.ram + pd_of(space), fx_vm.ram + pd_of(like), 0x1000);
    } else if (rnd(seed) & 1) {
        set_pde(space, KERNEL + i * BIG, rnd(seed) & 3 ? pde : 0);
    } else {
        map(PTS + space * 0x1000, SMALL + (rnd(seed) & 0xf000),
            0x200000 | (rnd(seed) & 0x1f000) | (rnd(seed) & (P | W | PTEA | PTED)));
    }
    /* Announced by a load of CR3, of whatever comes next, or of what is there. */
    cr_assert(mmu_load_cr3(v, rnd(seed) & 1 ? old : (uint32_t)pd_of(rnd(seed) % SPACES)));
}

Test(window_super, random_against_walker, .timeout = 200)
{
    struct vcpu *v = open_spaces(SPACES, BIGS);
    uint32_t seed = 0x13579bd;
    unsigned used = 0;

    for (unsigned step = 0; step < 24000; step++) {
        gla_t gla = KERNEL + (rnd(&seed) % (BIGS + 1)) * BIG + (rnd(&seed) & 0xffff);
        bool write = rnd(&seed) & 1;

        if (rnd(&seed) % 2048 == 0)
            host_fail_in = 1 + rnd(&seed) % 8;
        if (rnd(&seed) % 16 == 0)
            random_edit(v, &seed);
        else if (rnd(&seed) % 8 == 0)
            cr_assert(mmu_load_cr3(v, (uint32_t)pd_of(rnd(&seed) % SPACES)));
        else if (shows(v, gla, write) || window_fill(v, gla, write))
            cr_assert(shows(v, gla, write), "step %u: %x: not mapped", step, gla);
        if (step % 8 == 0)
            check_window(v, v->windows->super, 0, step);
        cr_assert(here(v) == v->windows->super && here(v) < WINDOW_SUPERS);
        used |= 1u << here(v);
    }
    cr_expect(used == (1u << WINDOW_SUPERS) - 1, "%x", used);
}
