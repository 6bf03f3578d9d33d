/* SPDX-License-Identifier: MIT */
/* code16_calls.S - far calls between code segments of 32 and 16 bits. */
#define ROUNDS 2000
#include "slow.inc"
setup:
    ret
rounds:
    call SEL_CODE16:far16
    dec ebp
    jnz rounds
    ret
    .section .low, "awx"
    .code16
far16:
    data32 retf
    .code32
