/* SPDX-License-Identifier: MIT */
/* smc_pages.S - two pages of code that write to each other. */
#define ROUNDS 1000
#include "slow.inc"
setup:
    ret
    .align 4096
rounds:
    inc dword ptr [other + 1]
    jmp other
back:
    mov eax, 0
    dec ebp
    jnz rounds
    ret
    .align 4096
other:
    mov eax, 0
    inc dword ptr [back + 1]
    jmp back
