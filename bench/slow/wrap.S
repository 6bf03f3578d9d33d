/* SPDX-License-Identifier: MIT */
/* wrap.S - addresses that wrap around at 4 GiB. */
#define ROUNDS 5000
#include "slow.inc"
setup:
    ret
rounds:
    mov esi, 0xffff8000
1:  add eax, [esi + 0x18000]
    dec ebp
    jnz 1b
    ret
