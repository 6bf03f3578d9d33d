/* SPDX-License-Identifier: MIT */
/*
 * listener.h - who hears that what a vCPU knows about memory is no longer true.
 *
 * Promises   Whatever caches translations of linear addresses, or what may be done with a physical
 *            page, registers here once per vCPU: the software TLB, windows, jump maps, maps of code
 *            pages. All are told of each flush, in the order of their registration, on the vCPU's
 *            thread. None is told by name, so nothing below has to know what is built above it.
 * Invariant  In zeroed memory nothing is known to anybody: vcpu_reset() makes the first flush.
 * Not here   Who writes to a page (page.h).
 * Writer     The vCPU's own thread; mmu_flush_gpa() and mmu_memory_changed() are called between two
 *            instructions of all CPUs.
 * Source     SDM vol. 3A, section 4.10 (what must be invalidated when).
 */
#ifndef RING1_MONITOR_CPU_LISTENER_H
#define RING1_MONITOR_CPU_LISTENER_H

#include "include/ring1/types.h"

struct vcpu;
struct vm;

enum flush_kind {
    FLUSH_ALL,       /* all linear addresses, global pages too */
    FLUSH_NONGLOBAL, /* all that are not on global pages: a load of CR3 */
    FLUSH_PAGE,      /* the page of gla */
    FLUSH_REGION,    /* the aligned 4 MiB around gla: INVLPG of a page of 2 or 4 MiB */
};

struct mmu_listener {
    /* Linear addresses may lead elsewhere, or with other rights, than they did. NULL: it does not
     * matter. */
    void (*flushed)(struct vcpu *v, enum flush_kind kind, gla_t gla);
    /* The physical page became code, ROM, a device, or what it was again: what may be done with it
     * without asking has changed (vm.page[]). NULL: it does not matter. */
    void (*page_changed)(struct vcpu *v, gpa_t page);
    /* At the whole pages [gpa, gpa+len) there is other memory than before, or none any more, or
     * some where there was none. NULL: it does not matter. */
    void (*memory_changed)(struct vcpu *v, gpa_t gpa, uint64_t len);
};

#define MMU_LISTENERS 6u

/* *l, which must stay valid, hears of flushes from now on; to register it twice changes nothing. */
void mmu_listen(struct vcpu *v, const struct mmu_listener *l);

/* Tells the CPU's listeners, and counts in vcpu.fetch_generation and its kin. */
void mmu_flush(struct vcpu *v, enum flush_kind kind, gla_t gla);

void mmu_flush_all(struct vcpu *v);
void mmu_flush_nonglobal(struct vcpu *v);

/* Tells all CPUs' listeners that vm.page[] of the page of gpa changed. */
void mmu_flush_gpa(struct vm *vm, gpa_t gpa);

/* Tells all CPUs' listeners that other memory is there (monitor/memory/region.h). */
void mmu_memory_changed(struct vm *vm, gpa_t gpa, uint64_t len);

#endif
