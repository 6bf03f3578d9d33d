/* SPDX-License-Identifier: MIT */
/* ins_outs.S - INSB and REP OUTSB. */
#define ROUNDS 1000
#include "slow.inc"
setup:
    ret
rounds:
    mov edi, 0x400000
    mov esi, 0x400000
    mov edx, 0x61
    insb
    mov edx, 0x80
    mov ecx, 4
    rep outsb
    dec ebp
    jnz rounds
    ret
