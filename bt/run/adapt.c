/* SPDX-License-Identifier: MIT */
/* adapt.c - see adapt.h. */
#include "bt/run/adapt.h"

#include "bt/run/run_priv.h"
#include "bt/translate/adapt_form.h"
#include "include/ring1/mem.h"
#include "shadow-mmu/access.h"
#include "shadow-mmu/window.h"

/* An address space gets a window when this many looks at the clock, about one in a millisecond,
 * have found it running: a process that ends sooner does not pay for one. */
#define SPACE_HOT_TICKS 3u
/* An emulated access gains nothing and is likely to come again; a filled one is an investment: the
 * loop over an array that causes thousands of them in its first round runs at full speed after. */
#define TRAPS_EMULATED   64u
#define TRAPS_FILLED     1u
#define TRAPS_SOFT       256u /* between two sweeps: makes a site soft */
#define SWEEP_NS         16000000ull
#define LEVEL_MAX        8u /* of sites that are emulated */
#define LEVEL_MAX_FILLED 1u
/* How many traps make a page slow, by many instructions that trap now and then. Each counts once
 * between two sweeps: a few that trap often, like a kernel's copies to its users, do not make their
 * page slow. */
#define TRAPS_PAGE 4096u
/* A trap for an access that is emulated costs some 4 us; making windows again that became empty,
 * 30. The first has other remedies, so it weighs less. */
#define WASTE_TRAP 1u
#define WASTE_DROP 30u
#define WASTE_MUCH 1000u /* in SWEEP_NS */
/* A change of context costs some 0.1 us and the jump map. */
#define SEG_CHANGES_MUCH 2000u /* in SWEEP_NS */

/* CPU time, not the clock's: on a busy host that goes on while the guest stands still, and what
 * comes often would look rare. */
static ns_t spent(const struct vcpu *v)
{
    return vcpu_spent(v->vm, v->host);
}

void adapt_init(struct vcpu *v)
{
    v->translator->adapt.dense.seen = v->stats.costly_events;
}

static bool is_user_page(struct vcpu *v, gla_t gla)
{
    struct mmu_walk w;

    return mmu_walk(v, gla, MMU_USER | MMU_READ | MMU_PROBE, &w);
}

/* Under SMAP, user pages are in the user set of the software TLB only (shadow-mmu/tlb.c). */
static unsigned user_operands(struct vcpu *v, gla_t at)
{
    if (v->cpl == 3 || !(v->cr0 & CR0_PG) || !(v->cr4 & CR4_SMAP))
        return 0;
    return (is_user_page(v, v->gpr[ESI]) ? ADAPT_USER_SI : 0) |
           (is_user_page(v, v->gpr[EDI]) ? ADAPT_USER_DI : 0) |
           (is_user_page(v, at) ? ADAPT_USER_ANY : 0);
}

/* The blocks with bytes first..last of the page are made anew. */
static void retranslate(struct vcpu *v, gpa_t page, unsigned first, unsigned last)
{
    if (cache_invalidate(v, &v->translator->cache, page, first, last))
        bt_return_stack_reset(v);
    v->stats.bt_adapted++;
}

static void retranslate_site(struct vcpu *v, const struct adapt_site *s)
{
    unsigned off = (unsigned)s->gpa & GUEST_PAGE_MASK;

    retranslate(v, s->gpa & ~(gpa_t)GUEST_PAGE_MASK, off, off);
}

static void retranslate_page(struct vcpu *v, const struct adapt_site *p)
{
    retranslate(v, p->gpa, 0, GUEST_PAGE_MASK);
}

/* The record of the instruction, or of its page; NULL: its place is taken by another that is not
 * fast. */
static struct adapt_site *site_get(struct adapt *a, gpa_t gpa)
{
    struct adapt_site *s = &a->site[adapt_site_pair(gpa)];

