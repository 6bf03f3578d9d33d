/* SPDX-License-Identifier: MIT */
/*
 * start.S - the first instructions of every process. The kernel leaves two words on the stack: the
 * function that SYS_SPAWN was given (0 for the first process: the shell) and its argument.
 */
    .section .start, "ax"
    .globl user_start
user_start:
    pop %eax
    test %eax, %eax
    jnz 1f
    mov $shell, %eax
1:  xor %ebp, %ebp
    call *%eax
    push %eax
    call exit

    .section .note.GNU-stack, "", @progbits
