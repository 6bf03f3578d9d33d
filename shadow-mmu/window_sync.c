/* SPDX-License-Identifier: MIT */
/*
 * window_sync.c - what the guest's flushes do to the windows.
 *
 * Promises   After a flush nothing that it covers is mapped other than a fresh walk would allow.
 *            What still is as it was stays mapped: the entries that each mapping came from were
 *            copied, and a flush compares them with the tables of now. So a switch of address
 *            spaces costs a look at the entries in use, and no system call if nothing changed.
 * A and D    The guest cleared A: the page is unmapped, so that the next access sets it again. It
 *            cleared D: the page is write-protected.
 * CR3        The windows of other address spaces are compared when their turn comes, all of them,
 *            global pages too: no INVLPG reached them.
 * Source     SDM vol. 3A, section 4.10.4.
 */
#include "monitor/cpu/breakpoint.h"
#include "shadow-mmu/access.h"
#include "shadow-mmu/window_priv.h"

/* If more page-directory entries than this changed, another program runs there. */
#define CHANGED_MANY 8u

/* CR4.PGE does not count: guests toggle it to flush. */
uint64_t window_mode(const struct vcpu *v)
{
    return (v->cr0 & (CR0_PG | CR0_WP)) | (v->vm->a20 ? 2u : 0) |
           (v->msr.efer & EFER_NXE ? 4u : 0) |
           (uint64_t)(v->cr4 & (CR4_PSE | CR4_PAE | CR4_SMAP | CR4_SMEP)) << 32;
}

/* Calls op for each run of set bits. False: the window is gone. */
static bool for_runs(struct vcpu *v, struct leaf *l, const uint64_t *map,
                     bool (*op)(struct vcpu *, struct leaf *, unsigned first, unsigned count))
{
    for (unsigned i = 0, first; i < LEAF_PAGES; i++) {
        if (!map[i / 64]) {
            i |= 63;
            continue;
        }
        if (!bit_test(map, i))
            continue;
        for (first = i; i + 1 < LEAF_PAGES && bit_test(map, i + 1);)
            i++;
        if (!op(v, l, first, i - first + 1))
            return false;
    }
    return true;
}

static bool make_readonly(struct vcpu *v, struct leaf *l, unsigned first, unsigned count)
{
    return leaf_protect(v, l, first, count, 0);
}

/* Is one of the entries first.. not what its copy is, in any bit? */
static bool run_differs(const uint8_t *ptes, const uint64_t *copy, unsigned first, unsigned count,
                        bool pae)
{
    uint64_t diff = 0;

    if (pae)
        for (unsigned i = first; i < first + count; i++)
            diff |= walk_pte(ptes, i, true) ^ copy[i];
    else
        for (unsigned i = first; i < first + count; i++)
            diff |= walk_pte(ptes, i, false) ^ copy[i];
    return diff;
}

/* The same for those of 64 entries from `first` on whose bit is set in `which`. */
static bool word_differs(const uint8_t *ptes, const uint64_t *copy, unsigned first, uint64_t which,
                         bool pae)
{
    while (which) {
        unsigned i = (unsigned)__builtin_ctzll(which);
        uint64_t rest = ~(which >> i); /* zero where all 64 are named */
        unsigned count = rest ? (unsigned)__builtin_ctzll(rest) : 64;

        if (run_differs(ptes, copy, first + i, count, pae))
            return true;
        which = i + count < 64 ? which & ~0ull << (i + count) : 0;
    }
    return false;
}

/* Compares the pages in `which` with their entries. False: the window is gone. */
static bool check_small(struct vcpu *v, struct leaf *l, const uint8_t *ptes, const uint64_t *which)
{
    uint64_t *copy = v->windows->table[l->table];
    uint64_t drop[LEAF_WORDS] = {0}, readonly[LEAF_WORDS] = {0};
    bool pae = v->cr4 & CR4_PAE, some = false, rest = false, nonglobal = false;

    for (unsigned k = 0; k < LEAF_WORDS; k++) {
        uint64_t m = l->mapped[k] & which[k];

        for (m = word_differs(ptes, copy, k * 64, m, pae) ? m : 0; m; m &= m - 1) {
            unsigned i = k * 64 + (unsigned)__builtin_ctzll(m);
            uint64_t bit = m & -m, pte = walk_pte(ptes, i, pae);

            nonglobal |= !(pte & PTE_G);
            if (entry_changed(pte, copy[i]))
                drop[k] |= bit;
            else if (!(pte & PTE_D) && (l->writable[k] & bit))
                readonly[k] |= bit;
            else
                copy[i] = pte;
        }
        some |= drop[k] || readonly[k];
        rest |= l->mapped[k] != drop[k];
    }
    if (nonglobal)
        bit_put(v->windows->win[l->window].nonglobal, l->region, true);
    if (!some)
        return true;
    if (!rest)
        return leaf_drop(v, l);
    if (!for_runs(v, l, readonly, make_readonly) || !for_runs(v, l, drop, leaf_unmap))
        return false;
    leaf_trim(v->windows, l);
    return true;
}

