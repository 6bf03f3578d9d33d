/* SPDX-License-Identifier: MIT */
/* fetch_set.c - see fetch_set.h. */
#include "shadow-mmu/fetch_set.h"

#include "shadow-mmu/mmu_priv.h"

void fetch_set_clear(struct fetch_set *s)
{
    for (unsigned n = 0; n < s->pages; n++)
        s->slot[s->page[n].slot] = 0;
    for (unsigned n = 0; n < s->regions; n++)
        s->region_at[s->region[n].number] = 0;
    s->pages = s->regions = 0;
    s->broken = false;
}

static bool note_region(struct fetch_set *s, unsigned number, const struct walk_trail *t)
{
    unsigned n = s->region_at[number];

    if (n)
        return s->region[n - 1].small == (t->count == 2) &&
               !entry_changed(t->entry[0], s->region[n - 1].pde);
    if (s->regions == FETCH_REGIONS)
        return false;
    n = s->regions++;
    s->region[n].pde = t->entry[0];
    s->region[n].number = (uint16_t)number;
    s->region[n].small = t->count == 2;
    s->region_at[number] = (uint8_t)(n + 1);
    return true;
}

static bool note_page(struct fetch_set *s, gla_t gla, uint64_t pte)
{
    unsigned region = s->region_at[gla >> WALK_SHIFT] - 1u;
    unsigned index = gla >> GUEST_PAGE_SHIFT & (WALK_PAGES - 1);
    unsigned at = (gla >> GUEST_PAGE_SHIFT) * 2654435761u >> 20;

    for (; s->slot[at]; at = (at + 1) & (FETCH_SLOTS - 1)) {
        unsigned n = s->slot[at] - 1u;

        if (s->page[n].region == region && s->page[n].index == index)
            return !entry_changed(pte, s->page[n].pte);
    }
    if (s->pages == FETCH_PAGES)
        return false;
    s->page[s->pages].pte = pte;
    s->page[s->pages].region = (uint16_t)region;
    s->page[s->pages].index = (uint16_t)index;
    s->page[s->pages].slot = (uint16_t)at;
    s->slot[at] = (uint16_t)++s->pages;
    return true;
}
_Static_assert(FETCH_SLOTS == 1u << 12, "note_page() takes twelve bits");

/* Can the entries be compared later, and do they say now what the TLB says? */
static bool trail_is_good(const struct vcpu *v, const struct walk_trail *t, gpa_t gpa)
{
    for (unsigned i = 0; i < t->count; i++)
        if (!(t->entry[i] & PTE_A) || (phys_kind(v->vm, t->gpa[i]) & PAGE_MMIO))
            return false;
    return ((phys_a20(v->vm, t->frame) ^ gpa) >> GUEST_PAGE_SHIFT) == 0;
}

void fetch_set_note(struct vcpu *v, struct fetch_set *s, gla_t gla, gpa_t gpa)
{
    struct walk_trail t;

    if (!(v->cr0 & CR0_PG) || s->broken)
        return;
    if (!walk_tables(v, gla, &t) || !trail_is_good(v, &t, gpa) ||
        !note_region(s, gla >> WALK_SHIFT, &t) || (t.count == 2 && !note_page(s, gla, t.entry[1])))
        s->broken = true;
}

bool fetch_set_holds(const struct vcpu *v, const struct fetch_set *s)
{
    const uint8_t *ptes[FETCH_REGIONS];
    bool pae = v->cr4 & CR4_PAE;

    if (s->broken)
        return false;
    for (unsigned n = 0; n < s->regions; n++) {
        unsigned number = s->region[n].number;
        uint64_t pde = walk_pde(v, walk_directory(v, number), number);

        if (entry_changed(pde, s->region[n].pde))
            return false;
        ptes[n] = s->region[n].small ? walk_ptes(v, number, pde) : NULL;
        if (s->region[n].small && !ptes[n])
            return false;
    }
    for (unsigned n = 0; n < s->pages; n++)
        if (entry_changed(walk_pte(ptes[s->page[n].region], s->page[n].index, pae), s->page[n].pte))
            return false;
    return true;
}
