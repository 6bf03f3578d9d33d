/* SPDX-License-Identifier: MIT */
/*
 * window_map.c - the mappings in the windows: making and undoing them, counting them, keeping the
 * budgets, finding them by physical page.
 *
 * Promises   The host's mappings and the bitmaps agree after every function. Whatever cannot be
 *            unmapped singly takes its whole window along.
 * Not here   Which page may be mapped how (window.c), when it may no longer (window_sync.c).
 *
 * The reverse map has one word for each physical page: where small pages map it for writing. 0:
 * nowhere. One mapping: RMAP_ONE | window << 20 | linear page. More: the set of windows. An entry
 * may be stale (its mapping is gone already), never missing. Big pages are few and searched.
 */
#include "shadow-mmu/window_priv.h"

#define RMAP_ONE (1u << 31)
/* What an operation of window.c may add before it looks at the budget again. */
#define RUNS_SPARE 8u
/* Less is not worth the trouble. */
#define BUDGET_LEAST 128u
/* How many operations the host must have done until the budget doubles again. */
#define GRANTED_ENOUGH 64u

_Static_assert(HOST_WINDOWS <= 16, "the reverse map has four bits for it");

/* ---- counting ---- */

static unsigned bits_set(uint64_t x)
{
    x -= x >> 1 & 0x5555555555555555u;
    x = (x & 0x3333333333333333u) + (x >> 2 & 0x3333333333333333u);
    x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fu;
    return (unsigned)((x * 0x0101010101010101u) >> 56);
}

/* Counts the host mappings that *l needs: one begins wherever a page is not like its predecessor,
 * and after the last page. */
static void leaf_count(struct windows *ws, struct leaf *l)
{
    uint64_t m0 = ~l->mapped[0] << 63, w0 = 0, x0 = 0; /* the first page always begins one */
    unsigned runs = 1;

    for (unsigned k = 0; k < LEAF_WORDS; k++) {
        uint64_t m = l->mapped[k], before = m << 1 | m0 >> 63;
        uint64_t w = l->writable[k], w_before = w << 1 | w0 >> 63;
        uint64_t x = l->exec[k], other = (w ^ w_before) | (x ^ (x << 1 | x0 >> 63));

        runs += bits_set((m ^ before) | (m & before & (other | ~l->joins[k])));
        m0 = m;
        w0 = w;
        x0 = x;
    }
    ws->win[l->window].runs += runs - l->runs;
    ws->runs += runs - l->runs;
    l->runs = (uint16_t)runs;
}

gpa_t leaf_gpa(const struct vcpu *v, const struct leaf *l, unsigned i)
{
    uint64_t pte;

    if (l->kind != LEAF_SMALL)
        return l->frame + (i << GUEST_PAGE_SHIFT);
    pte = v->windows->table[l->table][i];
    return v->cr4 & CR4_PAE ? pte & PAE_ADDR : (uint32_t)pte & ~GUEST_PAGE_MASK;
}

/* ---- leaves ---- */

static void list_remove(struct windows *ws, struct leaf *l)
{
    uint16_t *head = &ws->win[l->window].list[l->kind == LEAF_SMALL];

    *(l->prev ? &ws->leaf[l->prev].next : head) = l->next;
    if (l->next)
        ws->leaf[l->next].prev = l->prev;
    if (!ws->win[l->window].list[0])
        ws->big &= ~(1u << l->window);
}

static void leaf_free(struct windows *ws, struct leaf *l)
{
    struct window *win = &ws->win[l->window];

    list_remove(ws, l);
    win->leaf_of[l->region] = 0;
    bit_put(win->paged, l->region, false);
    bit_put(win->small, l->region, false);
    bit_put(win->nonglobal, l->region, false);
    win->leaves--;
    ws->leaves--;
    win->runs -= l->runs;
    ws->runs -= l->runs;
    if (l->table) {
        ws->table_next[l->table] = ws->table_free;
        ws->table_free = l->table;
    }
    l->next = ws->leaf_free;
    ws->leaf_free = (uint16_t)(l - ws->leaf);
}

void leaf_trim(struct windows *ws, struct leaf *l)
{
    if (!l->pages)
        leaf_free(ws, l);
}

