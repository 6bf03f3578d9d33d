/* SPDX-License-Identifier: MIT */
/* chunks.S - 4,092 places of code, each in a chunk of the jump map of its own. */
#define ROUNDS 4092
#include "slow.inc"
#include "targets.inc"
setup:
    mov dword ptr [0x300000], 0x400000
    jmp targets_setup
rounds:
    mov esi, [0x300000]
1:  call esi
    add esi, 1049600
    cmp esi, 0xfff00000
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
