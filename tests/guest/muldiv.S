/* SPDX-License-Identifier: MIT */
/* muldiv.S - MUL, IMUL, DIV, IDIV at their edges; #DE leaves the registers. SDM vol. 2. */
#include "guest.inc"
    .text
    .globl test_main
test_main:
.macro DIVIDE name, edx, eax, insn, qeax, redx
    mov edx, \edx
    mov eax, \eax
    \insn
    EXPECT "\name: eax", eax, \qeax
    EXPECT "\name: edx", edx, \redx
.endm
.macro DIVIDE_ERROR name, edx, eax, insn
    mov edx, \edx
    mov eax, \eax
    FAULT "\name", 0, 0, \insn
    EXPECT "\name: eax kept", eax, \eax
    EXPECT "\name: edx kept", edx, \edx
.endm
    OP "mul8 ff*ff", 0xff, 0xff, 0, "mul cl", 0xfe01, 0x801, 0x801
    OP "mul8 small", 0x1210, 0x0f, 0x801, "mul cl", 0xf0, 0x801, 0
    mov edx, 0x12345678
    OP "mul16", 0xaaaaffff, 0xffff, 0, "mul cx", 0xaaaa0001, 0x801, 0x801
    EXPECT "mul16: dx", edx, 0x1234fffe
    OP "mul32", 0x80000000, 2, 0, "mul ecx", 0, 0x801, 0x801
    EXPECT "mul32: edx", edx, 1
    OP "mul32 fits", 0x10000, 0xffff, 0x801, "mul ecx", 0xffff0000, 0x801, 0
    OP "imul8 -1*-1", 0xff, 0xff, 0x801, "imul cl", 1, 0x801, 0
    OP "imul8 80*ff", 0x80, 0xff, 0, "imul cl", 0x80, 0x801, 0x801
    OP "imul16 8000*8000", 0x8000, 0x8000, 0, "imul cx", 0, 0x801, 0x801
    EXPECT16 "imul16: dx", dx, 0x4000
    OP "imul32 -1*2", 0xffffffff, 2, 0x801, "imul ecx", 0xfffffffe, 0x801, 0
    EXPECT "imul32: edx", edx, 0xffffffff
    OP "imul two operands, overflow", 0x10000, 0x8000, 0, "imul eax, ecx", 0x80000000, 0x801, 0x801
    OP "imul two operands, fits", -3, 7, 0x801, "imul eax, ecx", -21, 0x801, 0
    OP "imul16 three operands", 0x550100, 0x1000, 0, "imul ax, cx, 8", 0x558000, 0x801, 0x801
    OP "imul three operands, imm8", 0, 5, 0x801, "imul eax, ecx, -2", -10, 0x801, 0
    OP "imul three operands, imm32", 0, 0x10000, 0, "imul eax, ecx, 0x12345", 0x23450000, 0x801, 0x801
    DIVIDE "div32", 1, 0, "div dword ptr [two]", 0x80000000, 0
    DIVIDE "div32 with rest", 0, 0xffffffff, "div dword ptr [ten]", 0x19999999, 5
    DIVIDE "div16", 0x55550001, 0x66660003, "div word ptr [ten]", 0x66661999, 0x55550009
    DIVIDE "div8", 0x77, 0x123400ff, "div byte ptr [two]", 0x1234017f, 0x77
    DIVIDE "idiv32 negative", 0xffffffff, 0xfffffff9, "idiv dword ptr [two]", 0xfffffffd, 0xffffffff
    DIVIDE "idiv32 -2^31 / 1", 0xffffffff, 0x80000000, "idiv dword ptr [one]", 0x80000000, 0
    DIVIDE "idiv16 -2^15 / 1", 0xffff, 0x8000, "idiv word ptr [one]", 0x8000, 0
    DIVIDE "idiv8 -128 / 1", 0, 0xff80, "idiv byte ptr [one]", 0x80, 0
    DIVIDE "idiv8 7 / -2", 0, 7, "idiv byte ptr [minus2]", 0x01fd, 0
    DIVIDE_ERROR "div32 by zero", 5, 6, "div dword ptr [zero]"
    DIVIDE_ERROR "div16 by zero", 5, 6, "div word ptr [zero]"
    DIVIDE_ERROR "div8 by zero", 5, 6, "div byte ptr [zero]"
    DIVIDE_ERROR "div32 overflow", 2, 0, "div dword ptr [two]"
    DIVIDE_ERROR "div16 overflow", 10, 0, "div word ptr [ten]"
    DIVIDE_ERROR "div8 overflow", 0, 0x200, "div byte ptr [two]"
    DIVIDE_ERROR "idiv32 -2^31 / -1", 0xffffffff, 0x80000000, "idiv dword ptr [minus1]"
    DIVIDE_ERROR "idiv32 overflow up", 0, 0x80000000, "idiv dword ptr [one]"
    DIVIDE_ERROR "idiv16 overflow up", 0, 0x8000, "idiv word ptr [one]"
    DIVIDE_ERROR "idiv8 overflow up", 0, 0x80, "idiv byte ptr [one]"
    DIVIDE_ERROR "idiv8 overflow down", 0, 0xff7f, "idiv byte ptr [one]"
    DIVIDE_ERROR "idiv16 by zero", 0, 1, "idiv word ptr [zero]"
    OP "aam", 0x5563, 0, 0, "aam", 0x0909, 0xc4, 4
    OP "aam 16", 0xab, 0, 0, ".byte 0xd4, 16", 0x0a0b, 0xc4, 0
    mov eax, 0x1234
    FAULT "aam 0", 0, 0, .byte 0xd4, 0
    EXPECT "aam 0: ax kept", eax, 0x1234
    ret
    .data
zero: .long 0
one: .long 1
two: .long 2
ten: .long 10
minus1: .long -1
minus2: .long -2