static uint16_t table_new(struct windows *ws)
{
    uint16_t at = ws->table_free;

    if (!at)
        return ++ws->table_used;
    ws->table_free = ws->table_next[at];
    return at;
}

struct leaf *leaf_new(struct vcpu *v, unsigned n, unsigned region, enum leaf_kind kind)
{
    struct windows *ws = v->windows;
    uint16_t *head = &ws->win[n].list[kind == LEAF_SMALL];
    uint16_t at = ws->leaf_free;
    struct leaf *l;

    if (at)
        ws->leaf_free = ws->leaf[at].next;
    else
        at = ++ws->leaf_used;
    l = &ws->leaf[at];
    *l = (struct leaf){.region = (uint16_t)region,
                       .window = (uint8_t)n,
                       .kind = (uint8_t)kind,
                       .next = *head,
                       .table = kind == LEAF_SMALL ? table_new(ws) : 0};
    if (*head)
        ws->leaf[*head].prev = at;
    *head = at;
    ws->big |= (uint32_t)(kind != LEAF_SMALL) << n;
    ws->win[n].leaf_of[region] = at;
    ws->win[n].leaves++;
    ws->leaves++;
    bit_put(ws->win[n].paged, region, kind != LEAF_FLAT);
    bit_put(ws->win[n].small, region, kind == LEAF_SMALL);
    return l;
}

/* ---- whole windows ---- */

static void turn_off(struct vcpu *v)
{
    v->windows->off = true;
    v->bt.windowed = false;
    vcpu_attend(v, ATT_MODE); /* the context of translated code is another one now */
}

void window_drop(struct vcpu *v, unsigned n)
{
    struct windows *ws = v->windows;
    const struct vcpu_host *h = v->host;

    if (!ws->win[n].list[0] && !ws->win[n].list[1])
        return;
    if (h->window_unmap(h->opaque, n, 0, WINDOW_BYTES))
        turn_off(v);
    for (unsigned small = 0; small < 2; small++)
        while (ws->win[n].list[small]) {
            struct leaf *l = &ws->leaf[ws->win[n].list[small]];

            v->stats.window_unmaps += l->pages;
            leaf_free(ws, l);
        }
}

void window_drop_all(struct vcpu *v)
{
    for (unsigned n = 0; v->windows->leaves && n < v->host->window_count; n++)
        window_drop(v, n);
}

/* Drops the window with the most mappings. */
static void evict(struct vcpu *v)
{
    const struct windows *ws = v->windows;
    unsigned most = 0;

    for (unsigned n = 1; n < v->host->window_count; n++)
        if (ws->win[n].runs > ws->win[most].runs)
            most = n;
    v->stats.window_evictions++;
    window_drop(v, most);
}

bool window_has_room(const struct vcpu *v)
{
    return v->windows->runs + RUNS_SPARE <= v->windows->budget;
}

void window_make_room(struct vcpu *v)
{
    const struct windows *ws = v->windows;

    while (!window_has_room(v) || (!ws->leaf_free && ws->leaf_used + 1u >= LEAF_COUNT) ||
           (!ws->table_free && ws->table_used + 1u >= TABLE_COUNT))
        evict(v);
}

static void host_granted(struct vcpu *v)
{
    struct windows *ws = v->windows;

    if (ws->budget == v->host->window_runs || ++ws->granted < GRANTED_ENOUGH)
        return;
    ws->granted = 0;
    ws->budget *= 2;
}

/* The host may be at a limit that we do not know: we make do with fewer mappings, in the end with
 * the software TLB. */
static void host_refused(struct vcpu *v)
{
    struct windows *ws = v->windows;

    v->stats.window_refusals++;
    ws->granted = 0;
    ws->budget /= 2;
    if (ws->budget >= BUDGET_LEAST)
        return;
    ws->budget = BUDGET_LEAST;
    window_drop_all(v);
    turn_off(v);
}

/* Brings *l's counts in step after an operation that the host did, or refused (done is false). */
static bool settle(struct vcpu *v, struct leaf *l, bool done)
{
    struct windows *ws = v->windows;
    unsigned n = l->window;

    leaf_count(ws, l);
    if (done)
        host_granted(v);
    if (done && ws->runs <= ws->budget)
        return true;
    v->stats.window_evictions++;
    window_drop(v, n);
    if (!done)
        host_refused(v);
    return false;
}

