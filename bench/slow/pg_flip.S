/* SPDX-License-Identifier: MIT */
/* pg_flip.S - paging is switched off and on before each access to a few pages. */
#define ROUNDS 1000
#include "slow.inc"
#include "paging.inc"
    .text
setup:
    jmp paging_on
rounds:
    mov eax, cr0
    xor eax, 0x80000000
    mov cr0, eax
    inc dword ptr [0x400000]
    inc dword ptr [0x410000]
    inc dword ptr [0x420000]
    inc dword ptr [0x430000]
    dec ebp
    jnz rounds
    ret
