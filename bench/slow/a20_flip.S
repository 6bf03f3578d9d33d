/* SPDX-License-Identifier: MIT */
/* a20_flip.S - the A20 gate opens and shuts before each access to a few pages. */
#define ROUNDS 1000
#include "slow.inc"
setup:
    ret
    .section .low, "awx"
rounds:
    in al, 0x92
    xor al, 2
    out 0x92, al
    inc dword ptr [0x400000]
    inc dword ptr [0x410000]
    dec ebp
    jnz rounds
    jmp 0f /* A20 is open after an even number of rounds */
    .text
0:  ret
