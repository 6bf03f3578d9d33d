/* SPDX-License-Identifier: MIT */
/* tf.S - code that is single-stepped. */
#define ROUNDS 2000
#include "slow.inc"
setup:
    HANDLE 1, stepped
    ret
stepped:
    iretd
rounds:
    pushfd
    or dword ptr [esp], 0x100
    popfd
1:  dec ebp
    jnz 1b
    pushfd
    and dword ptr [esp], ~0x100
    popfd
    ret
