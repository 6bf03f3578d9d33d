/* SPDX-License-Identifier: MIT */
/* rf_repjmp.S - RF covers one instruction, also one with a REP prefix that is no string instruction and comes back to itself, and a 16-bit IRET. SDM vol. 3B, 18.3.1.1; vol. 2B, REP. */
#include "guest.inc"
    .text
    .globl test_main
test_main:
    GATE idt+8, SEL_CODE32, "offset h_db", 0x8e
    xor eax, eax
    mov dr6, eax
.macro BREAK_AT label
    mov dword ptr [hits], 0
    mov eax, offset \label
    mov dr0, eax
    mov eax, 0x401
    mov dr7, eax
.endm
.macro BREAK_OFF
    xor eax, eax
    mov dr7, eax
.endm
    BREAK_AT at
at: .byte 0xf3, 0xeb, 0xfd /* rep; jmp at */
out: BREAK_OFF
    EXPECT "F3 JMP to itself: hits", "dword ptr [hits]", 3
    mov ecx, 3
    BREAK_AT at_loop
at_loop: .byte 0xf2, 0xe2, 0xfd /* repne; loop at_loop */
    BREAK_OFF
    EXPECT "F2 LOOP to itself: hits", "dword ptr [hits]", 3
    push offset after_ret
    push offset at_ret
    push offset at_ret
    BREAK_AT at_ret
at_ret: .byte 0xf3, 0xc3 /* rep; ret */
after_ret: BREAK_OFF
    EXPECT "F3 RET to itself: hits", "dword ptr [hits]", 3
    /* a string instruction that is let go at each iteration keeps RF until its end */
    mov ecx, 3
    mov edi, offset area
    cld
    BREAK_AT at_stos
at_stos: rep stosb
    BREAK_OFF
    EXPECT "REP STOSB: hits", "dword ptr [hits]", 1
    EXPECT "REP STOSB: ecx", ecx, 0
    /* IRET of 16 bits does not load RF, and uses up what covered it */
    pushw 2
    pushw SEL_CODE32
    pushw offset low_next
    mov ebx, offset back
    BREAK_AT low_iret
    jmp low_iret
back: BREAK_OFF
    EXPECT "16-bit IRET: hits", "dword ptr [hits]", 2
    /* without any breakpoint: these once made the comparison of two engines stumble */
    push offset 1f
    push offset 2f
    push offset 2f
2:  .byte 0xf3, 0xc3
1:  ret
h_db: /* sets RF; moves the breakpoint on from low_iret; ends the endless loop at its third hit */
    inc dword ptr [hits]
    or dword ptr [esp + 8], 0x10000
    push eax
    mov eax, [esp + 4]
    cmp eax, offset low_iret
    jne 2f
    mov eax, offset low_next
    mov dr0, eax
2:  cmp eax, offset at
    jne 1f
    cmp dword ptr [hits], 3
    jb 1f
    mov dword ptr [esp + 4], offset out
1:  xor eax, eax
    mov dr6, eax
    pop eax
    iretd
    .data
    .align 4
hits: .long 0
area: .skip 4
    .section .low
    .code32
low_iret: .byte 0x66, 0xcf
low_next: jmp ebx
