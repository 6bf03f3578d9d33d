/* SPDX-License-Identifier: MIT */
/* nm.S - CR0.TS is set, and the next x87 instruction is #NM. */
#define ROUNDS 2000
#include "slow.inc"
setup:
    mov eax, cr0
    and eax, ~4
    or eax, 0x22
    mov cr0, eax
    fninit
    HANDLE 7, restored
    ret
restored:
    clts
    iretd
rounds:
    mov eax, cr0
    or eax, 8
    mov cr0, eax
    fld1
    fstp st(0)
    dec ebp
    jnz rounds
    ret