    for (unsigned n = 0; n < 2; n++)
        if (s[n].gpa == gpa)
            return &s[n];
    if (s[0].form || (!s[1].form && s[1].traps < s[0].traps))
        s++;
    if (s->form)
        return NULL;
    *s = (struct adapt_site){.gpa = gpa};
    return s;
}

static struct adapt_site *page_get(struct adapt *a, gpa_t gpa)
{
    struct adapt_site *p = &a->page[adapt_page_slot(gpa)];
    gpa_t page = gpa & ~(gpa_t)GUEST_PAGE_MASK;

    if (p->gpa == page)
        return p;
    if (p->form)
        return NULL;
    *p = (struct adapt_site){.gpa = page};
    return p;
}

/* Has it trapped so often that it takes another form now? */
static bool note(struct vcpu *v, struct adapt_site *s, enum adapt_form form, enum adapt_why why,
                 unsigned enough)
{
    bool filled = why == ADAPT_FILLED;

    if (s->form >= form)
        return false; /* another block of it, not yet made anew, or a trap of another kind */
    s->traps = (uint16_t)(s->traps + (filled ? TRAPS_FILLED : TRAPS_EMULATED));
    if (s->traps < enough)
        return false;
    s->form = (uint8_t)form;
    s->traps = 0;
    s->until = spent(v) + (SWEEP_NS << s->level);
    if (s->level < (filled ? LEVEL_MAX_FILLED : LEVEL_MAX))
        s->level++;
    return true;
}

/* ---- doing without for a while ---- */

/* `much` in SWEEP_NS is too much. */
static void back_off_note(struct vcpu *v, struct adapt_back_off *b, unsigned cost, unsigned much)
{
    b->cost += cost;
    if (b->cost < much)
        return;
    ns_t now = spent(v);
    if (now - b->since < SWEEP_NS) {
        b->on = true;
        b->until = now + (SWEEP_NS << b->level);
        b->level += b->level < LEVEL_MAX;
    }
    b->cost = 0;
    b->since = now;
}

static void back_off_sweep(struct adapt_back_off *b, ns_t now)
{
    if (!b->on && !b->cost && b->level)
        b->level--;
    if (b->until <= now)
        b->on = false;
    b->cost = 0;
    b->since = now;
}

void adapt_flushed(struct vcpu *v)
{
    struct adapt *a = &v->translator->adapt;
    uint64_t mode = window_mode(v);

    if (mode == a->mode)
        return;
    a->mode = mode;
    back_off_note(v, &a->windowless, WASTE_DROP, WASTE_MUCH);
}

void adapt_windows_dropped(struct vcpu *v)
{
    back_off_note(v, &v->translator->adapt.windowless, WASTE_DROP, WASTE_MUCH);
}

#define CTX_DATA_SEGS (3u << (CTX_SEG_SHIFT + 2 * SEG_ES) | 3u << (CTX_SEG_SHIFT + 2 * SEG_DS))

void adapt_context(struct vcpu *v, uint32_t old, uint32_t new)
{
    if ((old ^ new) & CTX_DATA_SEGS)
        back_off_note(v, &v->translator->adapt.general, 1, SEG_CHANGES_MUCH);
}

/* ---- what no engine does fast ----
 *
 * Batches of events are timed. Translated ones that come fast set off a trial: the interpreter runs
 * a batch. If it is faster it stays, twice as long each time, and each batch is compared with the
 * translated one; one that is slower may be the host's doing, two in a row send it away. A lost
 * trial costs what two batches take at most, and is not repeated for twice as long each time,
 * unless the rate changes. */

#define DENSE_PS    2500000u /* an event more often than this, in the mean */
#define DENSE_WARM  4u       /* batches of translated code until that counts */
#define DENSE_QUIET 10000u   /* interpreted instructions for each event: they are few now */
#define DENSE_LOOK  4096u    /* interpreted instructions between two looks at the clock */
#define TRIES_MAX   5u

static void dense_begin(struct vcpu *v, struct adapt_dense *d, ns_t now)
{
    d->seen = v->stats.costly_events;
    d->insns = d->looked = v->stats.insns;
    d->since = now;
}

