/* SPDX-License-Identifier: MIT */
/*
 * window_space.c - which window belongs to which address space.
 *
 * User       By CR3; the one that was not used for the longest time gives way.
 * Supervisor By content: address spaces whose kernel halves are the same share a window, so that a
 *            switch between them costs a comparison. Where the halves differ much (page-table
 *            isolation: one CR3 for the kernel, one for programs) each kind gets its own.
 * Losses     A window that is not of the present kind loses its leaves at each switch. Their number
 *            says what sharing costs, and is weighed against what another window's eviction would
 *            cost, so that no guest pays more than twice what one of the two ways alone would cost.
 */
#include "shadow-mmu/window_priv.h"

#define KEY_FLAT 1u /* no CR3 has this bit */
/* How many lost leaves justify another window. */
#define LOSSES_MANY 8u

static uint64_t window_key(const struct vcpu *v)
{
    if (!(v->cr0 & CR0_PG))
        return KEY_FLAT;
    return v->cr3 & (v->cr4 & CR4_PAE ? ~0x1fu : ~0xfffu);
}

/* ---- user windows ---- */

void window_select(struct vcpu *v)
{
    struct windows *ws = v->windows;
    const struct vcpu_host *h = v->host;
    uint64_t key;

    if (!ws || !h->window_count)
        return;
    key = window_key(v);
    if (!ws->win[ws->current].used || ws->win[ws->current].key != key) {
        ws->current = window_empty(v);
        for (unsigned n = window_supers(v); n < window_empty(v); n++)
            if (ws->win[n].used && ws->win[n].key == key)
                ws->current = n;
    }
    ws->win[ws->current].last_use = ++ws->clock;
    v->bt.super = ws->super;
    v->bt.window[0] = h->window_base[ws->super];
    v->bt.window[1] = h->window_base[ws->current];
}

void window_claim(struct vcpu *v)
{
    struct windows *ws = v->windows;
    unsigned best = window_supers(v);

    for (unsigned n = best; n < window_empty(v); n++)
        if (ws->win[best].used &&
            (!ws->win[n].used || ws->win[n].last_use < ws->win[best].last_use))
            best = n;
    if (ws->win[best].leaves)
        v->stats.window_evictions++;
    window_drop(v, best);
    ws->win[best].used = true;
    ws->win[best].key = window_key(v);
    window_select(v);
}

/* ---- supervisor windows ---- */

static struct window_hint *hint_of(struct windows *ws, uint64_t key)
{
    return &ws->hint[(uint32_t)key * 2654435761u >> 26];
}
_Static_assert(WINDOW_HINTS == 1u << 6, "hint_of() takes six bits");

/* The window with the most leaves that would stay less those that would be lost; at first `n`. */
static unsigned best_fit(const struct vcpu *v, unsigned n, unsigned *lost)
{
    const struct windows *ws = v->windows;
    int64_t best = (int64_t)ws->win[n].leaves - 2 * (int64_t)*lost;

    for (unsigned o = 0; o < window_supers(v); o++) {
        unsigned other = window_differs(v, o, false);
        int64_t fit = (int64_t)ws->win[o].leaves - 2 * (int64_t)other;

        if (ws->win[o].leaves && fit > best) {
            best = fit;
            n = o;
            *lost = other;
        }
    }
    return n;
}

/* An empty window other than n, or the one not used for the longest time. */
static unsigned victim_of(const struct vcpu *v, unsigned n)
{
    const struct windows *ws = v->windows;
    unsigned best = n == 0;

    for (unsigned o = 0; o < window_supers(v); o++)
        if (o != n && ws->win[best].leaves &&
            (!ws->win[o].leaves || ws->win[o].last_use < ws->win[best].last_use))
            best = o;
    return best;
}

/* The present address space takes `lost` leaves of window n away: is it time for another one? */
static unsigned weigh(struct vcpu *v, unsigned n, unsigned lost)
{
    struct windows *ws = v->windows;
    unsigned victim = victim_of(v, n);

    ws->losses += lost;
    if (ws->losses < LOSSES_MANY + ws->win[victim].leaves)
        return n;
    if (ws->win[victim].leaves)
        v->stats.window_evictions++;
    window_drop(v, victim);
    ws->losses = 0;
    return victim;
}

void window_select_super(struct vcpu *v, bool keep_global)
{
    struct windows *ws = v->windows;
    uint64_t key = window_key(v);
    struct window_hint *hint = hint_of(ws, key);
    bool known = hint->key == key;
    unsigned n = known ? hint->super : ws->super;
    unsigned lost;

    if (window_supers(v) == 1)
        return;
    lost = window_differs(v, n, keep_global && n == ws->super);
    if (!known || lost)
        n = best_fit(v, n, &lost);
    if (lost)
        n = weigh(v, n, lost);
    else if (ws->losses)
        ws->losses--;
    *hint = (struct window_hint){.key = key, .super = n};
    ws->win[n].last_use = ++ws->clock;
    ws->super = n;
}
