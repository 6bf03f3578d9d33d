/* SPDX-License-Identifier: MIT */
/* smc_own.S - code that writes the instruction after the next. */
#define ROUNDS 1000
#include "slow.inc"
setup:
    ret
    .align 4096
rounds:
    inc dword ptr [1f + 1]
    nop
1:  mov eax, 0
    dec ebp
    jnz rounds
    ret
