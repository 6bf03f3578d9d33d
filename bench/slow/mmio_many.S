/* SPDX-License-Identifier: MIT */
/* mmio_many.S - device memory from 3,000 instructions, each of which would be translated anew. */
#define ROUNDS 6000
#include "slow.inc"
setup:
    ret
rounds:
    shr ebp
1:
    .rept 2
    .rept 3000
    mov eax, [esi + 0xfee00030]
    .endr
    sub ebp, 3000
    jz 2f
    .endr
    jmp 1b
2:  ret
