/* SPDX-License-Identifier: MIT */
/* watch.S - a loop beside a data breakpoint. */
#define ROUNDS 10000
#include "slow.inc"
setup:
    mov eax, 0x400100
    mov dr0, eax
    mov eax, 0xd0001
    mov dr7, eax
    ret
rounds:
    mov esi, 0x400000
1:  inc dword ptr [esi]
    dec ebp
    jnz 1b
    ret
