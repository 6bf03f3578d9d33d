/* SPDX-License-Identifier: MIT */
/*
 * mmu.h - guest page-table walks, TLB maintenance; what CR0, CR3, CR4 and EFER.NXE mean for memory.
 *
 * Invariant  In zeroed memory the TLB is not valid until the first flush: vcpu_reset() makes one.
 * Source     SDM vol. 3A, chapter 4. Physical addresses have 36 bits.
 */
#ifndef RING1_SHADOW_MMU_MMU_H
#define RING1_SHADOW_MMU_MMU_H

#include "include/ring1/types.h"
#include "monitor/cpu/listener.h"

struct vcpu;
struct vm;

/* Kind of access. */
#define MMU_READ     0u
#define MMU_WRITE    1u
#define MMU_EXEC     2u
#define MMU_USER     4u  /* judged as CPL 3 */
#define MMU_IMPLICIT 8u  /* descriptor tables, TSS: SMAP applies whatever EFLAGS.AC is */
#define MMU_PROBE    16u /* only asks: A and D stay as they are */

struct mmu_walk {
    gpa_t gpa;                              /* OUT physical address of gla, A20 applied */
    uint32_t error;                         /* OUT #PF error code when the walk fails */
    bool user, writable, nx, global, dirty; /* OUT of a successful walk, all levels combined */
    uint32_t page_size;                     /* OUT in bytes: 4 KiB, 2 MiB or 4 MiB */
};

/* Walks the guest's tables for one access (paging off: identity). Sets A, and D for MMU_WRITE,
 * unless MMU_PROBE. Returns true when allowed; false with w->error when the guest must take #PF.
 * Touches no TLB. */
bool mmu_walk(struct vcpu *v, gla_t gla, unsigned how, struct mmu_walk *w);

/* Loads CR3: sets v->cr3, reads the PDPTEs again under PAE, flushes non-global entries. Returns
 * false, with nothing changed, when a PDPTE has a reserved bit set (the caller raises #GP(0)). */
bool mmu_load_cr3(struct vcpu *v, uint32_t value);
/* Loads the four PDPTE registers from the table at cr3; false, with nothing changed, on a reserved
 * bit. */
bool mmu_load_pdptes(struct vcpu *v, uint32_t cr3);

/* INVLPG: makes all listeners (listener.h) forget what walks of linear address gla said. */
void mmu_flush_page(struct vcpu *v, gla_t gla);

/* Makes the software TLB of a zeroed vCPU a listener. */
void mmu_init(struct vcpu *v);

#endif
