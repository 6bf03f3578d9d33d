/* SPDX-License-Identifier: MIT */
/*
 * pages.c - which pages run directly.
 *
 * Promises   A page is executable only while it is clean. One that is written while it runs, or
 *            traps more than it computes, goes to the translator; the latter comes back after a
 *            while. So does one from which the way leads to a page that is not clean, again and
 *            again: to go over to the translator costs as much as a trap.
 */
#include "direct/direct_priv.h"
#include "monitor/cpu/listener.h"
#include "monitor/memory/page.h"
#include "shadow-mmu/access.h"
#include "shadow-mmu/window.h"

/* So many traps in so much time, and the page is busy for so long: a trap costs as much as some
 * hundred instructions. */
#define BUSY_TRAPS  100u
#define BUSY_WITHIN 10000000ull
#define BUSY_FOR    500000000ull

static uint8_t *state_of(struct direct *d, gpa_t page, enum role role)
{
    return &d->page[page >> GUEST_PAGE_SHIFT][role];
}

/* ---- rights to execute ---- */

static void written(void *self, gpa_t page, unsigned first, unsigned last)
{
    struct vcpu *v = self;
    struct direct *d = direct_of(v);

    (void)first, (void)last;
    mmu_flush_gpa(v->vm, page); /* the right to execute it ends */
    for (unsigned role = 0; role < ROLE_COUNT; role++) {
        uint8_t *p = state_of(d, page, role);
        if ((*p & PAGE_STATE_BITS) == PAGE_CLEAN && *p < PAGE_CHURN_MOST)
            *p += PAGE_CHURN_ONE;
        *p &= (uint8_t)~PAGE_STATE_BITS;
    }
    d->generation++;
    page_unmark(v->vm, page, PAGE_DIRECT);
}

static bool holds(void *self, gpa_t page)
{
    struct direct *d = direct_of(self);

    return (*state_of(d, page, ROLE_USER) | *state_of(d, page, ROLE_KERNEL)) & PAGE_STATE_BITS;
}

void pages_watch(struct vcpu *v)
{
    static const struct page_watcher watcher = {
        .mark = PAGE_DIRECT, .written = written, .holds = holds};

    direct_of(v)->busy_ends = NS_NEVER;
    page_watch(v->vm, &watcher, v);
}

/* ---- busy pages ---- */

/* Busy pages whose time is over are what they were. */
static void busy_end(struct direct *d, ns_t now)
{
    d->busy_ends = NS_NEVER;
    for (unsigned n = 0; n < BUSY_PAGES; n++) {
        struct busy_page *b = &d->busy[n];
        if (b->until && b->until <= now) {
            uint8_t *p = state_of(d, b->page, b->role);
            /* The writes are forgiven as well. */
            *p = (*p & PAGE_STATE_BITS) == PAGE_BUSY ? PAGE_CLEAN : *p & PAGE_STATE_BITS;
            b->until = 0;
            d->generation++;
        } else if (b->until && b->until < d->busy_ends) {
            d->busy_ends = b->until;
        }
    }
}

static void make_busy(struct vcpu *v, struct direct *d, gpa_t page, ns_t now)
{
    struct busy_page *b = &d->busy[d->busy_next % BUSY_PAGES];
    uint8_t *p = state_of(d, page, role_of(v));

    for (unsigned n = 0; n < BUSY_PAGES; n++)
        if (d->busy[n].until && d->busy[n].page == page && d->busy[n].role == role_of(v))
            return;
    d->busy_next++;
    if (b->until) {
        b->until = 1; /* its place is needed: its time is over */
        busy_end(d, now);
    }
    *b = (struct busy_page){.page = page, .until = now + BUSY_FOR, .role = (uint8_t)role_of(v)};
    if (b->until < d->busy_ends)
        d->busy_ends = b->until;
    if ((*p & PAGE_STATE_BITS) == PAGE_CLEAN)
        *p = (uint8_t)((*p & ~PAGE_STATE_BITS) | PAGE_BUSY);
    mmu_flush_gpa(v->vm, page);
    v->stats.direct_busy++;
}

/* ---- */

