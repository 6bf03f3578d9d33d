/* SPDX-License-Identifier: MIT */
/* fpu_faults.S - #NM by TS, EM, MP; #MF with CR0.NE at the next waiting instruction; IRQ 13 without NE; what does not wait. SDM vol. 1, 8.7; vol. 3A, 2.5. */
#include "guest.inc"
#include "irq.inc"
    .text
    .globl test_main
test_main:
    fninit
    mov ebx, cr0
    and ebx, ~0x2e
    mov cr0, ebx
.macro CR0_BITS bits
    mov eax, ebx
    or eax, \bits
    mov cr0, eax
.endm
    CR0_BITS 8 /* TS */
    FAULT "TS: fld1", 7, 0, fld1
    FAULT "TS: fninit", 7, 0, fninit
    FAULT "TS: fnstsw ax", 7, 0, fnstsw ax
    FAULT "TS: emms", 7, 0, emms
    NOFAULT "TS without MP: wait", fwait
    CR0_BITS 0xa /* TS MP */
    FAULT "TS and MP: wait", 7, 0, fwait
    FAULT "TS and MP: fld1", 7, 0, fld1
    CR0_BITS 2
    NOFAULT "MP: wait", fwait
    NOFAULT "MP: fld1", fld1
    CR0_BITS 4 /* EM */
    FAULT "EM: fld1", 7, 0, fld1
    NOFAULT "EM: wait", fwait
    FAULT "EM: emms", 6, 0, emms
    FAULT "EM: movq mm", 6, 0, .byte 0x0f, 0x6f, 0xc1
    CR0_BITS 6
    NOFAULT "EM and MP: wait", fwait
    CR0_BITS 0xc
    FAULT "EM and TS: fld1", 7, 0, fld1
    FAULT "EM and TS: emms is #UD", 6, 0, emms
    /* #MF */
    CR0_BITS 0x22
    fninit
    fldcw [cw_zm]
    fld1
    fldz
    NOFAULT "the division itself does not fault", .byte 0xde, 0xf9
    NOFAULT "fnstsw does not wait", fnstsw ax
    and eax, 0x80ff
    EXPECT "status: ZE, ES, B", eax, 0x8084
    NOFAULT "fnstcw does not wait", fnstcw [box]
    FAULT "wait", 16, 0, fwait
    FAULT "fld1", 16, 0, fld1
    FAULT "fldcw waits", 16, 0, fldcw [cw_zm]
    FAULT "emms waits", 16, 0, emms
    FAULT "movq waits", 16, 0, .byte 0x0f, 0x6f, 0xc1
    fnstsw ax
    EXPECT16 "still pending", ax, 0xb084
    NOFAULT "fnclex", fnclex
    NOFAULT "then wait is fine", fwait
    /* masked: the answer is an infinity */
    fninit
    fld1
    fldz
    fdivp
    fstp dword ptr [box]
    EXPECT "masked division by zero", "dword ptr [box]", 0x7f800000
    /* unmasking a pending flag raises ES */
    fnstsw ax
    and eax, 0x80ff
    EXPECT "ZE only", eax, 4
    fldcw [cw_zm]
    fnstsw ax
    and eax, 0x80ff
    EXPECT "ES after FLDCW", eax, 0x8084
    FAULT "FLDCW made it pending", 16, 0, fwait
    fnclex
    /* without NE: IRQ 13 */
    call pic_init
    GATE idt+0x2d*8, SEL_CODE32, "offset h_13", 0x8e
    mov al, 0xfb
    out 0x21, al
    mov al, 0xdf
    out 0xa1, al
    CR0_BITS 2
    fninit
    fldcw [cw_zm]
    fld1
    fldz
    sti
    fdivp
    fwait
    cli
    EXPECT "IRQ 13 came", "dword ptr [count13]", 1
    EXPECT16 "status then", "word ptr [status13]", 0xb084
    mov cr0, ebx
    fninit
    ret
h_13:
    push eax
    inc dword ptr [count13]
    xor al, al
    out 0xf0, al
    fnstsw [status13]
    fnclex
    mov al, 0x20
    out 0xa0, al
    out 0x20, al
    pop eax
    iretd
    .data
    .align 4
box: .long 0
cw_zm: .word 0x37b
status13: .word 0
count13: .long 0
