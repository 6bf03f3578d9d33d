/* SPDX-License-Identifier: MIT */
/* window_rig.h - windows on a host that only remembers what it is told to map; tables to fill them
 * from; what must hold whatever happens. */
#ifndef RING1_TESTS_RIG_WINDOW_RIG_H
#define RING1_TESTS_RIG_WINDOW_RIG_H

#include "shadow-mmu/window.h"
#include "shadow-mmu/window_priv.h"
#include "tests/rig/mmu_fixture.h"

/* ---- a host that remembers ---- */

#define PAGES (1u << 20)    /* of a window */
#define USER  WINDOW_SUPERS /* the first of them */

#define RUNS 32768u /* that it grants in all windows together */

static struct vcpu_host fx_cpu_host;
/* Per page: 0, or physical page << 2 | writable << 1 | 1. */
static uint32_t *shown[HOST_WINDOWS];
static uint8_t *told[HOST_WINDOWS]; /* per page: HOST_MAP_* of the last call about it */
static unsigned host_calls, host_fail_in;
static bool host_fails_always, host_keeps_windows;

static bool host_fails(void)
{
    host_calls++;
    return host_fails_always || (host_fail_in && --host_fail_in == 0);
}

static int fake_map(void *opaque, unsigned n, gla_t gla, gpa_t gpa, uint64_t len, unsigned rights)
{
    (void)opaque;
    cr_assert(len && !((gla | gpa | len) & 4095) && gla + len <= 1ull << 32);
    cr_assert(gpa + len <= FX_RAM && n < HOST_WINDOWS);
    if (host_fails())
        return -12;
    for (uint64_t i = 0; i < len >> 12; i++) {
        cr_assert(!shown[n][(gla >> 12) + i], "mapped over a mapping");
        shown[n][(gla >> 12) + i] =
            (uint32_t)((gpa >> 12) + i) << 2 | (rights & HOST_MAP_WRITE ? 2 : 0) | 1;
        told[n][(gla >> 12) + i] = (uint8_t)rights;
    }
    return 0;
}

static int fake_unmap(void *opaque, unsigned n, gla_t gla, uint64_t len)
{
    (void)opaque;
    cr_assert(len && !((gla | len) & 4095) && gla + len <= 1ull << 32 && n < HOST_WINDOWS);
    if (len == 1ull << 32 ? host_keeps_windows : host_fails())
        return -12;
    memset(shown[n] + (gla >> 12), 0, (len >> 12) * 4);
    return 0;
}

static int fake_protect(void *opaque, unsigned n, gla_t gla, uint64_t len, unsigned rights)
{
    (void)opaque;
    if (host_fails())
        return -12;
    for (uint64_t i = gla >> 12; i < (gla + len) >> 12; i++) {
        cr_assert(shown[n][i] & 1, "protects what is not mapped");
        shown[n][i] = (shown[n][i] & ~2u) | (rights & HOST_MAP_WRITE ? 2 : 0);
        told[n][i] = (uint8_t)rights;
    }
    return 0;
}

static struct vcpu *open_windows(void)
{
    struct vcpu *v = fx_open("ring1");

    fx_cpu_host.window_map = fake_map;
    fx_cpu_host.window_unmap = fake_unmap;
    fx_cpu_host.window_protect = fake_protect;
    fx_cpu_host.window_count = HOST_WINDOWS;
    for (unsigned n = 0; n < HOST_WINDOWS; n++) {
        shown[n] = calloc(PAGES, 4);
        told[n] = calloc(PAGES, 1);
        fx_cpu_host.window_base[n] = (uint64_t)(n + 1) << 36;
    }
    fx_cpu_host.window_runs = RUNS;
    v->host = &fx_cpu_host;
    window_init(v, calloc(1, window_size()));
    return v;
}

/* The window of the present CPL. */
static unsigned here(const struct vcpu *v)
{
    return (unsigned)(v->bt.window[v->cpl == 3] >> 36) - 1;
}

/* ---- what must always hold ---- */

static bool page_is_watched(const struct vcpu *v, gla_t gla)
{
    return v->dr_armed && (v->dr[0] ^ gla) < 0x1000;
}

/* What the host was told of a mapped page is what a walk says of it. The tables may have lost or
 * got G meanwhile. */
