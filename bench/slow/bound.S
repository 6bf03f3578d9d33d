/* SPDX-License-Identifier: MIT */
/* bound.S - #BR, whose handler goes on behind the BOUND. */
#define ROUNDS 2000
#include "slow.inc"
setup:
    HANDLE 5, outside
    ret
SKIP outside, 6
rounds:
    mov eax, 5
    bound eax, [limits]
    dec ebp
    jnz rounds
    ret
limits: .long 0, 4
