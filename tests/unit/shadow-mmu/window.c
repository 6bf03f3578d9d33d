/* SPDX-License-Identifier: MIT */
/* uses: shadow-mmu monitor/arch/debugreg.c monitor/cpu/cpuid.c devices/bus.c */
/* window.c - windows: what is mapped is always what a fresh walk of the guest's tables allows; the
 * budgets hold; the host's implementation maps what it is told. */
#include <errno.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/linux/guest_ram.h"
#include "host/linux/vm_host.h"
#include "tests/rig/window_rig.h"

/* Host mappings that window n needs. */
static unsigned runs_shown(unsigned n)
{
    unsigned runs = 1;

    for (unsigned i = 1; i < PAGES; i++) {
        uint32_t a = shown[n][i - 1], b = shown[n][i];

        runs += (a & 3) != (b & 3) || ((a & 1) && (a >> 2) + 1 != b >> 2) ||
                ((a & 1) && ((told[n][i - 1] ^ told[n][i]) & HOST_MAP_EXEC));
    }
    return runs;
}

Test(window, fill)
{
    struct vcpu *v = open_paged();

    v->cpl = 3;
    map(PT, 0x5000, 0x10000 | P | W | U);
    cr_expect(here(v) == HOST_WINDOWS - 1, "no window yet");
    cr_expect(window_fill(v, 0x5123, false) && here(v) == USER);
    cr_expect(shown[USER][5] == (0x10 << 2 | 1), "not writable: D is clear");
    cr_expect(fx_get32(PT + 5 * 4) == (0x10000 | P | W | U | PTEA));
    cr_expect(window_fill(v, 0x5fef, true) && shown[USER][5] == (0x10 << 2 | 3));
    cr_expect(fx_get32(PT + 5 * 4) & PTED);
    /* Neighbours come along where they are in use already: a contiguous run, and some behind it. */
    map(PT, 0x6000, 0x11000 | P | W | U | PTEA | PTED);
    map(PT, 0x7000, 0x12000 | P | W | U | PTEA | PTED);
    map(PT, 0x8000, 0x13000 | P | W | U);
    map(PT, 0x9000, 0x20000 | P | W | U | PTEA);
    host_calls = 0;
    cr_expect(window_fill(v, 0x7000, false) && host_calls == 1);
    cr_expect(shown[USER][6] == (0x11 << 2 | 3) && shown[USER][7] == (0x12 << 2 | 3) &&
              !shown[USER][8]);
    cr_expect(!window_fill(v, 0x4000, false), "not present");
    map(PT, 0xa000, 0x14000 | P | W);
    cr_expect(!window_fill(v, 0xa000, false), "supervisor page");
    map(PT, 0xb000, 0x15000 | P | U);
    cr_expect(!window_fill(v, 0xb000, true) && window_fill(v, 0xb000, false), "read-only");
    map(PT, 0xc000, FX_MMIO | P | W | U);
    cr_expect(!window_fill(v, 0xc000, false), "device");
    fx_vm.page[0x16] = PAGE_CODE;
    map(PT, 0xd000, 0x16000 | P | W | U | PTEA | PTED);
    cr_expect(!window_fill(v, 0xd000, true) && window_fill(v, 0xd000, false), "code");
    cr_expect(shown[USER][0xd] == (0x16 << 2 | 1));
    fx_vm.page[0x16] = PAGE_RAM;
    cr_expect(window_fill(v, 0xd000, true) && shown[USER][0xd] == (0x16 << 2 | 3), "code no more");
    fx_vm.page[0x16] = PAGE_TRANSLATED;
    mmu_flush_gpa(&fx_vm, 0x16000);
    cr_expect(shown[USER][0xd] == (0x16 << 2 | 1), "code again");
    /* A write that may go on to an absent page leaves D alone. */
    map(PT, 0xe000, 0x17000 | P | W | U);
    cr_expect(!window_fill(v, 0xeffc, true) && !(fx_get32(PT + 0xe * 4) & PTED));
    cr_expect(window_fill(v, 0xefe0, true) && (fx_get32(PT + 0xe * 4) & PTED));
    /* Big pages, in halves; the supervisor's window. */
    v->cpl = 0;
    cr_expect(!window_fill(v, 0x5000, false), "the kernel does not see small user pages");
    cr_expect(window_fill(v, UPPER + 0x5000, true) && here(v) == 0);
    cr_expect(shown[0][UPPER >> 12] == (0x800 << 2 | 3) && !shown[0][(UPPER >> 12) + 512]);
    cr_expect(window_fill(v, 0x401000, false), "big user pages it does");
    map(PT, 0x9000, 0x20000 | P | W | U | PTEA);
    check_window(v, 0, 0, 0);
    check_window(v, USER, 3, 0);
}

