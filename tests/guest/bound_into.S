/* SPDX-License-Identifier: MIT */
/* bound_into.S - BOUND, INTO, INT3, INT n, UD2 and friends: vector, EIP, error code. SDM vol. 2; vol. 3A, 6.15. */
#include "guest.inc"
    .text
    .globl test_main
test_main:
    mov eax, 5
    NOFAULT "bound inside", bound eax, [bounds]
    mov eax, 10
    NOFAULT "bound at the upper end", bound eax, [bounds]
    mov eax, -3
    NOFAULT "bound at the lower end", bound eax, [bounds]
    mov eax, 11
    FAULT "bound above", 5, 0, bound eax, [bounds]
    mov eax, -4
    FAULT "bound below", 5, 0, bound eax, [bounds]
    mov eax, 0x10005
    NOFAULT "bound16 inside", bound ax, [bounds16]
    mov eax, 8
    FAULT "bound16 above", 5, 0, bound ax, [bounds16]
    FAULT "bound with a register", 6, 0, .byte 0x62, 0xc0, 0x90, 0x90, 0x90
    SET_FLAGS 2
    NOFAULT "into without OF", into
    SET_FLAGS 0x802
.macro TRAP name, vector, insn:vararg
    FAULT_EXPECTED 79f
    \insn
78:
79: EXPECT_FAULT "\name", \vector, 0
    EXPECT "\name: eip is behind", "dword ptr [fault_eip]", "offset 78b"
.endm
    TRAP "into with OF", 4, into
    SET_FLAGS 2
    TRAP "int3", 3, int3
    TRAP "int 3, two bytes", 3, .byte 0xcd, 3
    TRAP "int1", 1, .byte 0xf1
    TRAP "int 0x80", 0x80, int 0x80
    TRAP "int 255", 255, int 255
    ret
    .data
bounds: .long -3, 10
bounds16: .word -3, 7
