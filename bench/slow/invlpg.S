/* SPDX-License-Identifier: MIT */
/* invlpg.S - INVLPG of the page that is accessed next. */
#define ROUNDS 1000
#include "slow.inc"
#include "paging.inc"
    .text
setup:
    jmp paging_on
rounds:
    mov esi, 0x400000
1:  invlpg [esi]
    inc dword ptr [esi]
    add esi, 0x1000
    and esi, 0x43ffff
    dec ebp
    jnz 1b
    ret
