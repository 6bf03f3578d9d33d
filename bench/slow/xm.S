/* SPDX-License-Identifier: MIT */
/* xm.S - #XM, whose handler goes on behind the DIVPS. */
#define ROUNDS 1000
#include "slow.inc"
setup:
    mov eax, cr4
    or eax, 0x600
    mov cr4, eax
    push 0x1d80 /* all but #Z masked */
    ldmxcsr [esp]
    pop eax
    xorps xmm1, xmm1
    movaps xmm0, [ones]
    HANDLE 19, divided
    ret
SKIP divided, 3
rounds:
    divps xmm0, xmm1
    dec ebp
    jnz rounds
    ret
    .align 16
ones: .single 1, 1, 1, 1
