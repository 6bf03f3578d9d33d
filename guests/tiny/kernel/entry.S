/* SPDX-License-Identifier: MIT */
/*
 * entry.S - the ways into the kernel: multiboot, interrupts and exceptions; and the switch between
 * two stacks.
 */
#define KERNEL_DATA 0x10
#define MULTIBOOT_MAGIC 0x1badb002
#define MULTIBOOT_FLAGS 3 /* modules page-aligned, memory information wanted */

    .section .multiboot, "a"
    .balign 4
    .long MULTIBOOT_MAGIC, MULTIBOOT_FLAGS, -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)

    .text
/* IN EAX: the loader's magic number, EBX: struct multiboot. Paging is off, the segments
 * are flat. */
    .globl kernel_start
kernel_start:
    cli
    cld
    mov $boot_stack_end, %esp
    xor %ebp, %ebp
    push %ebx
    push %eax
    call kernel_main
1:  cli
    hlt
    jmp 1b

/* One stub of 16 bytes per vector. The CPU pushes an error code only for some; the others get a
 * zero. */
    .balign 16
    .globl trap_stubs
trap_stubs:
    .set vector, 0
    .rept 48
    .balign 16
    .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17)
    push $0
    .endif
    push $vector
    jmp trap_enter
    .set vector, vector + 1
    .endr

    .globl syscall_stub
syscall_stub:
    push $0
    push $0x80
/* The pushes mirror struct frame in kernel.h. */
trap_enter:
    push %ds
    push %es
    push %fs
    push %gs
    pusha
    mov $KERNEL_DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    cld
    push %esp
    call trap
    add $4, %esp
/* A new process starts here, on a frame made by process_create(). */
    .globl trap_return
trap_return:
    popa
    pop %gs
    pop %fs
    pop %es
    pop %ds
    add $8, %esp /* vector and error code */
    iret

/* void stack_switch(uint32_t *save_esp, uint32_t load_esp): returns on the other stack. */
    .globl stack_switch
stack_switch:
    mov 4(%esp), %eax
    mov 8(%esp), %edx
    push %ebp
    push %ebx
    push %esi
    push %edi
    mov %esp, (%eax)
    mov %edx, %esp
    pop %edi
    pop %esi
    pop %ebx
    pop %ebp
    ret

    .section .rodata
    .balign 4
    .globl user_image
user_image:
    .incbin "user.elf"

    .bss
    .balign 16
boot_stack:
    .skip 8192
boot_stack_end:

    .section .note.GNU-stack, "", @progbits
