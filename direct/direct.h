/* SPDX-License-Identifier: MIT */
/*
 * direct.h - direct execution: guest user code on the bare CPU.
 *
 * Promises   What runs directly does what the interpreter would do with it. It runs at CPL 3, in
 *            32-bit segments made from the guest's hidden descriptors, in the window of its address
 *            space; whatever traps is executed by the interpreter, one instruction, which raises
 *            what the guest is to see.
 * Invariant  A page is executable in a window only while the scan found it clean and it has
 *            PAGE_DIRECT: whoever writes to it takes the right away first.
 * Not here   Entering and leaving the guest's state (the host: include/ring1/direct.h). Guest
 *            kernels (the translator).
 * Source     SDM vol. 3A, sections 3.4 (segments), 5.8 (transfers), 9.8.5.3 (compatibility mode).
 */
#ifndef RING1_DIRECT_DIRECT_H
#define RING1_DIRECT_DIRECT_H

#include "monitor/cpu/vcpu.h"

/* Bytes of memory for a VM with so much RAM; the host allocates them zeroed. */
size_t direct_size(uint64_t ram_size);

/* Adds the engine, before the translator. v->vm->host has direct_run() and direct_allow(), and
 * windows. umip: the host's CPU does not let CPL 3 read its descriptor tables. */
void direct_init(struct vcpu *v, void *memory, bool umip);

extern const struct engine direct_engine;

#endif
