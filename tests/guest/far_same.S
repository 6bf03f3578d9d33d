/* SPDX-License-Identifier: MIT */
/* far_same.S - Far JMP, CALL, RET without a change of privilege: conforming code, call gates, checks and error codes. SDM vol. 3A, 5.8. */
#include "guest.inc"
    .text
    .globl test_main
test_main:
    DESC SEL_FREE0, 0, 0xfffff, 0x9f, DESC_32G  /* conforming, DPL 0 */
    DESC SEL_FREE1, 0, 0xfffff, 0xff, DESC_32G  /* conforming, DPL 3 */
    DESC SEL_FREE2, 0, 0xfffff, 0x1b, DESC_32G  /* code, not present */
    DESC SEL_FREE3, 0, 0x00fff, 0x9b, DESC_32   /* code, 4 KiB */
    GATE gdt+SEL_FREE4, SEL_CODE32, "offset target", 0x8c
    GATE gdt+SEL_FREE5, SEL_CODE32, "offset target", 0x0c   /* not present */
    GATE gdt+SEL_FREE6, 0, "offset target", 0x8c            /* null code selector */
    GATE gdt+SEL_FREE7, SEL_DATA32, "offset target", 0x8c   /* not code */
    GATE gdt+SEL_FREE8, SEL_FREE2, "offset target", 0x8c    /* code not present */
    GATE gdt+SEL_FREE9, SEL_CODE16, "offset target16", 0x84 /* 16-bit gate */
    GATE "gdt + 0x98", SEL_CODE32, "offset target", 0xec       /* DPL 3 */
    mov ebx, esp
    call SEL_CODE32:target
    EXPECT "call far", eax, 0x1234
    EXPECT "CS pushed", "dword ptr [seen_cs]", SEL_CODE32
    EXPECT "8 bytes pushed", "dword ptr [seen_depth]", 8
    call SEL_FREE4:0xdeadbeef
    EXPECT "call gate ignores the offset", eax, 0x1234
    EXPECT "call gate, same ring: 8 bytes", "dword ptr [seen_depth]", 8
    mov dword ptr [far_pointer], 0
    mov word ptr [far_pointer + 4], SEL_FREE9
    mov dword ptr [seen16], 0
    .byte 0xff, 0x1d
    .long far_pointer
back16:
    EXPECT "16-bit call gate: 4 bytes", "dword ptr [seen16]", 4
    EXPECT_ESP "stack is level", ebx
    jmp SEL_FREE4:0
back:
    EXPECT "jmp through a call gate", ecx, 0x77
    call 0x4b:target_cs
    EXPECT "conforming code runs at CPL 0 with RPL 0", eax, SEL_FREE0
    call SEL_CODE32:target
    FAULT "call to conforming code with DPL > CPL", 13, SEL_FREE1, call SEL_FREE1:target
    FAULT "RPL > CPL for non-conforming", 13, SEL_CODE32, call 0x0b:target
    FAULT "data", 13, SEL_DATA32, call SEL_DATA32:target
    FAULT "code with DPL 3 from CPL 0", 13, 0x28, jmp SEL_UCODE32:target
    FAULT "null", 13, 0, call 0:target
    FAULT "beyond the table", 13, 0xfff8, jmp 0xfff8:target
    FAULT "code not present", 11, SEL_FREE2, call SEL_FREE2:target
    FAULT "offset beyond the limit", 13, 0, call SEL_FREE3:0x1000
    FAULT "gate not present", 11, SEL_FREE5, call SEL_FREE5:0
    FAULT "gate to null", 13, 0, call SEL_FREE6:0
    FAULT "gate to data", 13, SEL_DATA32, call SEL_FREE7:0
    FAULT "gate to code not present", 11, SEL_FREE2, call SEL_FREE8:0
    FAULT "gate with RPL 3, DPL 0", 13, SEL_FREE4, call 0x6b:0
    FAULT "jmp to an LDT descriptor", 13, SEL_LDT, jmp SEL_LDT:0
    FAULT "jmp to the busy TSS", 13, SEL_TSS, jmp SEL_TSS:0
    FAULT "call of a register", 6, 0, .byte 0xff, 0xd8
    FAULT "jmp of a register", 6, 0, .byte 0xff, 0xe8
    EXPECT_ESP "esp after all these", ebx
    /* RETF */
.macro RETF_BAD name, sel, offs, vector, error
    push \sel
    push \offs
    mov ecx, esp
    FAULT "\name", \vector, \error, retf
    EXPECT_ESP "\name: esp", ecx
    add esp, 8
.endm
    RETF_BAD "retf to null", 0, 0, 13, 0
    RETF_BAD "retf to data", SEL_DATA32, 0, 13, SEL_DATA32
    RETF_BAD "retf to code not present", SEL_FREE2, 0, 11, SEL_FREE2
    RETF_BAD "retf beyond the limit", SEL_FREE3, 0x1000, 13, 0
    RETF_BAD "retf beyond the table", 0x7ff8, 0, 13, 0x7ff8
    RETF_BAD "retf to a gate", SEL_FREE4, 0, 13, SEL_FREE4
    RETF_BAD "retf to conforming code with DPL > RPL", SEL_FREE1, 0, 13, SEL_FREE1
    push 9
    push 8
    push SEL_CODE32
    push offset 1f
    retf 8
1:  EXPECT_ESP "retf 8", ebx
    /* CPL 3: checks */
    USER u_call0
    EXPECT_FAULT "CPL 3 calls DPL 0 code", 13, SEL_CODE32
    USER u_conf
    EXPECT_FAULT "CPL 3 in conforming DPL 0 code", 0x30, 0
    EXPECT "its CS has RPL 3", "dword ptr [fault_cs]", SEL_FREE0+3
    USER u_gate
    EXPECT_FAULT "CPL 3 uses a DPL 0 gate", 13, SEL_FREE4
    USER u_jmpgate
    EXPECT_FAULT "jmp through a gate to a more privileged, non-conforming segment", 13, SEL_CODE32
    ret
target:
    mov eax, [esp + 4]
    mov [seen_cs], eax
    cmp ebx, esp
    je jumped
    mov eax, ebx
    sub eax, esp
    mov [seen_depth], eax
    mov eax, 0x1234
    retf
jumped: mov ecx, 0x77
    jmp back
target_cs:
    mov eax, cs
    retf
    .data
far_pointer: .long 0, 0
seen_cs: .long 0
seen_depth: .long 0
    .section .user
u_call0: call SEL_CODE32:target
u_conf: jmp SEL_FREE0:1f
1:  USER_EXIT
u_gate: call SEL_FREE4:0
u_jmpgate:
    jmp 0x98:0
    .section .low
    .code16
target16:
    mov eax, ebx
    sub eax, esp
    mov [seen16], eax
    add esp, 4 /* the return address lost its upper half */
    data32 jmp SEL_CODE32:back16
    .align 4
seen16: .long 0
    .code32