static void dense_translate(struct adapt_dense *d)
{
    d->how = DENSE_TRANSLATE;
    d->batches = 0;
    d->slow = false;
    d->soonest = d->until = 0;
}

/* The interpreter is not faster: no trial again soon, unless events come at another rate. */
static void dense_lost(struct adapt_dense *d, ns_t now)
{
    dense_translate(d);
    d->level = 0;
    d->lost = d->translated;
    d->soonest = now + SWEEP_NS;
    d->until = now + (SWEEP_NS << d->tries);
    d->tries += d->tries < TRIES_MAX;
}

/* An event took so long in the last batch, translated: is the interpreter to be tried? */
static bool dense_tries(struct adapt_dense *d, ns_t now, ns_t took)
{
    ns_t before = d->previous;

    d->previous = took;
    d->translated = before < took ? before : took;
    if (took > DENSE_PS) {
        d->batches = 0;
        d->tries -= d->tries > 0;
        return false;
    }
    d->batches += d->batches < DENSE_WARM;
    if (d->batches < DENSE_WARM || now < d->soonest)
        return false;
    return now >= d->until || d->translated < d->lost / 2 || d->translated / 2 > d->lost;
}

/* A batch of the interpreter took longer than it may. That was perhaps the host's doing, once. */
static void dense_slow(struct adapt_dense *d, ns_t now)
{
    if (d->slow)
        dense_lost(d, now);
    else
        d->slow = true;
}

/* Decides what the next batch is, after one in which an event took so long. */
static void dense_next(struct adapt_dense *d, ns_t now, ns_t took)
{
    switch (d->how) {
    case DENSE_TRANSLATE:
        if (dense_tries(d, now, took))
            d->how = DENSE_TRIAL;
        return;
    case DENSE_TRIAL:
        if (took >= d->translated - d->translated / 8) {
            dense_slow(d, now);
            return;
        }
        d->slow = false;
        d->won = took;
        d->how = DENSE_INTERPRET;
        d->level += d->level < LEVEL_MAX;
        d->until = now + (SWEEP_NS << d->level);
        d->tries = 0;
        return;
    case DENSE_INTERPRET:
        if (now >= d->until || took < d->won / 2)
            dense_translate(d); /* to be measured again */
        else if (took >= d->translated)
            dense_slow(d, now);
        else
            d->slow = false;
        return;
    }
}

/* The interpreter runs, and its batch is not full yet. */
static void dense_look(struct vcpu *v, struct adapt_dense *d)
{
    ns_t now = spent(v), ps = (now - d->since) * 1000;
    uint64_t events = 1 + v->stats.costly_events - d->seen;

    d->looked = v->stats.insns;
    if (d->looked - d->insns > DENSE_QUIET * events)
        dense_translate(d);
    else if (d->how == DENSE_TRIAL && ps >= 2 * events * d->translated)
        dense_lost(d, now);
    else if (ps >= 2 * DENSE_COUNT * d->translated)
        dense_slow(d, now);
    else
        return;
    dense_begin(v, d, now);
}

bool adapt_interprets(struct vcpu *v)
{
    struct adapt_dense *d = &v->translator->adapt.dense;

    if (adapt_is_due(v)) {
        ns_t now = spent(v);

        dense_next(d, now, (now - d->since) * 1000 / (v->stats.costly_events - d->seen));
        dense_begin(v, d, now);
    } else if (d->how != DENSE_TRANSLATE && v->stats.insns - d->looked > DENSE_LOOK) {
        dense_look(v, d);
    }
    return d->how != DENSE_TRANSLATE;
}

/* ---- traps ---- */

static void slow_site(struct adapt *a, unsigned n)
{
    a->slow_sites[n / 2 / 64] |= 1ull << (n / 2 % 64);
}

static void slow_page(struct adapt *a, unsigned n)
{
    a->slow_pages |= 1ull << n;
}

