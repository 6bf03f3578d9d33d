/* SPDX-License-Identifier: MIT */
/* everywhere.S - jumps to a million places, which show the same code. */
#define ROUNDS 50000
#include "slow.inc"
#include "targets.inc"
setup:
    mov dword ptr [0x300000], 0x400000
    jmp targets_setup
rounds:
    mov esi, [0x300000]
1:  call esi
    add esi, 4100
    cmp esi, 0xfffff000
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
