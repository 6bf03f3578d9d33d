/* SPDX-License-Identifier: MIT */
/* fpu_hole.S - x87, MMX and SSE operands at addresses where nobody is: all ones. traced.py: also with -d unimp. SDM vol. 1, 8.1, 10.2. */
#include "guest.inc"
    .text
    .globl test_main
test_main:
    mov eax, cr4
    or eax, 0x600
    mov cr4, eax
    fninit
    fld1
    fild dword ptr [0x90000000]
    fnstsw ax
    and eax, 0xffff
    EXPECT "status word after FILD: two registers used", eax, 0x3000
    fistp dword ptr [box]
    EXPECT "fild of ffffffff", "dword ptr [box]", 0xffffffff
    fistp dword ptr [box]
    EXPECT "ST1 is still 1", "dword ptr [box]", 1
    fninit
    mov eax, 0x12345678
    movd xmm5, eax
    movups xmm1, [0x90000000]
    movd eax, xmm1
    EXPECT "movups of a hole", eax, 0xffffffff
    movd eax, xmm5
    EXPECT "XMM5 is as it was", eax, 0x12345678
    pxor xmm1, xmm1
    paddd xmm1, [0x90000000]
    movd eax, xmm1
    EXPECT "paddd of a hole", eax, 0xffffffff
    movq mm3, [0x90000000]
    movd eax, mm3
    EXPECT "movq mm3 of a hole", eax, 0xffffffff
    emms
    ret
    .data
    .align 4
box: .long 0
