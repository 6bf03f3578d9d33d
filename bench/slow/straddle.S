/* SPDX-License-Identifier: MIT */
/* straddle.S - #GP of an access that begins below 4 GiB and ends above. */
#define ROUNDS 2000
#include "slow.inc"
setup:
    HANDLE 13, outside
    ret
SKIP outside, 2, 1
rounds:
    mov esi, 0xfffffffe
1:  mov eax, [esi]
    dec ebp
    jnz 1b
    ret
