/* SPDX-License-Identifier: MIT */
/* apic_move.S - the local APIC's page moves onto RAM and back before each access to a few pages. */
#define ROUNDS 1000
#include "slow.inc"
setup:
    ret
.macro APIC_AT value
    mov ecx, 0x1b
    mov eax, \value
    xor edx, edx
    wrmsr
.endm
rounds:
    APIC_AT 0x00600900
    inc dword ptr [0x400000]
    APIC_AT 0xfee00900
    inc dword ptr [0x410000]
    dec ebp
    jnz rounds
    ret
