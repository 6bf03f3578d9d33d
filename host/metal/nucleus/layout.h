/* SPDX-License-Identifier: MIT */
/*
 * layout.h - which virtual addresses mean what when ring1 owns the machine. Read by C and assembly.
 *
 * The lower half is the guest's: its linear addresses, and nothing else (compatibility mode names no
 * address beyond 4 GiB). The upper half is ours, at each level of privilege the same:
 *
 *   DIRECT  all physical memory, writable, not executable
 *   HEAP    memory that comes when it is touched (lazy.h)
 *   VCPU    the code cache's executable view, the vCPU, its return stack, 4 GiB of nothing
 *   JUMP    the jump maps (monitor/cpu/bt_cpu.h): zero where nothing was written
 *   WINDOW  the guest's linear addresses once more, 4 GiB each, with guards around them
 *   IMAGE   this program, at its physical address plus IMAGE_BASE
 */
#ifndef RING1_HOST_METAL_LAYOUT_H
#define RING1_HOST_METAL_LAYOUT_H

#define DIRECT_BASE 0xffff800000000000
#define HEAP_BASE   0xffffa00000000000
#define VCPU_BASE   0xffffc00000000000
#define JUMP_BASE   0xffffd00000000000
#define WINDOW_BASE 0xffffe00000000000
#define IMAGE_BASE  0xffffffff80000000

/* Selectors of the nucleus's own GDT (segments.c). The SYSRET order is not needed. */
#define SEL_CODE0 0x08
#define SEL_DATA0 0x10
#define SEL_CODE1 0x19 /* 64-bit code, DPL 1, RPL 1: the monitor's core and translated code */
#define SEL_DATA1 0x21
#define SEL_TSS   0x28

/* The gate through which code at CPL 1 asks the nucleus for a service. */
#define VECTOR_SERVICE 0x40

#endif
