/* SPDX-License-Identifier: MIT */
/*
 * jump_map.h - the jump maps of struct vcpu_host on Linux: private memory, of which the kernel
 * gives a page when it is written first.
 *
 * Promises   A part that is not open is read-only, so that it does not count as committed memory.
 *            FPU-SAFE: jump_map.c is compiled with -mgeneral-regs-only and makes its system calls
 *            itself.
 * Sandbox    While the guest runs: mmap of anonymous memory (MAP_FIXED), mprotect.
 */
#ifndef RING1_HOST_LINUX_JUMP_MAP_H
#define RING1_HOST_LINUX_JUMP_MAP_H

#include "include/ring1/vcpu_host.h"

/* Makes the jump maps and enters them into *h: all, or as many as are needed with one supervisor
 * window (shadow-mmu/window.h) where the host denies the address space for more; the other numbers,
 * which nobody uses then, name the first map. Returns 0 or -errno; *h is as before on failure. */
int jump_maps_create(struct vcpu_host *h);
/* Are all maps there? */
bool jump_maps_all(const struct vcpu_host *h);
/* Gives up the maps that only several supervisor windows would need, when there will be one or
 * none. To be called before the translator is made. */
void jump_maps_lessen(struct vcpu_host *h);
/* Unmaps all maps, if there are any. */
void jump_maps_destroy(struct vcpu_host *h);

#endif