static bool rights_are_true(struct vcpu *v, const struct leaf *l, gla_t gla, unsigned how,
                            const struct mmu_walk *w)
{
    unsigned rights = told[l->window][gla >> 12], i = gla >> 12 & (LEAF_PAGES - 1);
    bool user = !(v->cr0 & CR0_PG) || w->user, exec = rights & HOST_MAP_EXEC;
    struct mmu_walk x;

    return !!(rights & HOST_MAP_USER) == user && exec == bit_test(l->exec, i) &&
           (!exec ||
            (mmu_walk(v, gla, how | MMU_PROBE | MMU_EXEC, &x) && !(rights & HOST_MAP_WRITE)));
}

/* All that window n shows at CPL `cpl` is what the tables say. Returns pages mapped. */
static unsigned check_window(struct vcpu *v, unsigned n, unsigned cpl, unsigned step)
{
    unsigned how = cpl == 3 ? MMU_USER : 0, count = 0, saved = v->cpl;
    uint32_t ac = v->eflags & EFL_AC;
    struct mmu_walk w;

    v->cpl = (uint8_t)cpl;
    v->eflags &= ~EFL_AC;
    for (unsigned i = 0; i < LEAF_REGIONS; i++) {
        const struct leaf *l = leaf_find(v->windows, n, i << LEAF_SHIFT);
        unsigned pages = 0;

        for (unsigned p = 0; l && p < LEAF_PAGES; p++) {
            uint32_t s = shown[n][i * LEAF_PAGES + p];
            gla_t gla = (i << LEAF_SHIFT) + p * 4096;

            cr_assert((s & 1) == bit_test(l->mapped, p) && (s >> 1 & 1) == bit_test(l->writable, p),
                      "step %u: %x: the bitmaps lie", step, gla);
            if (!s)
                continue;
            pages++;
            cr_assert(mmu_walk(v, gla, how | MMU_PROBE, &w), "step %u: %x is mapped", step, gla);
            cr_assert(w.gpa >> 12 == s >> 2, "step %u: %x: wrong page", step, gla);
            cr_assert(rights_are_true(v, l, gla, how, &w), "step %u: %x: rights", step, gla);
            cr_assert(!(fx_vm.page[s >> 2] & PAGE_MMIO) && !page_is_watched(v, gla));
            if (!(s & 2))
                continue;
            cr_assert(mmu_walk(v, gla, how | MMU_PROBE | MMU_WRITE, &w) && w.dirty &&
                          fx_vm.page[s >> 2] == PAGE_RAM,
                      "step %u: %x is writable", step, gla);
        }
        cr_assert(pages == (l ? l->pages : 0), "step %u: leaf %u", step, i);
        count += pages;
    }
    v->cpl = (uint8_t)saved;
    v->eflags |= ac;
    return count;
}

/* Bits of the tables that a fill may set, and the page it is about. */
static bool shows(const struct vcpu *v, gla_t gla, bool write)
{
    return (shown[here(v)][gla >> 12] & (write ? 3u : 1u)) == (write ? 3u : 1u);
}

static uint32_t rnd(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* ---- 32-bit tables: linear 0-4 MiB by a page table, 4-8 MiB and 1 GiB by big pages ---- */

#define PD    0x2000u
#define PT    0x3000u
#define PD2   0x4000u /* another address space: shares the page table at 1 GiB + 4 MiB */
#define PT2   0x5000u
#define PT3   0x6000u /* linear 1 GiB + 4 MiB in both */
#define P     1u
#define W     2u
#define U     4u
#define PTEA  0x20u
#define PTED  0x40u
#define PS    0x80u
#define G     0x100u
#define UPPER 0x40000000u

static void map(gpa_t pt, gla_t gla, uint32_t pte)
{
    fx_put32(pt + (gla >> 12 & 0x3ff) * 4, pte);
}

static struct vcpu *open_paged(void)
{
    struct vcpu *v = open_windows();

    fx_put32(PD, PT | P | W | U);
    fx_put32(PD2, PT2 | P | W | U);
    fx_put32(PD + 4, 0x00400000 | P | W | U | PS);
    for (gpa_t pd = PD; pd <= PD2; pd += PD2 - PD) {
        fx_put32(pd + (UPPER >> 22) * 4, 0x00800000 | P | W | PS | G | PTEA | PTED);
        fx_put32(pd + (UPPER >> 22) * 4 + 4, PT3 | P | W | U | PTEA);
    }
    v->cr3 = PD;
    v->cr0 |= CR0_PG | CR0_WP;
    v->cr4 = CR4_PSE | CR4_PGE;
    mmu_flush_all(v);
    return v;
}

#endif
