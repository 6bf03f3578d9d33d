/* SPDX-License-Identifier: MIT */
/* map_start.S - map_guest.c's entry, the way into a piece of arena code and the ways out of it. */
#include "map_guest.h"
    .intel_syntax noprefix

    .section .multiboot, "ax"
    .align 4
    .long 0x1badb002, 0, -0x1badb002

    .text
    .globl guest_start
guest_start:
    cli
    mov esp, offset kernel_stack + STACK
    push ebx
    call guest_main
    ud2

/* void enter(eip, esp, user): comes back by any event. */
    .globl enter
enter:
    pusha
    mov eax, [esp + 36]
    mov ecx, [esp + 40]
    mov edx, [esp + 44]
    mov [resume_esp], esp
    test edx, edx
    jnz 1f
    mov esp, ecx
    sti
    jmp eax
1:  mov edx, SEL_UDATA
    mov ds, edx
    mov es, edx
    push edx
    push ecx
    push 0x202
    push SEL_UCODE
    push eax
    iretd

/* Every vector: 16 bytes each. The stack may be anywhere, so it is not looked at. */
    .globl stubs
    .align 16
stubs:
    .set vector, 0
    .rept 256
    .align 16
    mov byte ptr ss:[last_vector], vector
    jmp event
    .set vector, vector + 1
    .endr
event:
    cmp dword ptr ss:[resume_esp], 0
    je idle_event
leave_arena:
    cld
    mov eax, SEL_DATA
    mov ds, eax
    mov es, eax
    mov ss, eax
    mov esp, [resume_esp]
    mov dword ptr [resume_esp], 0
    mov al, 0x20
    out 0x20, al
    popa
    ret

/* While the kernel computes only the timer comes, and nothing waits for it. */
idle_event:
    push eax
    mov al, 0x20
    out 0x20, al
    pop eax
    iretd

/* The double fault's task: back to the first, whose state does not matter. */
    .globl double_fault
double_fault:
    and dword ptr [gdt + SEL_TSS + 4], 0xfffffdff
    mov eax, SEL_TSS
    ltr ax
    and dword ptr [gdt + SEL_DF + 4], 0xfffffdff
    push 2
    popfd
    cmp dword ptr [resume_esp], 0
    jne leave_arena
    ud2

    .section .note.GNU-stack, "", @progbits
