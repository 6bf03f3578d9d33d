/* SPDX-License-Identifier: MIT */
/* pieces_many.S - 60,000 places of code, each in a piece of its own. */
#define ROUNDS 60000
#include "slow.inc"
#include "targets.inc"
setup:
    mov dword ptr [0x300000], 0x400000
    jmp targets_setup
rounds:
    mov esi, [0x300000]
1:  call esi
    add esi, 4100
    cmp esi, 0x400000+60000*4100
    jae 2f
    dec ebp
    jnz 1b
    mov [0x300000], esi
    ret
2:  mov esi, 0x400000
    dec ebp
    jnz 1b
    mov [0x300000], esi
    ret
