/* SPDX-License-Identifier: MIT */
/*
 * walk.c - the guest's page tables: 32-bit paging (4-MiB pages, PSE-36) and PAE paging (NX).
 *
 * Promises   Rights of all levels are combined and judged as SDM section 4.6 says; A and D are
 *            written only when the access is allowed. Upper levels are read before lower ones, and
 *            a reserved bit in an upper level wins over a lower level that is not present.
 * Not here   The TLB (tlb.c); raising #PF (access.c).
 * Source     SDM vol. 3A, sections 4.3 (32-bit), 4.4 (PAE), 4.6 (rights), 4.7 (error code), 4.8 (A
 *            and D).
 */
#include "monitor/cpu/cpuid.h"
#include "monitor/cpu/trace.h"
#include "shadow-mmu/access.h"
#include "shadow-mmu/mmu_priv.h"

#define PHYS_LIMIT    ((1ull << PHYS_BITS) - 1)
#define PAE_RSVD      (0x7fffffffffffffffull & ~PHYS_LIMIT) /* bits 62:36 of every PAE entry */
#define PAE_RSVD_2M   0x1fe000ull                           /* bits 20:13 of a 2-MiB PDE */
#define PDPTE_RSVD    (0x1e6ull | ~PHYS_LIMIT)              /* bits 2:1, 8:5, 63:36 */
#define PSE_RSVD_36   0x3e0000u /* bits 21:17 of a 4-MiB PDE with PSE-36 */
#define PSE_RSVD_NO36 0x3fe000u /* bits 21:13 without it */

static bool trail_stop(struct walk_trail *t, uint32_t fault)
{
    t->fault = fault;
    return false;
}

/* Reads the next entry; false when it is not present or has one of the reserved bits. */
static bool trail_step(struct vm *vm, struct walk_trail *t, gpa_t gpa, unsigned size, uint64_t rsvd)
{
    uint64_t e = phys_read_implicit(vm, gpa, size);

    if (!(e & PTE_P))
        return trail_stop(t, 0);
    if (e & rsvd)
        return trail_stop(t, PFE_P | PFE_RSVD);
    t->gpa[t->count] = phys_a20(vm, gpa);
    t->entry[t->count++] = e;
    return true;
}

static bool walk_32(struct vcpu *v, gla_t gla, struct walk_trail *t)
{
    struct vm *vm = v->vm;
    uint32_t pde;

    if (!trail_step(vm, t, (v->cr3 & ~0xfffu) + (gla >> 22) * 4, 4, 0))
        return false;
    pde = (uint32_t)t->entry[0];
    if ((pde & PTE_PS) && (v->cr4 & CR4_PSE)) {
        bool pse36 = cpu_has_1_edx(v, CPUID_1_EDX_PSE36);

        if (pde & (pse36 ? PSE_RSVD_36 : PSE_RSVD_NO36))
            return trail_stop(t, PFE_P | PFE_RSVD);
        t->page_size = 4u << 20;
        t->frame = (pde & 0xffc00000u) | (gla & 0x3fffffu);
        if (pse36)
            t->frame |= (uint64_t)(pde >> 13 & 0xf) << 32;
        return true;
    }
    if (!trail_step(vm, t, (pde & ~0xfffu) + (gla >> 12 & 0x3ff) * 4, 4, 0))
        return false;
    t->page_size = GUEST_PAGE_SIZE;
    t->frame = ((uint32_t)t->entry[1] & ~0xfffu) | (gla & 0xfffu);
    return true;
}

static bool walk_pae(struct vcpu *v, gla_t gla, struct walk_trail *t)
{
    struct vm *vm = v->vm;
    uint64_t pdpte = v->pdpte[gla >> 30];
    uint64_t rsvd = PAE_RSVD | (v->msr.efer & EFER_NXE ? 0 : PTE_NX);
    uint64_t pde;

    if (!(pdpte & PTE_P))
        return trail_stop(t, 0);
    if (!trail_step(vm, t, (pdpte & PAE_ADDR) + (gla >> 21 & 0x1ff) * 8, 8, rsvd))
        return false;
    pde = t->entry[0];
    if (pde & PTE_PS) { /* CR4.PSE does not matter here */
        if (pde & PAE_RSVD_2M)
            return trail_stop(t, PFE_P | PFE_RSVD);
        t->page_size = 2u << 20;
        t->frame = (pde & PAE_ADDR & ~0x1fffffull) | (gla & 0x1fffffu);
        return true;
    }
    if (!trail_step(vm, t, (pde & PAE_ADDR) + (gla >> 12 & 0x1ff) * 8, 8, rsvd))
        return false;
    t->page_size = GUEST_PAGE_SIZE;
    t->frame = (t->entry[1] & PAE_ADDR) | (gla & 0xfffu);
    return true;
}

