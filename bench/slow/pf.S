/* SPDX-License-Identifier: MIT */
/* pf.S - #PF of a page that is not present, whose handler goes on behind it. */
#define ROUNDS 2000
#include "slow.inc"
#include "paging.inc"
    .text
setup:
    HANDLE 14, missing
    jmp paging_on
SKIP missing, 2, 1
rounds:
    mov esi, 0x900000
1:  mov eax, [esi]
    dec ebp
    jnz 1b
    ret
