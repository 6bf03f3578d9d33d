/* SPDX-License-Identifier: MIT */
/* mmu_priv.h - what the files of shadow-mmu share among themselves. */
#ifndef RING1_SHADOW_MMU_MMU_PRIV_H
#define RING1_SHADOW_MMU_MMU_PRIV_H

#include "include/ring1/mem.h"
#include "monitor/memory/phys.h"
#include "shadow-mmu/mmu.h"

#define PAGE_BASE(a) ((a) & ~(uint32_t)GUEST_PAGE_MASK)

#define PHYS_BITS 36
#define PAE_ADDR  (((1ull << PHYS_BITS) - 1) & ~0xfffull)

/* The entries that a walk used, top first. */
struct walk_trail {
    unsigned count;
    gpa_t gpa[2];
    uint64_t entry[2];
    uint64_t frame; /* physical address of gla, A20 not applied */
    uint32_t page_size;
    uint32_t fault; /* PFE_P | PFE_RSVD when it ended early */
};

/* Reads the entries for gla into *t, with paging on; false when one is not present or has a
 * reserved bit set. Checks no rights and changes nothing. */
bool walk_tables(struct vcpu *v, gla_t gla, struct walk_trail *t);
/* Fills in *w: the rights of all levels together, and D as it is. */
void walk_combine(const struct vcpu *v, const struct walk_trail *t, struct mmu_walk *w);

/* ---- entries of the present address space, for those who keep copies of them ---- */

/* A region is inside one page-directory entry in both table formats. */
#define WALK_SHIFT 21
#define WALK_PAGES 512u

/* The page directory that maps a region (under PAE it maps 512 regions, else all); NULL: there is
 * none in RAM. */
static inline const uint8_t *walk_directory(const struct vcpu *v, unsigned region)
{
    bool pae = v->cr4 & CR4_PAE;
    uint64_t pdpte = v->pdpte[region >> 9];
    gpa_t gpa = phys_a20(v->vm, pae ? pdpte & PAE_ADDR : v->cr3 & ~GUEST_PAGE_MASK);

    if ((pae && !(pdpte & PTE_P)) || (phys_kind(v->vm, gpa) & PAGE_MMIO))
        return NULL;
    return phys_host(v->vm, gpa);
}

/* The entry for a region in that directory; 0: none. */
static inline uint64_t walk_pde(const struct vcpu *v, const uint8_t *directory, unsigned region)
{
    uint64_t pde = 0;

    if (directory && v->cr4 & CR4_PAE)
        memcpy(&pde, directory + (region & 511) * 8, 8);
    else if (directory)
        memcpy(&pde, directory + (region >> 1) * 4, 4);
    return pde;
}

/* The WALK_PAGES page-table entries of a region whose directory entry names a table; NULL: not in
 * RAM. */
static inline const uint8_t *walk_ptes(const struct vcpu *v, unsigned region, uint64_t pde)
{
    gpa_t gpa;

    if (v->cr4 & CR4_PAE)
        gpa = pde & PAE_ADDR;
    else
        gpa = ((uint32_t)pde & ~GUEST_PAGE_MASK) + (region & 1) * (WALK_PAGES * 4);
    gpa = phys_a20(v->vm, gpa);
    return phys_kind(v->vm, gpa) & PAGE_MMIO ? NULL : phys_host(v->vm, gpa);
}

static inline uint64_t walk_pte(const uint8_t *ptes, unsigned i, bool pae)
{
    uint64_t pte = 0;

    if (pae)
        memcpy(&pte, ptes + i * 8, 8);
    else
        memcpy(&pte, ptes + i * 4, 4);
    return pte;
}

/* Does the entry mean something else than its copy? Callers look at D and G separately. */
static inline bool entry_changed(uint64_t now, uint64_t copy)
{
    return (now ^ copy) & ~(uint64_t)(0xe00u | PTE_G | PTE_D | 0x18u);
}

/* Enters a successful walk of `gla` into the TLB: in the set of `how`'s privilege, or (a supervisor
 * access to a user page while SMAP is on) in the user set, where entries do not depend on
 * EFLAGS.AC. */
void tlb_fill(struct vcpu *v, gla_t gla, unsigned how, const struct mmu_walk *w);

/* The entry that allows this access without a walk, or NULL. `how` is MMU_READ, MMU_WRITE or
 * MMU_EXEC, plus flags. */
struct tlb_entry *tlb_find(struct vcpu *v, gla_t gla, unsigned how);

/* Gives *e the write tag if its page has become plain RAM since it was filled. */
void tlb_upgrade(struct vcpu *v, struct tlb_entry *e);

#endif
