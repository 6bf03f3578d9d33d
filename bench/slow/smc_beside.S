/* SPDX-License-Identifier: MIT */
/* smc_beside.S - data on the page of the code that writes it. */
#define ROUNDS 10000
#include "slow.inc"
setup:
    ret
    .align 4096
rounds:
    inc dword ptr [1f]
    dec ebp
    jnz rounds
    ret
    .align 256
1:  .long 0
