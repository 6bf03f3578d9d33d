/* SPDX-License-Identifier: MIT */
/*
 * window.c - filling the windows: which pages of which address space may be mapped, and how.
 *
 * Promises   A page is mapped only as the guest's tables allow at that moment, with A (and D, to be
 *            writable) set already: by this access for the page that trapped, before it for its
 *            neighbours, which are mapped along so that they need not trap. An access that faults
 *            on the second of its pages marks neither.
 * Not here   The mappings themselves (window_map.c), what becomes of them later (window_sync.c).
 * Source     SDM vol. 3A, sections 4.6 (rights), 4.8 (A and D), 4.10.2.3 (what a TLB may hold).
 */
#include "monitor/cpu/breakpoint.h"
#include "shadow-mmu/access.h"
#include "shadow-mmu/window_priv.h"

/* How many runs after the page that trapped are mapped along, and how many pages away they may be.
 */
#define AROUND_RUNS  4u
#define AROUND_PAGES 16u
/* No instruction of translated code accesses more at once. */
#define WIDEST_ACCESS 16u

enum rights { RIGHTS_NONE, RIGHTS_READ, RIGHTS_WRITE };

/* A page as the tables have it now. */
struct page_view {
    uint64_t pte;
    gpa_t gpa;
    enum rights rights;
    bool global;
};

/* The leaf that is being filled. */
struct fill {
    struct vcpu *v;
    struct leaf *l;
    struct mmu_walk walk; /* of the page that trapped: for big pages, of all */
    bool user;
};

size_t window_size(void)
{
    return sizeof(struct windows);
}

void window_init(struct vcpu *v, void *memory)
{
    mmu_listen(v, &window_listener);
    v->windows = memory;
    v->windows->budget = v->host->window_runs;
    v->windows->current = v->host->window_count ? window_empty(v) : 0;
    v->bt.windowed = window_usable(v);
    window_select(v);
}

bool window_usable(const struct vcpu *v)
{
    /* A20 off cuts all physical runs in two, for nothing that anyone runs for long. */
    return v->windows && v->host->window_count >= 3 && v->vm->a20 && !v->windows->off;
}

/* ---- rights ---- */

static enum rights rights_of(struct vcpu *v, bool user, gla_t gla, const struct mmu_walk *w)
{
    uint8_t kind = phys_kind(v->vm, w->gpa);
    bool write = w->writable;

    if ((kind & PAGE_MMIO) || breakpoint_on_page(v, gla))
        return RIGHTS_NONE;
    if (user) {
        if (!w->user)
            return RIGHTS_NONE;
    } else {
        if ((v->cr0 & CR0_PG) && w->user &&
            (w->page_size == GUEST_PAGE_SIZE || (v->cr4 & CR4_SMAP)))
            return RIGHTS_NONE;
        write |= !(v->cr0 & CR0_WP);
    }
    return write && w->dirty && page_takes_writes(kind) ? RIGHTS_WRITE : RIGHTS_READ;
}

/* Are the tables in RAM, with A set everywhere? Others are not worth copying. */
static bool trail_is_plain(const struct vcpu *v, const struct walk_trail *t)
{
    for (unsigned i = 0; i < t->count; i++)
        if (!(t->entry[i] & PTE_A) || (phys_kind(v->vm, t->gpa[i]) & PAGE_MMIO))
            return false;
    return true;
}

/* Looks at page i of the leaf and fills in *p; false: it cannot be mapped. */
static bool page_look(const struct fill *f, unsigned i, struct page_view *p)
{
    struct vcpu *v = f->v;
    gla_t gla = leaf_gla(f->l, i);
    struct mmu_walk w = f->walk;
    struct walk_trail t;

    p->pte = 0;
    if (f->l->kind == LEAF_SMALL) {
        if (!walk_tables(v, gla, &t) || !trail_is_plain(v, &t))
            return false;
        walk_combine(v, &t, &w);
        p->pte = t.entry[1];
    } else {
        w.gpa = f->l->frame + (i << GUEST_PAGE_SHIFT);
    }
    p->gpa = w.gpa & ~(gpa_t)GUEST_PAGE_MASK;
    p->global = w.global;
    p->rights = rights_of(v, f->user, gla, &w);
    return p->rights != RIGHTS_NONE;
}

