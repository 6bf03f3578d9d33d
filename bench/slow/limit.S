/* SPDX-License-Identifier: MIT */
/* limit.S - #GP of a segment's limit, whose handler goes on behind it. */
#define ROUNDS 2000
#include "slow.inc"
setup:
    DESC SEL_FREE0, 0x400000, 0xfff, 0x93, DESC_32
    mov eax, SEL_FREE0
    mov fs, eax
    HANDLE 13, outside
    ret
SKIP outside, 3, 1
rounds:
    mov esi, 0x2000
1:  mov eax, fs:[esi]
    dec ebp
    jnz 1b
    ret