Test(window, flushes)
{
    struct vcpu *v = open_paged();

    v->cpl = 3;
    map(PT, 0x5000, 0x10000 | P | W | U | PTED);
    map(PT, 0x7000, 0x12000 | P | W | U | PTED);
    map(PT2, 0x5000, 0x11000 | P | W | U);
    cr_expect(window_fill(v, 0x5000, true) && window_fill(v, 0x7000, true));
    v->cpl = 0;
    map(PT3, 0, 0x20000 | P | W | PTED);
    map(PT3, 0x1000, 0x21000 | P | W | PTED | G);
    cr_expect(window_fill(v, UPPER, true) && window_fill(v, UPPER + 0x400000, true) &&
              window_fill(v, UPPER + 0x401000, true));
    /* Another address space and back: nothing is unmapped, nothing is mapped again. */
    host_calls = 0;
    cr_expect(mmu_load_cr3(v, PD2));
    v->cpl = 3;
    cr_expect(here(v) == HOST_WINDOWS - 1 && window_fill(v, 0x5000, false) && here(v) == USER + 1);
    cr_expect(mmu_load_cr3(v, PD) && here(v) == USER && host_calls == 1);
    cr_expect(shows(v, 0x5000, true));
    /* The accessed and the dirty bit are taken back; a page goes away; each shows at the next
     * load. */
    map(PT, 0x5000, 0x10000 | P | W | U | PTEA);
    cr_expect(mmu_load_cr3(v, PD) && shown[USER][5] == (0x10 << 2 | 1), "D cleared");
    map(PT, 0x5000, 0x10000 | P | W | U);
    cr_expect(mmu_load_cr3(v, PD) && !shown[USER][5], "A cleared");
    map(PT, 0x7000, 0);
    cr_expect(shown[USER][7] != 0, "not before");
    mmu_flush_page(v, 0x8000);
    cr_expect(shown[USER][7] != 0, "another page");
    mmu_flush_page(v, 0x7abc);
    cr_expect(!shown[USER][7], "INVLPG");
    /* Global pages stay over a CR3 load, not over a flush of all. */
    fx_put32(PD + (UPPER >> 22) * 4, 0x00c00000 | P | W | PS | G | PTEA | PTED);
    cr_expect(mmu_load_cr3(v, PD) && shown[0][UPPER >> 12] == (0x800 << 2 | 3));
    mmu_flush_all(v);
    cr_expect(!shown[0][UPPER >> 12] && shown[0][(UPPER >> 12) + 1024] == (0x20 << 2 | 3));
    map(PT3, 0, 0);
    cr_expect(mmu_load_cr3(v, PD2) && !shown[0][(UPPER >> 12) + 1024] &&
              shown[0][(UPPER >> 12) + 1025]);
    /* A20, WP, breakpoints. */
    v->cpl = 3;
    map(PT2, 0x9000, 0x19000 | P | W | U | PTEA | PTED);
    cr_expect(window_fill(v, 0x9000, true) && window_fill(v, 0x5000, false));
    v->cpl = 0;
    control_write_dr(v, 0, 0x9010);
    control_write_dr(v, 7, 0x00010002);
    v->cpl = 3;
    cr_expect(!shows(v, 0x9000, false) && shows(v, 0x5000, false) &&
              !window_fill(v, 0x9000, false));
    vm_set_a20(&fx_vm, false);
    cr_expect(!shows(v, 0x5000, false) && !window_usable(v) && !window_fill(v, 0x5000, false));
    vm_set_a20(&fx_vm, true);
    cr_expect(window_usable(v) && window_fill(v, 0x5000, false));
    fx_vm.page[0x11] = PAGE_MMIO;
    mmu_flush_gpa(&fx_vm, 0x11000);
    cr_expect(!shows(v, 0x5000, false));
}