/* Compares a leaf with the tables of the present address space; of small pages, those in
 * `which`. */
static bool leaf_check(struct vcpu *v, struct leaf *l, const uint64_t *which)
{
    struct window *win = &v->windows->win[l->window];
    uint64_t pde, writable = 0;
    const uint8_t *ptes;

    if (l->kind == LEAF_FLAT)
        return true;
    pde = walk_pde(v, walk_directory(v, l->region), l->region);
    if (entry_changed(pde, win->pde[l->region]))
        return leaf_drop(v, l);
    if (l->kind == LEAF_SMALL) {
        ptes = walk_ptes(v, l->region, pde);
        win->pde[l->region] = pde;
        return ptes ? check_small(v, l, ptes, which) : leaf_drop(v, l);
    }
    if (!(pde & PTE_G))
        bit_put(win->nonglobal, l->region, true);
    for (unsigned k = 0; k < LEAF_WORDS; k++)
        writable |= l->writable[k];
    if (!(pde & PTE_D) && writable)
        return leaf_drop(v, l);
    win->pde[l->region] = pde;
    return true;
}

/* ---- whole windows ---- */

/* Must the leaf be looked at, now that its page-directory entry is this? */
static bool pde_differs(uint64_t now, uint64_t copy)
{
    return entry_changed(now, copy) || (copy & ~now & (PTE_D | PTE_G));
}

unsigned window_differs(const struct vcpu *v, unsigned n, bool keep_global)
{
    const struct window *win = &v->windows->win[n];
    const uint8_t *directory = NULL;
    unsigned count = 0, last = ~0u;

    if (!win->leaves)
        return 0;
    for (unsigned k = 0; k < REGION_WORDS; k++)
        for (uint64_t m = keep_global ? win->nonglobal[k] : win->paged[k]; m; m &= m - 1) {
            unsigned region = k * 64 + (unsigned)__builtin_ctzll(m);

            if (region >> 9 != last)
                directory = walk_directory(v, region);
            last = region >> 9;
            count += pde_differs(walk_pde(v, directory, region), win->pde[region]);
        }
    return count;
}

/* Compares the leaves named in `regions`. False: the window is gone. */
static bool check_regions(struct vcpu *v, unsigned n, const uint64_t *regions,
                          const uint64_t *other)
{
    static const uint64_t all[LEAF_WORDS] = {~0ull, ~0ull, ~0ull, ~0ull,
                                             ~0ull, ~0ull, ~0ull, ~0ull};
    struct windows *ws = v->windows;

    for (unsigned k = 0; k < REGION_WORDS; k++)
        for (uint64_t m = regions[k] & other[k]; m; m &= m - 1) {
            unsigned region = k * 64 + (unsigned)__builtin_ctzll(m);

            if (!leaf_check(v, &ws->leaf[ws->win[n].leaf_of[region]], all))
                return false;
        }
    return true;
}

static void window_resync(struct vcpu *v, unsigned n, bool keep_global)
{
    struct window *win = &v->windows->win[n];
    const uint64_t *regions = keep_global ? win->nonglobal : win->paged;
    unsigned differ;

    if (!win->leaves)
        return;
    v->stats.window_resyncs++;
    differ = window_differs(v, n, keep_global);
    if (differ > CHANGED_MANY && n >= window_supers(v))
        window_drop(v, n);
    else
        check_regions(v, n, regions, differ ? regions : win->small);
}

