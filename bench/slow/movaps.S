/* SPDX-License-Identifier: MIT */
/* movaps.S - #GP of a misaligned MOVAPS, whose handler goes on behind it. */
#define ROUNDS 2000
#include "slow.inc"
setup:
    mov eax, cr4
    or eax, 0x600
    mov cr4, eax
    HANDLE 13, misaligned
    ret
SKIP misaligned, 4, 1
rounds:
    mov esi, 0x400000
1:  movaps xmm0, [esi + 4]
    dec ebp
    jnz 1b
    ret