/* One random operation on the guest's tables, announced as the SDM asks, or an access. */
static void random_step(struct vcpu *v, uint32_t *seed, unsigned step)
{
    static const uint32_t cr4_bits[] = {CR4_SMAP, CR4_PGE, CR4_PSE, CR4_SMEP};
    static const gla_t bases[] = {0, 0x3f0000, UPPER + 0x400000, 0x400000, UPPER, 0x200000};
    unsigned op = rnd(seed) % 64, n = rnd(seed) % ARRAY_LEN(bases);
    gla_t gla = bases[n] + (rnd(seed) & 0x1f000) + (rnd(seed) & 0xfff);
    bool other = v->cr3 == PD2, write = rnd(seed) & 1, done;
    gpa_t pt = gla >= UPPER ? PT3 : other ? PT2 : PT;

    if (op < 12 && gla >> 22 != 1 && gla >> 22 != UPPER >> 22) {
        uint32_t frame =
            rnd(seed) & 3 ? (gla & 0x1f000) + 0x20000 : 0x20000 + (rnd(seed) & 0x1f000);

        uint32_t flags = rnd(seed) & (P | W | U | PTEA | PTED | (pt == PT3 ? G : 0));

        map(pt, gla, frame | flags | (rnd(seed) & 1));
        mmu_flush_page(v, gla);
        mmu_flush_page(v, gla & ~UPPER); /* see below: PT3 may be there, too */
    } else if (op < 14 && gla >> 22 != 1 && gla >> 22 != UPPER >> 22) { /* only A and D */
        gpa_t at = pt + (gla >> 12 & 0x3ff) * 4;

        fx_put32(at, fx_get32(at) & ~(rnd(seed) & (PTEA | PTED)));
        mmu_flush_page(v, gla);
        mmu_flush_page(v, gla & ~UPPER);
    } else if (op == 14) {
        control_write_cr(v, 0, v->cr0 ^ CR0_WP);
    } else if (op == 15) {
        control_write_cr(v, 4, v->cr4 ^ cr4_bits[rnd(seed) % 4]);
    } else if (op < 20) {
        control_write_cr(v, 3, rnd(seed) & 1 ? PD : PD2);
    } else if (op < 24) {
        unsigned page = 0x20 + (rnd(seed) & 0x1f);
        static const uint8_t kinds[] = {PAGE_RAM, PAGE_CODE, PAGE_TRANSLATED, PAGE_RAM,
                                        PAGE_RAM, PAGE_RAM,  PAGE_ROM};

        fx_vm.page[page] = rnd(seed) % 64 ? kinds[rnd(seed) % ARRAY_LEN(kinds)] : PAGE_MMIO;
        mmu_flush_gpa(&fx_vm, page * 0x1000u);
    } else if (op == 24) { /* a big page changes, or becomes a page table, everywhere */
        uint32_t big = 0x00400000 | P | PTEA | PS | (rnd(seed) & (W | U));

        big |= rnd(seed) & 1 ? PTED | (rnd(seed) & G) : 0; /* D would be set in one space only */
        big = rnd(seed) & 1 ? big : PT3 | P | W | U;
        fx_put32(PD + 4, big);
        fx_put32(PD2 + 4, big);
        mmu_flush_all(v);
    } else if (op == 25) {
        control_write_dr(v, 0, gla);
        control_write_dr(v, 7, rnd(seed) & 1 ? 0x00010002 : 0);
    } else {
        v->cpl = rnd(seed) & 1 ? 3 : 0;
        if (rnd(seed) % 8 == 0) {
            done = window_fill(v, gla, MMU_EXEC);
            cr_assert(!done || (told[here(v)][gla >> 12] & HOST_MAP_EXEC), "step %u: exec", step);
            write = false;
        } else {
            done = shows(v, gla, write) || window_fill(v, gla, write);
        }
        cr_assert(!done || shows(v, gla, write), "step %u: %x: not mapped", step, gla);
        v->cpl = 0;
    }
}

Test(window, random_against_walker, .timeout = 200)
{
    struct vcpu *v = open_paged();
    uint32_t seed = 0x2468ace;
    unsigned most = 0;

    for (unsigned step = 0; step < 60000; step++) {
        if (rnd(&seed) % 2048 == 0)
            host_fail_in = 1 + rnd(&seed) % 8;
        random_step(v, &seed, step);
        unsigned user = v->windows->current, super = v->windows->super;
        unsigned pages = check_window(v, super, 0, step) + check_window(v, user, 3, step);

        most = pages > most ? pages : most;
        cr_assert(v->bt.window[0] == fx_cpu_host.window_base[super] &&
                  v->bt.window[1] == fx_cpu_host.window_base[user]);
        if (step % 4096 == 0)
            for (unsigned n = 0; n < HOST_WINDOWS; n++)
                cr_assert(runs_shown(n) <= v->windows->win[n].runs + 1, "step %u: runs", step);
    }
    cr_expect(most > 500 && v->stats.window_maps > 5000, "the test maps little: %u", most);
    cr_expect(v->stats.window_resyncs > 1000);
}