/* Pages that a data breakpoint lies in are not mapped anywhere. */
static void drop_watched(struct vcpu *v)
{
    for (unsigned d = 0; d < 4; d++)
        for (unsigned n = 0; n < v->host->window_count; n++) {
            struct leaf *l = leaf_find(v->windows, n, v->dr[d]);
            unsigned i = v->dr[d] >> GUEST_PAGE_SHIFT & (LEAF_PAGES - 1);

            if (l && bit_test(l->mapped, i) && breakpoint_on_page(v, v->dr[d]) &&
                leaf_unmap(v, l, i, 1))
                leaf_trim(v->windows, l);
        }
}

static void window_flush(struct vcpu *v, bool keep_global)
{
    struct windows *ws = v->windows;
    uint64_t mode = window_mode(v);
    unsigned super;

    v->bt.windowed = window_usable(v);
    if (!v->host->window_count)
        return;
    if (mode != ws->mode) {
        window_drop_all(v);
        ws->mode = mode;
    }
    if (!ws->leaves) { /* all are as good as another */
        window_select(v);
        return;
    }
    if (v->dr_armed)
        drop_watched(v);
    keep_global = keep_global && (v->cr4 & CR4_PGE);
    super = ws->super;
    window_select_super(v, keep_global);
    window_resync(v, ws->super, keep_global && ws->super == super);
    window_select(v);
    window_resync(v, ws->current, false);
}

/* Flushes the page of gla in window n; the whole big page where gla lies or lay in one. */
static void flush_in(struct vcpu *v, unsigned n, gla_t gla)
{
    uint64_t which[LEAF_WORDS] = {0};
    unsigned i = gla >> GUEST_PAGE_SHIFT & (LEAF_PAGES - 1);
    struct leaf *l = leaf_find(v->windows, n, gla);

    which[i / 64] = 1ull << (i % 64);
    if (l && (l->kind != LEAF_SMALL || bit_test(l->mapped, i)))
        leaf_check(v, l, which);
    l = leaf_find(v->windows, n, gla ^ 1u << LEAF_SHIFT); /* the other half of 4 MiB */
    if (l && l->kind == LEAF_BIG && !(v->cr4 & CR4_PAE))
        leaf_check(v, l, which);
}

static void window_flush_page(struct vcpu *v, gla_t gla)
{
    if (!v->windows->leaves)
        return;
    flush_in(v, v->windows->super, gla);
    flush_in(v, v->windows->current, gla);
}

static void window_flush_gpa(struct vcpu *v, gpa_t page)
{
    if (phys_kind(v->vm, page) & PAGE_MMIO)
        window_drop_all(v); /* read-only mappings are on no map */
    else
        window_protect_gpa(v, page);
}

static void flushed(struct vcpu *v, enum flush_kind kind, gla_t gla)
{
    if (kind == FLUSH_PAGE || kind == FLUSH_REGION)
        window_flush_page(v, gla);
    else
        window_flush(v, kind == FLUSH_NONGLOBAL);
}

/* Pages of *l that lie in [gpa, gpa+len) are unmapped. False: the window is gone. */
static bool leaf_forget(struct vcpu *v, struct leaf *l, gpa_t gpa, uint64_t len)
{
    uint64_t drop[LEAF_WORDS] = {0}, any = 0;

    for (unsigned k = 0; k < LEAF_WORDS; k++) {
        for (uint64_t m = l->mapped[k]; m; m &= m - 1)
            if (leaf_gpa(v, l, k * 64 + (unsigned)__builtin_ctzll(m)) - gpa < len)
                drop[k] |= m & -m;
        any |= drop[k];
    }
    if (!any)
        return true;
    if (!for_runs(v, l, drop, leaf_unmap))
        return false;
    leaf_trim(v->windows, l);
    return true;
}

static void window_memory_changed(struct vcpu *v, gpa_t gpa, uint64_t len)
{
    struct windows *ws = v->windows;

    for (unsigned n = 0; n < v->host->window_count; n++)
        for (unsigned small = 0; small < 2; small++)
            for (uint16_t at = ws->win[n].list[small], next; at; at = next) {
                next = ws->leaf[at].next;
                if (!leaf_forget(v, &ws->leaf[at], gpa, len))
                    break;
            }
}

const struct mmu_listener window_listener = {
    .flushed = flushed, .page_changed = window_flush_gpa, .memory_changed = window_memory_changed};
