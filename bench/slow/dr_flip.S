/* SPDX-License-Identifier: MIT */
/* dr_flip.S - an execution breakpoint that is never met comes and goes each round, as a debugger has it. */
#define ROUNDS 5000
#include "slow.inc"
setup:
    mov eax, offset setup
    mov dr0, eax
    ret
rounds:
    mov eax, 0x402
    mov dr7, eax
    inc dword ptr [0x400000]
    mov eax, 0x400
    mov dr7, eax
    inc dword ptr [0x410000]
    dec ebp
    jnz rounds
    ret
