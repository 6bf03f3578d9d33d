/* SPDX-License-Identifier: MIT */
/* code16.S - a loop in a code segment of 16 bits. */
#define ROUNDS 20000
#include "slow.inc"
setup:
    ret
rounds:
    jmp SEL_CODE16:loop16
back:
    ret
    .section .low, "awx"
    .code16
loop16:
1:  add eax, ebp
    xor edx, eax
    dec ebp
    jnz 1b
    data32 jmp SEL_CODE32:back
    .code32
