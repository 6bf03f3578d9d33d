/* SPDX-License-Identifier: MIT */
/*
 * boot.S - from a multiboot loader to C in long mode.
 *
 * IN       32-bit protected mode, flat segments, paging and interrupts off; eax the loader's magic
 *          number, ebx the physical address of its information (Multiboot 0.6.96, section 3.2;
 *          Multiboot2 2.0, section 3.3).
 * Leaves   64-bit mode at CPL 0, 4 GiB of physical memory at 0 and at DIRECT_BASE, the first GiB of
 *          it at IMAGE_BASE; metal_start(magic, information) on a stack of 16 KiB.
 * Source   SDM vol. 3A, section 10.8.5 (initializing IA-32e mode).
 */
#include "host/metal/nucleus/layout.h"

#define MB1_MAGIC 0x1badb002
/* Modules on pages, memory map wanted, addresses below. */
#define MB1_FLAGS 0x00010003
#define MB2_MAGIC 0xe85250d6
#define PHYS(x)   ((x) - IMAGE_BASE)

/* PG, WP, NE, MP, PE; PAE (SDM vol. 3A, section 2.5). */
#define BOOT_CR0 0x80010023
#define BOOT_CR4 0x20
#define EFER 0xc0000080
#define EFER_LME_NXE 0x900

    .section .boot, "ax"
    .code32
    .p2align 3
multiboot1:
    .long MB1_MAGIC, MB1_FLAGS, -(MB1_MAGIC + MB1_FLAGS)
    .long PHYS(multiboot1), PHYS(image_start), PHYS(image_data_end), PHYS(image_end), PHYS(start32)

    .p2align 3
multiboot2:
    .long MB2_MAGIC, 0, multiboot2_end - multiboot2
    .long -(MB2_MAGIC + (multiboot2_end - multiboot2))
    .short 3, 0 /* entry address, for loaders which would take the ELF header's virtual one */
    .long 12, PHYS(start32)
    .p2align 3
    .short 6, 0 /* modules on pages */
    .long 8
    .short 0, 0
    .long 8
multiboot2_end:

    .globl start32
start32:
    cld
    mov %eax, %edi
    mov %ebx, %esi
    mov $PHYS(boot_stack_top), %esp

    mov $0x80000000, %eax
    cpuid
    cmp $0x80000001, %eax
    jb no_long_mode
    mov $0x80000001, %eax
    cpuid
    bt $29, %edx /* LM */
    jnc no_long_mode
    bt $20, %edx /* NX */
    jnc no_long_mode

    /* cpuid wrote ebx; esi and edi were kept. Four page directories of 2-MiB pages. */
    xor %ecx, %ecx
1:  mov %ecx, %eax
    shl $21, %eax
    or $0x83, %eax /* present, writable, 2 MiB */
    mov %eax, PHYS(boot_pd)(,%ecx,8)
    mov %ecx, %eax
    shr $11, %eax /* bits 63:32 are zero: 2048 pages are 4 GiB */
    mov %eax, PHYS(boot_pd)+4(,%ecx,8)
    inc %ecx
    cmp $2048, %ecx
    jb 1b
    xor %ecx, %ecx
2:  mov %ecx, %eax
    shl $12, %eax
    add $PHYS(boot_pd) + 3, %eax
    mov %eax, PHYS(boot_pdpt)(,%ecx,8)
    inc %ecx
    cmp $4, %ecx
    jb 2b
    movl $PHYS(boot_pd) + 3, PHYS(boot_pdpt_image) + 510 * 8
    movl $PHYS(boot_pdpt) + 3, PHYS(boot_pml4)
    movl $PHYS(boot_pdpt) + 3, PHYS(boot_pml4) + 256 * 8
    movl $PHYS(boot_pdpt_image) + 3, PHYS(boot_pml4) + 511 * 8

    mov $BOOT_CR4, %eax
    mov %eax, %cr4
    mov $PHYS(boot_pml4), %eax
    mov %eax, %cr3
    mov $EFER, %ecx
    rdmsr
    or $EFER_LME_NXE, %eax
    wrmsr
    mov $BOOT_CR0, %eax
    mov %eax, %cr0
    lgdt PHYS(boot_gdt_pointer)
    ljmp $SEL_BOOT_CODE, $PHYS(start64_low)

    /* Without long mode nothing of ours can run; the text is put where anyone may see it. */
no_long_mode:
    mov $PHYS(sorry), %esi
    mov $0xb8000, %edi
3:  lodsb
    test %al, %al
    jz 5f
    movb %al, (%edi)
    movb $0x4f, 1(%edi)
    add $2, %edi
    mov %al, %ah
    mov $0x3fd, %edx
4:  in %dx, %al
    test $0x20, %al
    jz 4b
    mov %ah, %al
    mov $0x3f8, %edx
    out %al, %dx
    jmp 3b
5:  hlt
    jmp 5b
sorry:
    .asciz "ring1: this CPU has no 64-bit mode with execute-disable, which ring1 needs."

    .code64
start64_low:
    movabs $start64, %rax
    jmp *%rax

    .p2align 3
boot_gdt:
    .quad 0, 0x00af9a000000ffff, 0x00cf92000000ffff
boot_gdt_pointer:
    .short . - boot_gdt - 1
    .long PHYS(boot_gdt)

    .text
    .code64
start64:
    mov $SEL_BOOT_DATA, %eax
    mov %eax, %ss
    mov %eax, %ds
    mov %eax, %es
    xor %eax, %eax
    mov %eax, %fs
    mov %eax, %gs
    movabs $boot_stack_top, %rsp
    xor %ebp, %ebp
    mov %edi, %edi
    mov %esi, %esi
    call metal_start
6:  hlt
    jmp 6b

    .bss
    .p2align 12
boot_pml4: .skip 4096
boot_pdpt: .skip 4096
boot_pdpt_image: .skip 4096
boot_pd: .skip 4 * 4096
    .skip 16384
    .globl boot_stack_top
boot_stack_top:

    .section .note.GNU-stack, "", @progbits
