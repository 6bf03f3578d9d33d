/* SPDX-License-Identifier: MIT */
/* calls_deep.S - calls so deep that the host's return stack overflows. */
#define ROUNDS 20000
#include "slow.inc"
setup:
    ret
rounds:
    mov [0x300000], esp
    mov esp, 0x800000
    call deep
    mov esp, [0x300000]
    ret
deep:
    dec ebp
    jz 1f
    call deep
1:  ret
