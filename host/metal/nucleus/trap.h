/* SPDX-License-Identifier: MIT */
/*
 * trap.h - what traps, interrupts and service calls do at CPL 0.
 *
 * Promises   A trap of translated code goes to the engines, one of an FPU stub to its caller, a
 *            page fault in lazy memory gets its page, a device's interrupt its handler; anything
 *            else is a bug of ours and ends in a report on the console.
 * Invariant  The nucleus runs with interrupts off; it is entered again by faults in lazy memory and
 *            by NMI only.
 */
#ifndef RING1_HOST_METAL_TRAP_H
#define RING1_HOST_METAL_TRAP_H

#include "include/ring1/types.h"

/* As entry.S pushes it. gpr: in the order of their encoding; gpr[4] is not used, rsp is. */
struct trap_frame {
    uint64_t gpr[16];
    uint64_t vector, error;
    uint64_t rip, cs, rflags, rsp, ss;
};

void trap(struct trap_frame *f);

/* Vectors of interrupts: the 8259s' sixteen, then those of the local APIC. */
/* How often a trap or an interrupt found guest code running, directly or translated, by the ring
 * that the hardware had (the RPL of the CS that it pushed) and the guest's CPL. */
struct rings {
    uint64_t seen[4][4];
};
const struct rings *trap_rings(void);
/* None was seen: the guest is gone. */
void trap_forget(void);

#define VECTOR_PIC      0x20u
#define VECTOR_TIMER    0x30u
#define VECTOR_SPURIOUS 0x3fu

/* Traps, interrupts and services so far: each is a way into ring 0 and out of it. */
extern uint64_t trap_count;

#endif
