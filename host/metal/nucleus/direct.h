/* SPDX-License-Identifier: MIT */
/*
 * direct.h - runs guest code at CPL 3 in compatibility mode, and comes back from it.
 *
 * Promises   Code that runs so reaches the linear addresses of its window and nothing else: it
 *            cannot name an address beyond 4 GiB, has no 64-bit code segment it could enter, no
 *            port, and IOPL 0 with IF set. Whatever traps comes back to the caller at CPL 1 with
 *            the guest's registers; an interrupt only when the vCPU is wanted, or when the way back
 *            would show in the guest's registers.
 * Source     SDM vol. 3A, sections 5.8.1 (transfers), 6.14 (interrupts in IA-32e mode).
 */
#ifndef RING1_HOST_METAL_DIRECT_H
#define RING1_HOST_METAL_DIRECT_H

#include "host/metal/nucleus/trap.h"

/* SERVICE_DIRECT: *f is the caller's frame and becomes the guest's, or holds the answer. */
void direct_enter(struct trap_frame *f);
/* Direct code sees no descriptor any more: the guest is gone. */
void direct_host_forget(void);
/* Is *f the guest's, of a trap or interrupt in directly executed code? */
bool direct_is(const struct trap_frame *f);
/* Guest code was interrupted: would the way back into it change a segment register? A null selector
 * with an RPL becomes 0 there (SDM vol. 2, IRET). */
bool direct_would_lose(void);
/* *f is the guest's, and becomes the caller's with the answer. */
void direct_leave(struct trap_frame *f, unsigned why);

#endif
