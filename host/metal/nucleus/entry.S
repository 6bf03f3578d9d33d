/* SPDX-License-Identifier: MIT */
/*
 * entry.S - every vector's way to trap(struct trap_frame *) and back; the way to CPL 1.
 *
 * vector_entries     256 addresses for the IDT
 *   IN       the frame that the CPU pushed, with an error code where the vector has one (SDM
 *            vol. 3A, section 6.13)
 *   ASSUMES  a 64-bit interrupt gate to a stack of the nucleus
 * enter_ring1(rip, rsp)
 *   Goes to CPL 1 for good.
 * nucleus_call(number, a, b, c, d)
 *   At CPL 1: asks for a service; the answer is in rax. Every other register stays.
 */
#include "host/metal/nucleus/layout.h"

#define RFLAGS_RING1 0x202 /* IF; IOPL 0 */

    .altmacro
    .text

    .macro entry n
    .p2align 4
entry_\n:
    .if !(\n == 8 || (\n >= 10 && \n <= 14) || \n == 17 || \n == 21 || \n == 29 || \n == 30)
    push $0
    .endif
    push $\n
    jmp common
    .endm

    .set n, 0
    .rept 256
    entry %n
    .set n, n + 1
    .endr

    /* struct trap_frame (trap.h), from its end to its beginning. */
common:
    push %r15
    push %r14
    push %r13
    push %r12
    push %r11
    push %r10
    push %r9
    push %r8
    push %rdi
    push %rsi
    push %rbp
    sub $8, %rsp /* rsp: the CPU pushed it */
    push %rbx
    push %rdx
    push %rcx
    push %rax
    cld
    mov %rsp, %rdi
    mov %rsp, %rbp
    and $-16, %rsp
    call trap
    mov %rbp, %rsp
    pop %rax
    pop %rcx
    pop %rdx
    pop %rbx
    add $8, %rsp
    pop %rbp
    pop %rsi
    pop %rdi
    pop %r8
    pop %r9
    pop %r10
    pop %r11
    pop %r12
    pop %r13
    pop %r14
    pop %r15
    add $16, %rsp
    iretq

    .globl enter_ring1
enter_ring1:
    push $SEL_DATA1
    push %rsi
    push $RFLAGS_RING1
    push $SEL_CODE1
    push %rdi
    mov $SEL_DATA1, %eax
    mov %eax, %ds
    mov %eax, %es
    iretq

    .globl nucleus_call
nucleus_call:
    mov %rdi, %rax
    int $VECTOR_SERVICE
    ret

    .section .rodata
    .p2align 3
    .globl vector_entries
vector_entries:
    .macro address n
    .quad entry_\n
    .endm
    .set n, 0
    .rept 256
    address %n
    .set n, n + 1
    .endr

    .section .note.GNU-stack, "", @progbits
