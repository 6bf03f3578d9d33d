/* SPDX-License-Identifier: MIT */
/* movntps.S - non-temporal stores, one cache line after the other. */
#define ROUNDS 20000
#include "slow.inc"
setup:
    mov eax, cr0
    and eax, ~0xc
    or eax, 2
    mov cr0, eax
    mov eax, cr4
    or eax, 0x600
    mov cr4, eax
    ret
rounds:
    mov edi, 0x400000
1:  movntps [edi], xmm0
    add edi, 16
    and edi, 0x40ffff
    dec ebp
    jnz 1b
    emms
    ret
