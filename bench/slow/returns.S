/* SPDX-License-Identifier: MIT */
/* returns.S - a return stack that is never right: returns to elsewhere. */
#define ROUNDS 5000
#include "slow.inc"
setup:
    ret
rounds:
    push offset 1f
    push offset 2f
    call 3f
1:  dec ebp
    jnz rounds
    ret
2:  ret
3:  add esp, 4
    ret
