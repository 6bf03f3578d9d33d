/* SPDX-License-Identifier: MIT */
/* mmu_priv.h - what the files of shadow-mmu share among themselves. */
#ifndef RING1_SHADOW_MMU_MMU_PRIV_H
#define RING1_SHADOW_MMU_MMU_PRIV_H

#include "monitor/vm.h"
#include "shadow-mmu/mmu.h"

#define PAGE_BASE(a) ((a) & ~(uint32_t)GUEST_PAGE_MASK)

/* The A20 gate as every physical access of the CPU sees it. */
static inline gpa_t phys_a20(const struct vm *vm, gpa_t gpa)
{
    return vm->a20 ? gpa : gpa & ~(gpa_t)(1u << 20);
}

/* PAGE_* of the page that holds gpa. */
static inline uint8_t phys_kind(const struct vm *vm, gpa_t gpa)
{
    return gpa < vm->ram_size ? vm->page[gpa >> GUEST_PAGE_SHIFT] : PAGE_MMIO;
}

/* Bytes of one page, whatever kind it is. gpa has A20 applied; [gpa, gpa+len) does not leave the
 * page. */
void phys_load(struct vm *vm, gpa_t gpa, void *out, unsigned len);
void phys_store(struct vm *vm, gpa_t gpa, const void *in, unsigned len);

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
