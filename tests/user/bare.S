/* SPDX-License-Identifier: MIT */
/*
 * bare.S - the multiboot kernel around the test: descriptor tables, exceptions, and the two Linux system calls that
 * the test uses (write and exit).
 *
 * Promises   An exception at CPL 3 is recorded in `fault` and continues at exit_fault with all other registers kept,
 *            as native.c does with signals.
 */
#include "user.h"
    .intel_syntax noprefix

    .text
    .globl bare_start
bare_start:
    cli
    mov esp, offset kernel_stack_top
    push ebx
    call bare_setup          /* page tables, IDT, command line */
    lgdt [gdt_pointer]
    lidt [idt_pointer]
    mov eax, offset page_directory
    mov cr3, eax
    mov eax, 0x600           /* OSFXSR, OSXMMEXCPT */
    mov cr4, eax
    mov eax, 0x80050033      /* PG AM WP NE ET MP PE */
    mov cr0, eax
    jmp 0x10:1f
1:  mov eax, 0x18
    mov ss, eax
    mov ax, 0x40
    ltr ax
    xor eax, eax             /* after reset the LDT is usable, at address 0 */
    lldt ax
    mov al, 0xff             /* no interrupts */
    out 0x21, al
    out 0xa1, al
    fninit
    mov eax, SEL_UDATA
    mov ds, eax
    mov es, eax
    mov eax, SEL_FS
    mov fs, eax
    mov eax, SEL_GS
    mov gs, eax
    push SEL_UDATA
    push offset stack_top
    push 0x202
    push SEL_UCODE
    push offset user_main
    iretd

/* Stubs of 16 bytes; those without an error code push 0. */
    .align 16
    .globl stubs
stubs:
    .set vec, 0
    .rept 32
    .align 16
    .if vec != 8 && (vec < 10 || vec > 14) && vec != 17
    push 0
    .endif
    push vec
    jmp exception
    .set vec, vec + 1
    .endr

exception: /* [esp]: vector, error, eip, cs, eflags, esp, ss */
    push eax
    mov eax, [esp + 4]
    mov ss:[fault], eax
    mov eax, [esp + 8]
    mov ss:[fault + 4], eax
    mov eax, [esp + 12]
    mov ss:[fault + 12], eax
    mov eax, cr2
    mov ss:[fault + 8], eax
    cmp dword ptr [esp + 16], SEL_UCODE
    jne 1f
    cmp dword ptr [esp + 12], offset exit_next
    je 2f
    cmp dword ptr [esp + 12], offset image_start
    jae 1f
2:  mov dword ptr [esp + 12], offset exit_fault
    and dword ptr [esp + 20], ~EFL_TF
    pop eax
    add esp, 8
    iretd
1:  mov eax, 0x18            /* the test itself went wrong */
    mov ds, eax
    mov es, eax
    mov ecx, offset text_broken
    mov edx, offset text_broken_end - text_broken
    call write
    mov al, 0x7f
    jmp stop

    .globl bare_syscall
bare_syscall:
    cmp eax, 4
    je 1f
    mov al, bl               /* exit */
stop:
    out 0xf4, al
    cli
    hlt
    jmp stop
1:  call write
    iretd

write: /* ecx: text, edx: length */
    push esi
    mov esi, ecx
    mov ecx, edx
    mov edx, 0xe9
    cld
    rep outsb
    pop esi
    ret

    .data
text_broken: .ascii "FAIL exception in the test kernel\n"
text_broken_end:
    .align 16
    .globl gdt, tss
gdt:                         /* Linux's layout */
    .quad 0
    .quad 0x00cf9b000000ffff /* 08 */
    .quad 0x00cf9b000000ffff /* 10: kernel code */
    .quad 0x00cf93000000ffff /* 18: kernel data */
    .quad 0x00cffb000000ffff /* 23: user code */
    .quad 0x00cff3000000ffff /* 2b: user data */
    .quad 0x00affb000000ffff /* 33: 64-bit user code; loads as data */
    .quad 0
    .quad 0x0000890000000067 /* 40: TSS, base filled in */
    .quad 0, 0, 0
    .quad 0x00dff3123456ffff /* 63: FS */
    .quad 0x0050f3900000ffff /* 6b: GS */
    .quad 0
    .quad 0x0040f50000000000 /* 7b: Linux keeps the CPU number in its limit */
gdt_end:
gdt_pointer:
    .word gdt_end - gdt - 1
    .long gdt
idt_pointer:
    .word 256 * 8 - 1
    .long idt
    .align 4
tss:
    .long 0
    .long kernel_stack_top
    .long 0x18
    .fill 22, 4, 0
    .word 0, 0x68

    .bss
    .align 4096
    .globl page_directory, page_table, idt
page_directory: .skip 4096
page_table: .skip 4096
idt: .skip 2048
    .skip 8192
kernel_stack_top:

    .section .note.GNU-stack, "", @progbits
