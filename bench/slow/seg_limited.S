/* SPDX-License-Identifier: MIT */
/* seg_limited.S - a loop whose data segment has a limit. */
#define ROUNDS 10000
#include "slow.inc"
setup:
    DESC SEL_FREE0, 0x400000, 0xfff, 0x93, DESC_32
    ret
rounds:
    mov ecx, SEL_FREE0
    mov ds, ecx
    mov esi, 64
1:  add eax, [esi]
    mov [esi + 4], eax
    dec ebp
    jnz 1b
    mov ecx, SEL_DATA32
    mov ds, ecx
    ret