/* May the access go ahead? SDM section 4.6.1. */
static bool rights_allow(const struct vcpu *v, unsigned how, const struct mmu_walk *w)
{
    if (how & MMU_EXEC) {
        if (w->nx)
            return false;
        return how & MMU_USER ? w->user : !(w->user && (v->cr4 & CR4_SMEP));
    }
    if (how & MMU_USER)
        return w->user && (w->writable || !(how & MMU_WRITE));
    if (w->user && (v->cr4 & CR4_SMAP) && ((how & MMU_IMPLICIT) || !(v->eflags & EFL_AC)))
        return false;
    return w->writable || !(how & MMU_WRITE) || !(v->cr0 & CR0_WP);
}

/* Sets bits in an entry as the CPU does: atomically where it lies in plain RAM. The flags are all
 * in the low byte, so 32 bits do for both formats. */
static void entry_set(struct vm *vm, gpa_t gpa, uint64_t entry, uint32_t bits)
{
    if ((entry & bits) == bits)
        return;
    if (page_takes_writes(phys_kind(vm, gpa)))
        __atomic_fetch_or((uint32_t *)(void *)phys_host(vm, gpa), bits, __ATOMIC_SEQ_CST);
    else
        phys_write_implicit(vm, gpa, 4, (uint32_t)entry | bits);
}

static void trail_set_ad(struct vm *vm, const struct walk_trail *t, bool write)
{
    for (unsigned i = 0; i < t->count; i++) {
        bool leaf = i + 1 == t->count;

        entry_set(vm, t->gpa[i], t->entry[i], PTE_A | (leaf && write ? PTE_D : 0));
    }
}

bool walk_tables(struct vcpu *v, gla_t gla, struct walk_trail *t)
{
    t->count = 0;
    return v->cr4 & CR4_PAE ? walk_pae(v, gla, t) : walk_32(v, gla, t);
}

void walk_combine(const struct vcpu *v, const struct walk_trail *t, struct mmu_walk *w)
{
    bool nxe = (v->cr4 & CR4_PAE) && (v->msr.efer & EFER_NXE);
    uint64_t all = ~0ull, leaf = t->entry[t->count - 1];

    w->nx = false;
    for (unsigned i = 0; i < t->count; i++) {
        all &= t->entry[i];
        w->nx |= nxe && (t->entry[i] & PTE_NX);
    }
    w->user = all & PTE_U;
    w->writable = all & PTE_W;
    w->dirty = leaf & PTE_D;
    w->global = (leaf & PTE_G) && (v->cr4 & CR4_PGE);
    w->page_size = t->page_size;
    w->gpa = phys_a20(v->vm, t->frame);
}

bool mmu_walk(struct vcpu *v, gla_t gla, unsigned how, struct mmu_walk *w)
{
    bool nxe = (v->cr4 & CR4_PAE) && (v->msr.efer & EFER_NXE);
    struct walk_trail t;

    w->error = 0;
    if (!(v->cr0 & CR0_PG)) {
        w->gpa = phys_a20(v->vm, gla);
        w->user = w->writable = w->dirty = true;
        w->nx = w->global = false;
        w->page_size = GUEST_PAGE_SIZE;
        return true;
    }
    w->error = (how & MMU_WRITE ? PFE_W : 0) | (how & MMU_USER ? PFE_U : 0);
    if ((how & MMU_EXEC) && (nxe || (v->cr4 & CR4_SMEP)))
        w->error |= PFE_I;
    if (!walk_tables(v, gla, &t)) {
        w->error |= t.fault;
        return false;
    }
    walk_combine(v, &t, w);
    w->dirty |= (how & MMU_WRITE) && !(how & MMU_PROBE);
    if (!rights_allow(v, how, w)) {
        w->error |= PFE_P;
        return false;
    }
    if (!(how & MMU_PROBE))
        trail_set_ad(v->vm, &t, how & MMU_WRITE);
    w->error = 0;
    return true;
}

bool mmu_load_pdptes(struct vcpu *v, uint32_t cr3)
{
    uint64_t p[4];

    for (unsigned i = 0; i < 4; i++) {
        p[i] = phys_read(v->vm, (cr3 & ~0x1fu) + i * 8, 8);
        if ((p[i] & PTE_P) && (p[i] & PDPTE_RSVD))
            return false;
    }
    for (unsigned i = 0; i < 4; i++)
        v->pdpte[i] = p[i];
    return true;
}

bool mmu_load_cr3(struct vcpu *v, uint32_t value)
{
    if (trace_wants(v->vm, TRACE_BIT(TRACE_MMU)))
        trace_line(v->vm, TRACE_MMU, "cr3 0x%08x -> 0x%08x at 0x%04x:0x%08x", v->cr3, value,
                   v->seg[SEG_CS].sel, v->eip);
    if ((v->cr0 & CR0_PG) && (v->cr4 & CR4_PAE) && !mmu_load_pdptes(v, value))
        return false;
    v->cr3 = value;
    mmu_flush_nonglobal(v);
    return true;
}
