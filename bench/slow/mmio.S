/* SPDX-License-Identifier: MIT */
/* mmio.S - the local APIC's registers. */
#define ROUNDS 5000
#include "slow.inc"
setup:
    ret
rounds:
    mov eax, [0xfee00030]
    mov [0xfee00080], ecx
    dec ebp
    jnz rounds
    ret
