/* SPDX-License-Identifier: MIT */
/* adapt.c - see adapt.h. */
#include "bt/priv.h"
#include "shadow-mmu/access.h"

/* Measured: docs/PERFORMANCE.md, "Windows". */
#define SPACE_HOT_TICKS 3u
/* An emulated access gains nothing and is likely to come again; a filled one is an investment: the
 * loop over an array that causes thousands of them in its first round runs at full speed after. */
#define TRAPS_EMULATED   64u
#define TRAPS_FILLED     1u
#define TRAPS_SOFT       256u /* between two sweeps: makes a site soft */
#define SWEEP_NS         16000000ull
#define LEVEL_MAX        8u /* of sites that are emulated */
#define LEVEL_MAX_FILLED 1u

static struct adapt_site *site_slot(struct adapt *a, gpa_t gpa)
{
    return &a->site[(uint32_t)gpa * 2654435761u >> 22];
}
_Static_assert(ADAPT_SITES == 1u << 10, "site_slot() takes ten bits");

bool adapt_is_soft(const struct bt *bt, gpa_t gpa)
{
    const struct adapt_site *s = &bt->adapt.site[(uint32_t)gpa * 2654435761u >> 22];

    return s->soft && s->gpa == gpa;
}

unsigned adapt_user_operands(const struct bt *bt, gpa_t gpa)
{
    const struct adapt_site *s = &bt->adapt.site[(uint32_t)gpa * 2654435761u >> 22];

    return s->soft && s->gpa == gpa ? s->user : 0;
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

/* The blocks with the instruction at gpa are made anew. */
static void retranslate(struct vcpu *v, gpa_t gpa)
{
    unsigned off = (unsigned)gpa & GUEST_PAGE_MASK;

    if (cache_invalidate(v, &v->translator->cache, gpa & ~(gpa_t)GUEST_PAGE_MASK, off, off))
        bt_return_stack_reset(v);
    v->stats.bt_adapted++;
}

void adapt_trap(struct vcpu *v, gpa_t gpa, gla_t at, bool filled)
{
    struct adapt *a = &v->translator->adapt;
    struct adapt_site *s = site_slot(a, gpa);

    if (s->gpa != gpa) {
        if (s->soft)
            retranslate(v, s->gpa);
        *s = (struct adapt_site){.gpa = gpa};
    }
    if (s->soft)
        return; /* another block of it, not yet made anew, or a trap of another kind */
    s->traps = (uint16_t)(s->traps + (filled ? TRAPS_FILLED : TRAPS_EMULATED));
    if (s->traps < TRAPS_SOFT)
        return;
    s->soft = true;
    s->user = (uint8_t)user_operands(v, at);
    s->traps = 0;
    s->until = vm_now(v->vm) + (SWEEP_NS << s->level);
    if (s->level < (filled ? LEVEL_MAX_FILLED : LEVEL_MAX))
        s->level++;
    retranslate(v, gpa);
}

/* Soft sites get another chance; counts begin anew. */
static void sweep(struct vcpu *v, struct adapt *a, ns_t now)
{
    for (unsigned n = 0; n < ADAPT_SITES; n++) {
        struct adapt_site *s = &a->site[n];

        if (!s->soft && !s->traps && s->level)
            s->level--;
        s->traps = 0;
        if (s->soft && s->until <= now) {
            s->soft = false;
            retranslate(v, s->gpa);
        }
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

bool adapt_user_window(const struct vcpu *v)
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

void adapt_tick(struct vcpu *v)
{
    struct adapt *a = &v->translator->adapt;
    ns_t now = vm_now(v->vm);

    if (v->cpl == 3) {
        struct adapt_space *s = space_get(a, v->cr3);
        s->ticks++;
        a->known_valid = false;
        s->last_use = ++a->clock;
    }
    if (now >= a->next_sweep) {
        a->next_sweep = now + SWEEP_NS;
        sweep(v, a, now);
    }
}
