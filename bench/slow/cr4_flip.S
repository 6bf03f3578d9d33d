/* SPDX-License-Identifier: MIT */
/* cr4_flip.S - CR4.PGE changes, which flushes all, before each access to a few pages. */
#define ROUNDS 1000
#include "slow.inc"
#include "paging.inc"
    .text
setup:
    jmp paging_on
rounds:
    mov eax, cr4
    xor eax, 0x80
    mov cr4, eax
    inc dword ptr [0x400000]
    inc dword ptr [0x410000]
    inc dword ptr [0x420000]
    inc dword ptr [0x430000]
    dec ebp
    jnz rounds
    ret
