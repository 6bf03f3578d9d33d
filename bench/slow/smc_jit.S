/* SPDX-License-Identifier: MIT */
/* smc_jit.S - a routine of 256 bytes is copied to where the last one was, and called. */
#define ROUNDS 200
#include "slow.inc"
setup:
    ret
rounds:
    mov esi, offset routine
    mov edi, 0x400000
    mov ecx, 64
    rep movsd
    mov eax, 0x400000
    call eax
    dec ebp
    jnz rounds
    ret
routine:
    .rept 85
    add eax, 1
    .endr
    ret
