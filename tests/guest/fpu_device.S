/* SPDX-License-Identifier: MIT */
/*
 * fpu_device.S - x87, MMX and SSE operands in a device's memory, and across a page's end from RAM into it. The devices: the local
 * APIC's TPR (SDM vol. 3A, 11.8.3.1), the I/O APIC's IOREGSEL (82093AA data sheet, 3.1.1). That they are what is traced must change
 * nothing either: traced.py.
 */
#include "guest.inc"
#include "paging.inc"
    .equ TPR, 0xfee00080
    .text
    .globl test_main
test_main:
    mov eax, cr4
    or eax, 0x600
    mov cr4, eax
    call x87
    call simd
    call paging_on
    mov ebx, offset page_b
    shr ebx, 12
    mov dword ptr [page_tab + ebx * 4], 0xfec00013
    invlpg [page_b]
    /* page_b's first bytes are IOREGSEL; between two and three of them are looked at below */
    call split
    call paging_off
    emms
    ret

x87:
    mov dword ptr [TPR], 0x33
    fninit
    fild dword ptr [TPR]
    fnstsw ax
    fistp dword ptr [box]
    EXPECT "fild", "dword ptr [box]", 0x33
    and eax, 0xffff
    EXPECT "status word after FILD", eax, 0x3800
    fninit
    fld1
    fadd dword ptr [TPR] /* 33 as a float is a denormal: the sum is 1, inexact, denormal operand */
    fnstsw ax
    and eax, 0x3f
    EXPECT "fadd: exceptions", eax, 0x22
    fstp dword ptr [box]
    EXPECT "fadd", "dword ptr [box]", 0x3f800000
    /* the registers that an instruction does not name, and the control word */
    fninit
    mov word ptr [box], 0x0c7f
    fldcw [box]
    fldpi
    fld1
    mov dword ptr [box], 0x44
    fild dword ptr [box]
    fistp dword ptr [TPR]
    EXPECT "fistp", "dword ptr [TPR]", 0x44
    fild dword ptr [TPR]
    fistp dword ptr [box]
    EXPECT "fild again", "dword ptr [box]", 0x44
    fistp dword ptr [box]
    EXPECT "ST1 is still 1", "dword ptr [box]", 1
    fstp dword ptr [box]
    EXPECT "ST2 is still pi, rounded towards zero", "dword ptr [box]", 0x40490fda
    fnstcw [box]
    EXPECT16 "the control word", "word ptr [box]", 0x0c7f
    ret

simd:
    fninit
    mov dword ptr [box], 0x7fa0
    ldmxcsr [box]
    mov eax, 0x12345678
    movd xmm5, eax
    movd mm5, eax
    movd xmm1, [TPR]
    movd eax, xmm1
    EXPECT "movd xmm1, device", eax, 0x44
    mov eax, 0x55
    movd xmm2, eax
    movd [TPR], xmm2
    EXPECT "movd device, xmm2", "dword ptr [TPR]", 0x55
    movd mm1, [TPR]
    movd eax, mm1
    EXPECT "movd mm1, device", eax, 0x55
    mov eax, 0x66
    movd mm2, eax
    movd [TPR], mm2
    EXPECT "movd device, mm2", "dword ptr [TPR]", 0x66
    mov eax, 0xffffff00 + 3
    movd mm3, eax
    punpcklbw mm3, [TPR]
    movd eax, mm3
    EXPECT "punpcklbw mm3, device", eax, 0x00ff6603
    cvtsi2ss xmm3, dword ptr [TPR]
    movd eax, xmm3
    EXPECT "cvtsi2ss xmm3, device", eax, 0x42cc0000
    movd eax, xmm5
    EXPECT "XMM5 is as it was", eax, 0x12345678
    movd eax, mm5
    EXPECT "MM5 is as it was", eax, 0x12345678
    stmxcsr [box]
    EXPECT "MXCSR", "dword ptr [box]", 0x7fa0
    emms
    mov dword ptr [TPR], 0
    ret

/* The first part in page_a, the second one in the device; only the low byte of IOREGSEL is looked at. */
.macro SECOND name:req, want:req
    movzx eax, byte ptr [page_b]
    EXPECT "\name: in the device", eax, \want
.endm
split:
    fninit
    mov byte ptr [page_b], 0x11
    SECOND "byte", 0x11
    mov dword ptr [page_b - 4], 0x89abcdef
    movq mm1, [page_b - 4]
    movd eax, mm1
    EXPECT "movq mm1, over the end: in RAM", eax, 0x89abcdef
    psrlq mm1, 32
    movd eax, mm1
    movzx eax, al
    EXPECT "movq mm1, over the end: in the device", eax, 0x11
    movups xmm1, [page_b - 12]
    pshufd xmm2, xmm1, 0xaa
    movd eax, xmm2
    EXPECT "movups xmm1, over the end: in RAM", eax, 0x89abcdef
    pshufd xmm2, xmm1, 0xff
    movd eax, xmm2
    movzx eax, al
    EXPECT "movups xmm1, over the end: in the device", eax, 0x11
    emms
    fild qword ptr [page_b - 4]
    fnstsw ax
    and eax, 0xffff
    EXPECT "status word after FILD over the end", eax, 0x3800
    fistp qword ptr [box]
    EXPECT "fild over the end: in RAM", "dword ptr [box]", 0x89abcdef
    movzx eax, byte ptr [box + 4]
    EXPECT "fild over the end: in the device", eax, 0x11
    /* stores */
    mov dword ptr [box], 0x01020304
    mov dword ptr [box + 4], 0x15
    fild qword ptr [box]
    fistp qword ptr [page_b - 4]
    EXPECT "fistp over the end: in RAM", "dword ptr [page_b - 4]", 0x01020304
    SECOND "fistp over the end", 0x15
    mov dword ptr [box + 4], 0x16
    movq mm4, [box]
    movq [page_b - 4], mm4
    SECOND "movq over the end", 0x16
    mov dword ptr [box + 12], 0x17
    movups xmm4, [box]
    movups [page_b - 12], xmm4
    SECOND "movups over the end", 0x17
    EXPECT "movups over the end: in RAM", "dword ptr [page_b - 12]", 0x01020304
    ret
    .data
    .align 16
box: .skip 16