static bool is_clean(struct vcpu *v, struct direct *d, gpa_t page, const uint8_t *bytes,
                     unsigned entry)
{
    uint8_t *p = state_of(d, page, role_of(v));

    if ((*p & ~PAGE_STATE_BITS) >= PAGE_CHURN_MANY) {
        make_busy(v, d, page, vm_now(v->vm));
        return false;
    }
    if (!(*p & PAGE_STATE_BITS)) {
        bool clean = scan_page(v, d, role_of(v), bytes, entry);
        *p |= clean ? PAGE_CLEAN : PAGE_UNCLEAN;
        page_mark(v->vm, page, PAGE_DIRECT);
        v->stats.direct_scans++;
        v->stats.direct_unclean += !clean;
    }
    return (*p & PAGE_STATE_BITS) == PAGE_CLEAN;
}

bool pages_allow(struct vcpu *v, struct direct *d, gla_t gla)
{
    gpa_t page;
    const uint8_t *bytes = lin_fetch_page(v, gla, &page);

    return bytes && page < v->vm->ram_size && is_clean(v, d, page, bytes, gla & GUEST_PAGE_MASK) &&
           window_fill(v, gla, MMU_EXEC);
}

/* ---- refusals, by linear address ---- */

static uint32_t *refusal_of(struct direct *d, gla_t gla)
{
    return &d->refused[gla >> GUEST_PAGE_SHIFT & (REFUSALS - 1)];
}

static uint32_t refusal_word(const struct vcpu *v, const struct direct *d, gla_t gla)
{
    return (gla & ~GUEST_PAGE_MASK) | ((d->generation + v->fetch_generation) & GUEST_PAGE_MASK);
}

void pages_refuse(struct vcpu *v, struct direct *d, gla_t gla)
{
    *refusal_of(d, gla) = refusal_word(v, d, gla);
    v->stats.direct_refused++;
}

bool pages_refused(const struct vcpu *v, struct direct *d, gla_t gla)
{
    if (d->busy_ends != NS_NEVER && d->busy_ends <= vm_now(v->vm))
        busy_end(d, vm_now(v->vm));
    return *refusal_of(d, gla) == refusal_word(v, d, gla);
}

/* One more reason not to run the page at gla directly. */
static void count(struct vcpu *v, struct direct *d, gla_t gla)
{
    ns_t now = vm_now(v->vm);
    struct mmu_walk w;

    if (!mmu_walk(v, gla, lin_how(v) | MMU_READ | MMU_PROBE, &w) || w.gpa >= v->vm->ram_size)
        return;
    if (now - d->counting > BUSY_WITHIN) {
        for (unsigned n = 0; n < TRAP_COUNTS; n++)
            d->traps[n] = 0;
        d->counting = now;
    }
    gpa_t page = w.gpa & ~(gpa_t)GUEST_PAGE_MASK;
    uint8_t *traps = &d->traps[page >> GUEST_PAGE_SHIFT & (TRAP_COUNTS - 1)];
    if (++*traps < BUSY_TRAPS)
        return;
    *traps = 0;
    make_busy(v, d, page, now);
}

void pages_trapped(struct vcpu *v, struct direct *d)
{
    count(v, d, code_at(v));
}

void pages_left(struct vcpu *v, struct direct *d)
{
    if ((d->entered ^ code_at(v)) & ~GUEST_PAGE_MASK)
        count(v, d, d->entered);
}

void direct_forget(struct vcpu *v)
{
    struct direct *d = direct_of(v);

    for (gpa_t page = 0; page < v->vm->ram_size; page += GUEST_PAGE_SIZE) {
        page_unmark(v->vm, page, PAGE_DIRECT);
        for (unsigned role = 0; role < ROLE_COUNT; role++)
            *state_of(d, page, role) = PAGE_UNKNOWN;
    }
    for (unsigned n = 0; n < BUSY_PAGES; n++)
        d->busy[n].until = 0;
    for (unsigned n = 0; n < TRAP_COUNTS; n++)
        d->traps[n] = 0;
    d->busy_ends = NS_NEVER;
    d->generation++;
    mmu_flush_all(v);
}
