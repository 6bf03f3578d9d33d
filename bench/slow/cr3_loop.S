/* SPDX-License-Identifier: MIT */
/* cr3_loop.S - CR3 is loaded before each access to a few pages. */
#define ROUNDS 1000
#include "slow.inc"
#include "paging.inc"
    .text
setup:
    jmp paging_on
rounds:
    mov eax, cr3
    mov cr3, eax
    inc dword ptr [0x400000]
    inc dword ptr [0x410000]
    inc dword ptr [0x420000]
    inc dword ptr [0x430000]
    dec ebp
    jnz rounds
    ret
