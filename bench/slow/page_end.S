/* SPDX-License-Identifier: MIT */
/* page_end.S - a loop whose instruction crosses the end of a page. */
#define ROUNDS 5000
#include "slow.inc"
setup:
    ret
    .align 4096
    .skip 4096 - 3
rounds:
    mov eax, 0x12345678
    dec ebp
    jnz rounds
    ret
