/* SPDX-License-Identifier: MIT */
/*
 * layout.h - which virtual addresses mean what when ring1 owns the machine. Read by C and assembly.
 *
 * The lower half is the guest's: its linear addresses, and nothing else (compatibility mode names
 * no address beyond 4 GiB). The upper half is ours, at each level of privilege the same:
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

/* boot.S's own, short-lived table. */
#define SEL_BOOT_CODE 0x08
#define SEL_BOOT_DATA 0x10

/* Selectors of the nucleus's GDT (segments.c): the last of 8192, the others are for directly
 * executed guest code (DIRECT_SELECTORS). */
#define SEL_CODE0 0xff88
#define SEL_DATA0 0xff90
#define SEL_CODE1 0xff99 /* 64-bit code, DPL 1, RPL 1: the monitor's core and translated code */
#define SEL_DATA1 0xffa1
#define SEL_TSS   0xffa8
#define SEL_LDT   0xffb8

/* The gate through which code at CPL 1 asks the nucleus for a service. */
#define VECTOR_SERVICE 0x40

#endif