static void page_copy(const struct fill *f, unsigned i, const struct page_view *p)
{
    if (f->l->kind == LEAF_SMALL)
        f->v->windows->table[f->l->table][i] = p->pte;
    if (!p->global)
        bit_put(f->v->windows->win[f->l->window].nonglobal, f->l->region, true);
}

/* ---- runs ---- */

/* Does `gpa` lie `distance` pages after `from`, in the same piece of host memory? */
static bool follows(const struct vm *vm, gpa_t from, gpa_t gpa, int distance)
{
    uint64_t apart = (uint64_t)((int64_t)distance * GUEST_PAGE_SIZE);

    return gpa == from + apart && phys_offset(vm, gpa) == phys_offset(vm, from) + apart;
}

/* May page i join the run of *like, `distance` pages away? Copies its entry if so. */
static bool page_joins(const struct fill *f, unsigned i, const struct page_view *like, int distance,
                       bool upgrade)
{
    struct page_view p;

    if (bit_test(f->l->mapped, i) != upgrade || (upgrade && bit_test(f->l->writable, i)) ||
        !page_look(f, i, &p) || p.rights != like->rights)
        return false;
    if (upgrade ? p.gpa != leaf_gpa(f->v, f->l, i) : !follows(f->v->vm, like->gpa, p.gpa, distance))
        return false;
    page_copy(f, i, &p);
    return true;
}

/* Maps page i, which is not mapped, with its neighbours on both sides; `upgrade`: makes it and
 * them, which are mapped, writable. Returns the last page of the run, or -1 when the host
 * refuses. */
static int run_fill(const struct fill *f, unsigned i, const struct page_view *p, bool upgrade)
{
    unsigned lo = i, hi = i;
    bool ok;

    page_copy(f, i, p);
    while (lo > 0 && page_joins(f, lo - 1, p, (int)(lo - 1 - i), upgrade))
        lo--;
    while (hi + 1 < LEAF_PAGES && page_joins(f, hi + 1, p, (int)(hi + 1 - i), upgrade))
        hi++;
    if (upgrade)
        ok = leaf_protect(f->v, f->l, lo, hi - lo + 1, HOST_MAP_WRITE);
    else
        ok = leaf_map(f->v, f->l, lo, hi - lo + 1, p->gpa - ((gpa_t)(i - lo) << GUEST_PAGE_SHIFT),
                      p->rights == RIGHTS_WRITE ? HOST_MAP_WRITE : 0);
    return ok ? (int)hi : -1;
}

/* Makes the one page executable, and not writable: whoever fetches from it has looked at its bytes
 * and hears of stores. */
static bool fill_exec(const struct fill *f, unsigned i, const struct page_view *p)
{
    bool mapped = bit_test(f->l->mapped, i) && p->gpa == leaf_gpa(f->v, f->l, i);

    if (!mapped && bit_test(f->l->mapped, i) && !leaf_unmap(f->v, f->l, i, 1))
        return false;
    page_copy(f, i, p);
    return mapped ? leaf_protect(f->v, f->l, i, 1, HOST_MAP_EXEC)
                  : leaf_map(f->v, f->l, i, 1, p->gpa, HOST_MAP_EXEC);
}

/* Maps runs after the page that trapped: pages that the guest uses now but that lie elsewhere in
 * its memory. False: the host refuses. */
static bool fill_around(const struct fill *f, unsigned i)
{
    unsigned end = i + AROUND_PAGES < LEAF_PAGES ? i + AROUND_PAGES : LEAF_PAGES;
    struct page_view p;

    for (unsigned runs = 0; runs < AROUND_RUNS && i < end; i++) {
        int last;

        if (bit_test(f->l->mapped, i))
            continue;
        if (!window_has_room(f->v) || !page_look(f, i, &p))
            return true;
        last = run_fill(f, i, &p, false);
        if (last < 0)
            return false;
        i = (unsigned)last;
        runs++;
    }
    return true;
}

