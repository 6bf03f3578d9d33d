/* SPDX-License-Identifier: MIT */
/*
 * micro.h - micro-guests: a few instructions of a kernel, the memory around them, and the state in
 * which the CPU begins them. A file of them is a struct micro_head and so many struct micro_guest.
 *
 * Promises   Nothing of a file is trusted: micro_find() checks its size, micro_enter() the tables.
 * Invariant  The memory is MICRO_BYTES from head.base on, without paging.
 */
#ifndef RING1_BOOT_MICRO_H
#define RING1_BOOT_MICRO_H

#include "include/ring1/types.h"

struct vcpu;

#define MICRO_MAGIC 0x6f72636du
#define MICRO_BYTES 0x5000u

/* Linear addresses; selectors of the memory's own GDT. */
struct micro_state {
    uint32_t base; /* of the memory */
    uint32_t eip, esp, sysenter_esp, sysenter_eip;
    uint32_t gdt_base, gdt_limit, idt_base, idt_limit;
    uint32_t code, data, tss, ldt;
};

struct micro_head {
    uint32_t magic, count;
    struct micro_state state;
};

struct micro_guest {
    char name[24]; /* terminated */
    uint32_t at;   /* linear address of the instruction that it is about */
    uint32_t esi;
    uint32_t runs; /* whose fewest cycles count; at least 1 */
    uint32_t mark; /* how the reader tells guests of one name apart */
    uint8_t image[MICRO_BYTES];
};

/* The file's head, with its guests behind it, when it is one and has all of them; else NULL. */
const struct micro_head *micro_find(const void *bytes, size_t size);

/* CPU 0 at the guest's beginning, in ring 0; its memory is in place. A guest whose tables lack a
 * segment that *s names: false. */
bool micro_enter(struct vcpu *v, const struct micro_state *s, uint32_t esi);

#endif
