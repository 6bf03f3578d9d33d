/* SPDX-License-Identifier: MIT */
/*
 * jump_map.h - the jump maps of struct vcpu_host on Linux: private memory, of which the kernel
 * gives a page when it is written first.
 *
 * Promises   What is not open does not count as committed memory: it is read-only.
 *            FPU-SAFE: jump_map.c is compiled with -mgeneral-regs-only and makes its system calls
 *            itself.
 * Sandbox    While the guest runs: mmap of anonymous memory (MAP_FIXED), mprotect.
 */
#ifndef RING1_HOST_LINUX_JUMP_MAP_H
#define RING1_HOST_LINUX_JUMP_MAP_H

#include "include/ring1/vcpu_host.h"

/* Enters them into *h: all, or as many as are needed with one supervisor window
 * (shadow-mmu/window.h) where the host denies the address space for more. The others, which nobody
 * uses then, are the first. Returns 0 or -errno; *h is as before on failure. */
int jump_maps_create(struct vcpu_host *h);
bool jump_maps_all(const struct vcpu_host *h);
/* There will be one supervisor window, or none: gives up what only more would need. Before the
 * translator is made. */
void jump_maps_lessen(struct vcpu_host *h);
/* Also when there are none. */
void jump_maps_destroy(struct vcpu_host *h);

#endif
