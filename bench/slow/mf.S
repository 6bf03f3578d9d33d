/* SPDX-License-Identifier: MIT */
/* mf.S - #MF, whose handler clears the error. */
#define ROUNDS 1000
#include "slow.inc"
setup:
    mov eax, cr0
    and eax, ~0xc
    or eax, 0x22
    mov cr0, eax
    fninit
    push 0x37b /* all but #Z masked */
    fldcw [esp]
    pop eax
    HANDLE 16, error
    ret
error:
    fnclex
    iretd
rounds:
    fld1
    fldz
    fdivp st(1), st
    fwait
    fstp st(0)
    fstp st(0)
    dec ebp
    jnz rounds
    ret