/* ---- by physical page ---- */

/* Does page i of *l, a leaf of small pages, map `gpa` for writing or fetching? */
static bool maps_for_more(const struct vcpu *v, const struct leaf *l, unsigned i, gpa_t gpa)
{
    return (bit_test(l->writable, i) || bit_test(l->exec, i)) && leaf_gpa(v, l, i) == gpa;
}

static struct leaf *rmap_leaf(struct windows *ws, uint32_t word)
{
    return leaf_find(ws, word >> 20 & 15, word << GUEST_PAGE_SHIFT);
}

static void rmap_add(struct vcpu *v, const struct leaf *l, unsigned i)
{
    struct windows *ws = v->windows;
    gpa_t gpa = leaf_gpa(v, l, i);
    uint32_t *r = &ws->rmap[gpa >> GUEST_PAGE_SHIFT];
    uint32_t word = RMAP_ONE | (uint32_t)l->window << 20 | leaf_gla(l, i) >> GUEST_PAGE_SHIFT;

    if (*r && *r != word && (*r & RMAP_ONE)) {
        const struct leaf *other = rmap_leaf(ws, *r);

        if (other && other->kind == LEAF_SMALL &&
            maps_for_more(v, other, *r & (LEAF_PAGES - 1), gpa))
            *r = 1u << (*r >> 20 & 15);
        else
            *r = 0;
    }
    if (!*r)
        *r = word;
    else if (!(*r & RMAP_ONE))
        *r |= 1u << l->window;
}

/* Protects the page wherever the small pages of window n map it. */
static void protect_search(struct vcpu *v, unsigned n, gpa_t page)
{
    struct windows *ws = v->windows;
    uint16_t next;

    for (uint16_t at = ws->win[n].list[1]; at; at = next) {
        struct leaf *l = &ws->leaf[at];

        next = l->next;
        for (unsigned k = 0; k < LEAF_WORDS; k++)
            for (uint64_t w = l->writable[k] | l->exec[k]; w; w &= w - 1) {
                unsigned i = k * 64 + (unsigned)__builtin_ctzll(w);

                if (leaf_gpa(v, l, i) == page && !leaf_protect(v, l, i, 1, 0))
                    return;
            }
    }
}

/* Protects the page wherever flat and big pages of window n map it. */
static void protect_big(struct vcpu *v, unsigned n, gpa_t page)
{
    struct windows *ws = v->windows;
    uint16_t next;

    for (uint16_t at = ws->win[n].list[0]; at; at = next) {
        struct leaf *l = &ws->leaf[at];
        uint64_t i = (page - l->frame) >> GUEST_PAGE_SHIFT;

        next = l->next;
        if (i < LEAF_PAGES &&
            (bit_test(l->writable, (unsigned)i) || bit_test(l->exec, (unsigned)i)) &&
            !leaf_protect(v, l, (unsigned)i, 1, 0))
            return;
    }
}

void window_protect_gpa(struct vcpu *v, gpa_t page)
{
    struct windows *ws = v->windows;
    uint32_t *r, word;

    if (!ws->leaves)
        return;
    for (uint32_t big = ws->big; big; big &= big - 1)
        protect_big(v, (unsigned)__builtin_ctz(big), page);
    if (page >> GUEST_PAGE_SHIFT >= RMAP_PAGES)
        return;
    r = &ws->rmap[page >> GUEST_PAGE_SHIFT];
    word = *r;
    *r = 0;
    if (word & RMAP_ONE) {
        struct leaf *l = rmap_leaf(ws, word);
        unsigned i = word & (LEAF_PAGES - 1);

        if (l && l->kind == LEAF_SMALL && maps_for_more(v, l, i, page))
            leaf_protect(v, l, i, 1, 0);
        return;
    }
    for (; word; word &= word - 1)
        protect_search(v, (unsigned)__builtin_ctz(word), page);
}

/* ---- mapping ---- */

static void mark(uint64_t *map, unsigned first, unsigned count, bool on)
{
    for (unsigned i = first; i < first + count; i++)
        if (on)
            map[i / 64] |= 1ull << (i % 64);
        else
            map[i / 64] &= ~(1ull << (i % 64));
}

