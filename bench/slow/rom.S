/* SPDX-License-Identifier: MIT */
/* rom.S - writes to ROM, and to where nothing is. */
#define ROUNDS 5000
#include "slow.inc"
setup:
    ret
rounds:
    mov [0xf0000], eax
    mov [0xe0000000], eax
    dec ebp
    jnz rounds
    ret
