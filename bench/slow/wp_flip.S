/* SPDX-License-Identifier: MIT */
/* wp_flip.S - CR0.WP changes before each access to a few pages. */
#define ROUNDS 1000
#include "slow.inc"
#include "paging.inc"
    .text
setup:
    jmp paging_on
rounds:
    mov eax, cr0
    xor eax, 0x10000
    mov cr0, eax
    inc dword ptr [0x400000]
    inc dword ptr [0x410000]
    inc dword ptr [0x420000]
    inc dword ptr [0x430000]
    dec ebp
    jnz rounds
    ret
