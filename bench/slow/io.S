/* SPDX-License-Identifier: MIT */
/* io.S - IN and OUT. */
#define ROUNDS 5000
#include "slow.inc"
setup:
    ret
rounds:
    in al, 0x61
    out 0x80, al
    dec ebp
    jnz rounds
    ret
