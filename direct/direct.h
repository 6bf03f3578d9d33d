/* SPDX-License-Identifier: MIT */
/*
 * direct.h - direct execution: guest code on the bare CPU.
 *
 * Promises   What runs directly does what the interpreter would do with it. User code runs at CPL
 *            3, a guest's kernel at CPL 1, in 32-bit segments made from the guest's hidden
 *            descriptors, in the window of its address space; whatever traps is executed by the
 *            interpreter, one instruction, which raises what the guest is to see.
 * Invariant  A page is executable in a window only while the scan found it clean and it has
 *            PAGE_DIRECT: whoever writes to it takes the right away first.
 * Not here   Entering and leaving the guest's state (the host: include/ring1/direct.h).
 * Source     SDM vol. 3A, sections 3.4 (segments), 5.8 (transfers), 10.8.5.3 (compatibility mode);
 *            Robin and Irvine, "Analysis of the Intel Pentium's Ability to Support a Secure Virtual
 *            Machine Monitor" (2000), for what does not trap.
 */
#ifndef RING1_DIRECT_DIRECT_H
#define RING1_DIRECT_DIRECT_H

#include "monitor/cpu/vcpu.h"

struct direct_options {
    bool user, kernel; /* what runs directly, where it can */
    bool umip;         /* the host's CPU lets nobody above CPL 0 read its descriptor tables */
    bool bit_counts;   /* it has LZCNT or TZCNT, which to the guest's are BSR and BSF */
};

/* Bytes of memory for a VM with so much RAM; the host allocates them zeroed. */
size_t direct_size(uint64_t ram_size);

/* Adds the engine, before the translator. v->host has direct_run() and windows. */
void direct_init(struct vcpu *v, void *memory, const struct direct_options *options);

/* Nothing is known of any page, as at the beginning: another guest's are there. */
void direct_forget(struct vcpu *v);

extern const struct engine direct_engine;

#endif
