/* SPDX-License-Identifier: MIT */
/* targets.S - 20,000 targets of jumps. */
#define ROUNDS 20000
#include "slow.inc"
#include "targets.inc"
setup:
    mov dword ptr [0x300000], 0x400000
    jmp targets_setup
rounds:
    mov esi, [0x300000]
1:  call esi
    add esi, 112
    cmp esi, 0x622e00
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
