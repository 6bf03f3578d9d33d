/* SPDX-License-Identifier: MIT */
/* pieces.S - 4,096 places of code, each in a piece of the jump map of its own. */
#define ROUNDS 4096
#include "slow.inc"
#include "targets.inc"
setup:
    mov dword ptr [0x300000], 0x400000
    jmp targets_setup
rounds:
    mov esi, [0x300000]
1:  call esi
    add esi, 1024
    cmp esi, 0x800000
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
