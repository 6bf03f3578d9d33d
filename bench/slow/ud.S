/* SPDX-License-Identifier: MIT */
/* ud.S - UD2, whose handler goes on behind it. */
#define ROUNDS 2000
#include "slow.inc"
setup:
    HANDLE 6, undefined
    ret
SKIP undefined, 2
rounds:
    ud2
    dec ebp
    jnz rounds
    ret
