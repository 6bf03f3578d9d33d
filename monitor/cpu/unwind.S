/* SPDX-License-Identifier: MIT */
/*
 * unwind.S - saves and restores the callee-saved registers (unwind.h).
 *
 * Promises   Touches nothing but the buffer and, in unwind_jump, the registers named in it.
 * Source     System V ABI for x86-64, section 3.2.1.
 */

    .text

/* unwind_save
 * IN       rdi = buffer of 8 words
 * OUT      rax = 0, or the value given to unwind_jump
 * CLOBBERS rcx
 */
    .globl unwind_save
    .type unwind_save, @function
    .p2align 4
unwind_save:
    movq %rbx, 0(%rdi)
    movq %rbp, 8(%rdi)
    movq %r12, 16(%rdi)
    movq %r13, 24(%rdi)
    movq %r14, 32(%rdi)
    movq %r15, 40(%rdi)
    leaq 8(%rsp), %rcx      /* rsp as the caller has it after our return */
    movq %rcx, 48(%rdi)
    movq (%rsp), %rcx
    movq %rcx, 56(%rdi)
    xorl %eax, %eax
    ret
    .size unwind_save, . - unwind_save

/* unwind_jump
 * IN       rdi = buffer, rsi = value to return from unwind_save
 * ASSUMES  the saving frame still exists; DF is clear, as the ABI has it everywhere
 * CLOBBERS everything: does not return
 */
    .globl unwind_jump
    .type unwind_jump, @function
    .p2align 4
unwind_jump:
    movq %rsi, %rax
    movq 0(%rdi), %rbx
    movq 8(%rdi), %rbp
    movq 16(%rdi), %r12
    movq 24(%rdi), %r13
    movq 32(%rdi), %r14
    movq 40(%rdi), %r15
    movq 48(%rdi), %rsp
    jmpq *56(%rdi)
    .size unwind_jump, . - unwind_jump

    .section .note.GNU-stack, "", @progbits
