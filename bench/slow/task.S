/* SPDX-License-Identifier: MIT */
/* task.S - task switches by far jumps. */
#define ROUNDS 500
#include "slow.inc"
#include "task.inc"
    .data
TSS32 tss_a, 0, 0
TSS32 tss_b, other, task_stack
    .bss
    .skip 256
task_stack:
    .text
setup:
    DESC SEL_FREE0, "offset tss_a", 0x67, 0x89, 0
    DESC SEL_FREE1, "offset tss_b", 0x67, 0x89, 0
    mov eax, SEL_FREE0
    ltr ax
    ret
rounds:
    jmp SEL_FREE1:0
    dec ebp
    jnz rounds
    ret
other:
    jmp SEL_FREE0:0
    jmp other