void adapt_trap(struct vcpu *v, gpa_t gpa, gla_t at, enum adapt_why why)
{
    enum adapt_form form = why == ADAPT_OTHER ? ADAPT_CALLOUT : ADAPT_SOFT;
    struct adapt *a = &v->translator->adapt;
    struct adapt_site *s = site_get(a, gpa), *p = page_get(a, gpa);
    bool counted = s && (s->form || s->traps);
    bool site = s && note(v, s, form, why, TRAPS_SOFT);
    bool page = p && !counted && note(v, p, form, why, s ? TRAPS_PAGE : TRAPS_SOFT);
    uint8_t user = why == ADAPT_OTHER || !(site || page) ? 0 : (uint8_t)user_operands(v, at);

    if (why == ADAPT_EMULATED)
        back_off_note(v, &a->windowless, WASTE_TRAP, WASTE_MUCH);
    if (site) {
        slow_site(a, (unsigned)(s - a->site));
        s->user = user;
        retranslate_site(v, s);
    }
    if (page) {
        slow_page(a, (unsigned)(p - a->page));
        p->user = user;
        retranslate_page(v, p);
    }
}

/* Is it fast again? Counts begin anew. */
static bool is_over(struct adapt_site *s, ns_t now)
{
    if (!s->form && !s->traps && s->level)
        s->level--;
    s->traps = 0;
    if (!s->form || s->until > now)
        return false;
    s->form = ADAPT_FAST;
    return true;
}

static void sweep(struct vcpu *v, struct adapt *a, ns_t now)
{
    back_off_sweep(&a->windowless, now);
    back_off_sweep(&a->general, now);
    memset(a->slow_sites, 0, sizeof a->slow_sites);
    a->slow_pages = 0;
    for (unsigned n = 0; n < ADAPT_SITES; n++) {
        if (is_over(&a->site[n], now))
            retranslate_site(v, &a->site[n]);
        if (a->site[n].form)
            slow_site(a, n);
    }
    for (unsigned n = 0; n < ADAPT_PAGES; n++) {
        if (is_over(&a->page[n], now))
            retranslate_page(v, &a->page[n]);
        if (a->page[n].form)
            slow_page(a, n);
    }
}

/* ---- address spaces ---- */

static struct adapt_space *space_get(struct adapt *a, uint32_t cr3)
{
    struct adapt_space *best = &a->space[0];

    for (unsigned n = 0; n < ADAPT_SPACES; n++) {
        struct adapt_space *s = &a->space[n];

        if (s->cr3 == cr3)
            return s;
        if (s->last_use < best->last_use)
            best = s;
    }
    *best = (struct adapt_space){.cr3 = cr3};
    return best;
}

static bool space_is_hot(const struct vcpu *v)
{
    struct adapt *a = &v->translator->adapt;

    if (a->known_valid && a->known_cr3 == v->cr3)
        return a->known_hot;
    a->known_valid = true;
    a->known_cr3 = v->cr3;
    a->known_hot = false;
    for (unsigned n = 0; n < ADAPT_SPACES; n++)
        if (a->space[n].cr3 == v->cr3)
            a->known_hot = a->space[n].ticks >= SPACE_HOT_TICKS;
    return a->known_hot;
}

bool adapt_window(const struct vcpu *v)
{
    return !v->translator->adapt.windowless.on && (v->cpl != 3 || space_is_hot(v));
}

void adapt_tick(struct vcpu *v)
{
    struct adapt *a = &v->translator->adapt;
    ns_t now = spent(v);

    v->translator->cache.spent = now;
    if (v->cpl == 3) {
        struct adapt_space *s = space_get(a, v->cr3);
        s->ticks++;
        a->known_valid = false;
        s->last_use = ++a->clock;
    }
    if (now >= a->next_sweep) {
        a->next_sweep = now + SWEEP_NS;
        sweep(v, a, now);
        jump_map_rest(v, vm_now(v->vm), now);
    }
}