/* ---- budgets ---- */

/* PAE tables over all of 4 GiB whose neighbours never join; many address spaces. */
Test(window, budgets)
{
    struct vcpu *v = open_windows();
    const struct windows *ws = v->windows;
    gpa_t pdpt = 0x1000, pd = 0x10000, pts = 0x100000; /* 2048 page tables: 8 MiB */
    uint32_t seed = 99;

    for (unsigned i = 0; i < 2048; i++)
        fx_put64(pd + i * 8, (pts + i * 0x1000) | P | W | U | PTEA);
    for (gpa_t at = pts; at < pts + (8u << 20); at += 8)
        fx_put64(at, ((uint64_t)(rnd(&seed) & 0xfff) << 12) | P | W | U | PTEA | PTED);
    for (unsigned space = 0; space < 16; space++)
        for (unsigned i = 0; i < 4; i++)
            fx_put64(pdpt + space * 32 + i * 8, (pd + i * 0x1000) | P);
    v->cr4 = CR4_PAE;
    v->cr0 |= CR0_PG;
    cr_assert(mmu_load_cr3(v, 0x1000));
    v->cpl = 3;
    for (unsigned step = 0; step < 400000; step++) {
        gla_t gla = step < 200000 ? step << 12 : rnd(&seed);

        if (step % 4096 == 4095)
            cr_assert(mmu_load_cr3(v, 0x1000 + (rnd(&seed) & 15) * 32));
        if (!shows(v, gla, true))
            cr_assert(window_fill(v, gla, true) && shows(v, gla, true), "step %u", step);
        cr_assert(ws->runs <= RUNS);
    }
    for (unsigned n = 0; n < HOST_WINDOWS; n++)
        cr_assert(runs_shown(n) <= ws->win[n].runs + 1);
    cr_expect(v->stats.window_evictions > 2);
    /* Holes punched into long runs count too. */
    for (unsigned i = 0; i < 2048 * 512; i++)
        fx_put64(pts + i * 8ull, ((uint64_t)(i & 0x3ff) << 12) | P | W | U | PTEA | PTED);
    mmu_flush_all(v);
    for (unsigned i = 0; i < 512; i++)
        cr_assert(window_fill(v, i << 21, true) && shows(v, (i << 21) + 0x1ff000, true));
    for (unsigned i = 0; i < 512 * 512; i += 2)
        fx_put64(pts + i * 8ull, 0);
    mmu_flush_all(v);
    cr_assert(ws->runs <= RUNS);
    cr_expect(!shows(v, 0, false));
}

/* A host that refuses: fewer mappings, then none; and when it has recovered soon enough, as many as
 * before. */
Test(window, refusals)
{
    struct vcpu *v = open_paged();
    struct windows *ws = v->windows;
    unsigned budget = RUNS;

    v->cpl = 0;
    for (unsigned n = 0; n < 3; n++) {
        host_fails_always = true;
        cr_expect(!window_fill(v, UPPER, true) && window_usable(v));
        host_fails_always = false;
        cr_expect(ws->budget == (budget /= 2) && !ws->runs);
    }
    for (unsigned n = 0; n < 64 * 3; n++) {
        cr_assert(window_fill(v, UPPER, true));
        mmu_flush_all(v);
        window_drop_all(v);
    }
    cr_expect_eq(ws->budget, RUNS);
    v->attention = 0;
    host_fails_always = true;
    unsigned tries = 0;
    for (; window_usable(v) && tries < 100; tries++)
        cr_assert(!window_fill(v, UPPER, true));
    cr_expect(tries == 9 && (v->attention & ATT_MODE), "%u", tries);
    host_fails_always = false;
    cr_expect(!window_fill(v, UPPER, true) && check_window(v, 0, 0, 0) == 0);
    cr_expect_eq(v->stats.window_refusals, 12);
}

/* Not even a whole window can be emptied: no windows from then on. */
Test(window, refuses_to_unmap)
{
    struct vcpu *v = open_paged();

    v->cpl = 0;
    cr_assert(window_fill(v, UPPER, true));
    v->attention = 0;
    host_keeps_windows = true;
    window_drop_all(v);
    cr_expect(!window_usable(v) && (v->attention & ATT_MODE));
    cr_expect(!window_fill(v, UPPER, true));
    mmu_flush_all(v);
    host_keeps_windows = false;
}