/* Does page i go on where page i - 1 ends? */
static void mark_join(const struct vcpu *v, struct leaf *l, unsigned i)
{
    if (i && i < LEAF_PAGES)
        mark(l->joins, i, 1,
             bit_test(l->mapped, i) && bit_test(l->mapped, i - 1) &&
                 phys_offset(v->vm, leaf_gpa(v, l, i)) ==
                     phys_offset(v->vm, leaf_gpa(v, l, i - 1)) + GUEST_PAGE_SIZE);
}

static void mark_rights(struct vcpu *v, struct leaf *l, unsigned first, unsigned count,
                        unsigned rights)
{
    mark(l->writable, first, count, rights & HOST_MAP_WRITE);
    mark(l->exec, first, count, rights & HOST_MAP_EXEC);
    if (rights && l->kind == LEAF_SMALL)
        for (unsigned i = first; i < first + count; i++)
            rmap_add(v, l, i);
}

/* Returns HOST_MAP_USER and HOST_MAP_GLOBAL if the entries of all `count` pages from `first` on say
 * so. */
static unsigned entry_rights(const struct vcpu *v, const struct leaf *l, unsigned first,
                             unsigned count)
{
    const struct windows *ws = v->windows;
    uint64_t upper = ws->win[l->window].pde[l->region], lower = upper;

    if (l->kind == LEAF_FLAT)
        return HOST_MAP_USER;
    if (l->kind == LEAF_SMALL) {
        lower = ~0ull;
        for (unsigned i = first; i < first + count; i++)
            lower &= ws->table[l->table][i];
    }
    return (upper & lower & PTE_U ? HOST_MAP_USER : 0) |
           ((lower & PTE_G) && (v->cr4 & CR4_PGE) ? HOST_MAP_GLOBAL : 0);
}

bool leaf_map(struct vcpu *v, struct leaf *l, unsigned first, unsigned count, gpa_t gpa,
              unsigned rights)
{
    const struct vcpu_host *h = v->host;
    uint64_t len = (uint64_t)count << GUEST_PAGE_SHIFT;

    if (h->window_map(h->opaque, l->window, leaf_gla(l, first), phys_offset(v->vm, gpa), len,
                      rights | entry_rights(v, l, first, count)))
        return settle(v, l, false);
    v->stats.window_maps += count;
    l->pages = (uint16_t)(l->pages + count);
    mark(l->mapped, first, count, true);
    mark_rights(v, l, first, count, rights);
    mark(l->joins, first, count, true);
    mark_join(v, l, first);
    mark_join(v, l, first + count);
    return settle(v, l, true);
}

bool leaf_unmap(struct vcpu *v, struct leaf *l, unsigned first, unsigned count)
{
    const struct vcpu_host *h = v->host;
    uint64_t len = (uint64_t)count << GUEST_PAGE_SHIFT;

    if (h->window_unmap(h->opaque, l->window, leaf_gla(l, first), len))
        return settle(v, l, false);
    v->stats.window_unmaps += count;
    l->pages = (uint16_t)(l->pages - count);
    mark(l->mapped, first, count, false);
    mark_rights(v, l, first, count, 0);
    mark(l->joins, first, count, false);
    mark_join(v, l, first + count);
    return settle(v, l, true);
}

bool leaf_protect(struct vcpu *v, struct leaf *l, unsigned first, unsigned count, unsigned rights)
{
    const struct vcpu_host *h = v->host;
    uint64_t len = (uint64_t)count << GUEST_PAGE_SHIFT;

    if (h->window_protect(h->opaque, l->window, leaf_gla(l, first), len,
                          rights | entry_rights(v, l, first, count)))
        return settle(v, l, false);
    mark_rights(v, l, first, count, rights);
    return settle(v, l, true);
}

bool leaf_drop(struct vcpu *v, struct leaf *l)
{
    const struct vcpu_host *h = v->host;

    if (h->window_unmap(h->opaque, l->window, leaf_gla(l, 0), 1u << LEAF_SHIFT))
        return settle(v, l, false);
    v->stats.window_unmaps += l->pages;
    leaf_free(v->windows, l);
    return true;
}
