/* SPDX-License-Identifier: MIT */
/* de.S - #DE, whose handler goes on behind the DIV. */
#define ROUNDS 2000
#include "slow.inc"
setup:
    HANDLE 0, divided
    ret
SKIP divided, 2
rounds:
    xor ecx, ecx
1:  mov eax, ebp
    div ecx
    dec ebp
    jnz 1b
    ret