/* ---- the host's side ---- */

/* Does the host allow a byte to be read (written)? */
static bool host_allows(uint64_t at, bool write)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        volatile uint8_t *p = (uint8_t *)(uintptr_t)at;

        signal(SIGSEGV, SIG_DFL);
        uint8_t byte = *p;
        if (write)
            *p = byte;
        _exit(0);
    }
    cr_assert(waitpid(child, &status, 0) == child);
    return WIFEXITED(status);
}

Test(window, linux_host)
{
    static struct linux_host lh;
    struct vcpu_host *h = &lh.cpu;
    struct guest_ram ram;
    struct error e;

    cr_assert(guest_ram_create(&ram, 16u << 20, &e) == 0);
    h->opaque = &lh;
    host_windows_create(&lh.window, h, ram.fd, HOST_WINDOWS);
    cr_assert(h->window_count == HOST_WINDOWS);
    for (unsigned n = 0; n < HOST_WINDOWS; n++) {
        uint64_t base = h->window_base[n];

        cr_expect(n == 0 || base - h->window_base[n - 1] > (6ull << 30));
        cr_expect(base - (2ull << 30) - 4096 > (uintptr_t)lh.window.reserved);
        cr_expect(base + (6ull << 30) + 4096 < (uintptr_t)lh.window.reserved + lh.window.size);
    }
    uint64_t base = h->window_base[3];
    ram.base[0x5000] = 0x55;
    ram.base[0x6000] = 0x66;
    cr_expect(h->window_map(&lh, 3, 0xfffff000, 0x5000, 0x1000, HOST_MAP_WRITE) == 0);
    cr_expect(h->window_map(&lh, 3, 0, 0x5000, 0x3000, 0) == 0);
    cr_expect(*(uint8_t *)(uintptr_t)(base + 0xfffff000) == 0x55);
    *(uint8_t *)(uintptr_t)(base + 0xffffffff) = 0x99;
    cr_expect(ram.base[0x5fff] == 0x99 && *(uint8_t *)(uintptr_t)(base + 0x1000) == 0x66);
    cr_expect(!host_allows(base + (1ull << 32), false) && !host_allows(base - 1, false));
    cr_expect(host_allows(base + 0x1000, false) && !host_allows(base + 0x1000, true));
    cr_expect(h->window_protect(&lh, 3, 0x1000, 0x1000, HOST_MAP_WRITE) == 0);
    cr_expect(host_allows(base + 0x1000, true) && !host_allows(base + 0x2000, true));
    cr_expect(h->window_unmap(&lh, 3, 0x1000, 0x1000) == 0);
    cr_expect(!host_allows(base + 0x1000, false) && host_allows(base + 0x2fff, false));
    cr_expect(h->window_unmap(&lh, 3, 0, 1ull << 32) == 0);
    cr_expect(!host_allows(base, false) && !host_allows(base + 0xffffffff, false));
    /* No new mapping is granted any more, not even in the place of another one. */
    struct rlimit before, none = {1 << 20, 1 << 20};
    cr_assert(!h->window_map(&lh, 3, 0, 0x5000, 0x3000, HOST_MAP_WRITE) &&
              !getrlimit(RLIMIT_AS, &before));
    none.rlim_max = before.rlim_max;
    setrlimit(RLIMIT_AS, &none);
    int map = h->window_map(&lh, 3, 0x10000, 0x5000, 0x1000, HOST_MAP_WRITE);
    int piece = h->window_unmap(&lh, 3, 0x1000, 0x1000);
    int whole = h->window_unmap(&lh, 3, 0, 1ull << 32);
    setrlimit(RLIMIT_AS, &before);
    cr_expect(map == -ENOMEM && lh.window.refused == ENOMEM && !piece && !whole);
    for (unsigned page = 0; page < 0x20; page++)
        cr_expect(!host_allows(base + page * 0x1000, false), "page %u", page);
    void *p = mmap((void *)(uintptr_t)base, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_expect((uintptr_t)p < (uintptr_t)lh.window.reserved ||
                  (uintptr_t)p >= (uintptr_t)lh.window.reserved + lh.window.size,
              "a hole");
    host_windows_destroy(&lh.window);
    cr_expect(!host_allows(base, false));
    guest_ram_destroy(&ram);
}
