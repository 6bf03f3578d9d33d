/* SPDX-License-Identifier: MIT */
/* seg_reload.S - loads of segments with bases and limits, each followed by an access. */
#define ROUNDS 5000
#include "slow.inc"
setup:
    DESC SEL_FREE0, 0x400000, 0xfff, 0x93, DESC_32
    DESC SEL_FREE1, 0x500000, 0xfffff, 0x93, DESC_32G
    ret
rounds:
    mov ecx, SEL_FREE0
    mov edx, SEL_FREE1
1:  mov ds, ecx
    inc dword ptr [16]
    mov ds, edx
    inc dword ptr [32]
    dec ebp
    jnz 1b
    mov ecx, SEL_DATA32
    mov ds, ecx
    ret