/* The leaf of gla, which holds nothing that came from another page-directory entry. */
static struct leaf *leaf_get(struct vcpu *v, unsigned n, gla_t gla, const struct walk_trail *t)
{
    struct leaf *l = leaf_find(v->windows, n, gla);
    enum leaf_kind kind = LEAF_FLAT;
    gla_t off = gla & ((1u << LEAF_SHIFT) - 1);

    if (v->cr0 & CR0_PG)
        kind = t->count == 1 ? LEAF_BIG : LEAF_SMALL;
    if (l && (l->kind != kind || entry_changed(t->entry[0], v->windows->win[n].pde[l->region]))) {
        leaf_drop(v, l);
        l = NULL;
    }
    if (!l)
        l = leaf_new(v, n, gla >> LEAF_SHIFT, kind);
    v->windows->win[n].pde[l->region] = t->entry[0];
    l->frame = t->frame - off;
    return l;
}

/* Maps the page of gla and what goes with it. */
static bool fill_leaf(struct vcpu *v, gla_t gla, unsigned access, const struct walk_trail *t,
                      const struct mmu_walk *w)
{
    bool user = v->cpl == 3, write = access == MMU_WRITE;
    struct fill f = {.v = v, .walk = *w, .user = user};
    unsigned i = gla >> GUEST_PAGE_SHIFT & (LEAF_PAGES - 1);
    struct page_view p;
    bool mapped;

    if (user && v->windows->current == window_empty(v))
        window_claim(v);
    window_make_room(v);
    f.l = leaf_get(v, user ? v->windows->current : v->windows->super, gla, t);
    mapped = bit_test(f.l->mapped, i);
    if (!page_look(&f, i, &p) || (write && p.rights != RIGHTS_WRITE)) {
        leaf_trim(v->windows, f.l);
        return false;
    }
    if (access == MMU_EXEC)
        return fill_exec(&f, i, &p);
    if (mapped && write && !bit_test(f.l->writable, i) && p.gpa == leaf_gpa(v, f.l, i))
        return run_fill(&f, i, &p, true) >= 0;
    /* Mapped already: to another page, or the host knows better than the bitmap. */
    if (mapped && !leaf_unmap(v, f.l, i, 1))
        return false;
    return run_fill(&f, i, &p, false) >= 0 && fill_around(&f, i + 1);
}

/* ---- the trap ---- */

/* Are A in all entries and, for a write, D set already? */
static bool is_marked(struct vcpu *v, gla_t gla, bool write)
{
    struct walk_trail t;

    if (!(v->cr0 & CR0_PG))
        return true;
    if (!walk_tables(v, gla, &t))
        return false;
    for (unsigned i = 0; i < t.count; i++)
        if (!(t.entry[i] & PTE_A))
            return false;
    return !write || (t.entry[t.count - 1] & PTE_D);
}

/* May an access near the end of a page go on to a page that faults? Then the interpreter leaves A
 * and D of this one as they were, and so must window_fill(). */
static bool may_fault_after(struct vcpu *v, gla_t gla, unsigned how)
{
    struct mmu_walk w;

    if ((gla & GUEST_PAGE_MASK) + WIDEST_ACCESS <= GUEST_PAGE_SIZE ||
        is_marked(v, gla, how & MMU_WRITE))
        return false;
    return !mmu_walk(v, (gla | GUEST_PAGE_MASK) + 1u, how | MMU_PROBE, &w);
}

bool window_fill(struct vcpu *v, gla_t gla, unsigned access)
{
    unsigned how = lin_how(v) | access;
    bool write = access == MMU_WRITE;
    struct walk_trail t = {.count = 0, .frame = gla};
    struct mmu_walk w;
    enum rights rights;

    if (!window_usable(v) || !mmu_walk(v, gla, how | MMU_PROBE, &w))
        return false;
    w.dirty |= write;
    rights = rights_of(v, v->cpl == 3, gla, &w);
    if (rights == RIGHTS_NONE || (write && rights != RIGHTS_WRITE))
        return false;
    if (may_fault_after(v, gla, how))
        return false;
    if (!mmu_walk(v, gla, how, &w))
        return false;
    if (v->cr0 & CR0_PG) {
        if (!walk_tables(v, gla, &t) || !trail_is_plain(v, &t))
            return false;
        walk_combine(v, &t, &w);
    }
    return fill_leaf(v, gla, access, &t, &w);
}
