/* SPDX-License-Identifier: MIT */
/*
 * code_arena.h - memory for generated code: one memfd, mapped once to write and once to execute;
 * and the stack of its CALL and RET.
 */
#ifndef RING1_HOST_LINUX_CODE_ARENA_H
#define RING1_HOST_LINUX_CODE_ARENA_H

#include "include/ring1/vcpu_host.h"

/* Maps `size` bytes, all zero; rounded up to whole pages. Returns 0 or -errno; *a is empty on
 * failure. */
int code_arena_create(struct host_code_arena *a, size_t size);
/* The same for a vCPU's translated code: a->rx lies less than 2 GiB below `vcpu`, which
 * vcpu_memory_create() gave. `size` is at most 1 GiB; a vCPU has at most one such arena. */
int code_arena_create_near(struct host_code_arena *a, size_t size, void *vcpu);
/* Unmaps the arena; an empty one too. */
void code_arena_destroy(struct host_code_arena *a);

/* Zeroed memory of `size` bytes for a vCPU, with address space before it for its translated code
 * and after it for its return stack; NULL when there is none. */
void *vcpu_memory_create(size_t size);
/* Makes the return stack after what vcpu_memory_create() gave, and sets h->return_limit and
 * return_top as vcpu_host.h says. Returns 0 or -errno; both are 0 on failure. */
int return_stack_create(struct vcpu_host *h, void *vcpu, size_t size);
/* Unmaps the return stack, if there is one, but not the vCPU's memory. */
void return_stack_destroy(struct vcpu_host *h);

#endif
