/* SPDX-License-Identifier: MIT */
/* addr_forms.S - Addressing: every ModRM and SIB form, 16-bit forms and their wrap, prefixes, LEA, moffs. SDM vol. 2, 2.1.5. */
#include "guest.inc"
    .text
    .globl test_main
test_main:
.macro LEA32 name, want, bytes:vararg
    mov eax, 0x1000
    mov ecx, 0x200
    mov edx, 0x30000
    mov ebx, 0x4000000
    mov ebp, 0x50
    mov esi, 0x600000
    mov edi, 7
    .byte \bytes
    EXPECT "\name", eax, \want
.endm
    LEA32 "[eax]", 0x1000, 0x8d, 0x00
    LEA32 "[ebp-128]", 0xffffffd0, 0x8d, 0x45, 0x80
    LEA32 "[disp32]", 0x12345678, 0x8d, 0x05, 0x78, 0x56, 0x34, 0x12
    LEA32 "[edi+disp32]", 0x12345677, 0x8d, 0x87, 0x70, 0x56, 0x34, 0x12
    LEA32 "[ecx*8+edx]", 0x31000, 0x8d, 0x04, 0xca
    LEA32 "[disp32+esi*4]", 0x1800010, 0x8d, 0x04, 0xb5, 0x10, 0, 0, 0
    LEA32 "[ebp+disp8+edi*2]", 0x60, 0x8d, 0x44, 0x7d, 0x02
    LEA32 "[no index], base disp32", 0x44, 0x8d, 0x04, 0x25, 0x44, 0, 0, 0
    LEA32 "[ebx], SIB without index", 0x4000000, 0x8d, 0x04, 0x23
    LEA32 "lea16 result", 0x0200, 0x66, 0x8d, 0x01
    mov eax, 0
    mov ebx, 0x1f000
    mov esi, 0x22000
    mov ebp, 0xfff8
    mov edi, 0x10
    .byte 0x67, 0x8d, 0x00
    EXPECT "a16 [bx+si] wraps", eax, 0x1000
    .byte 0x67, 0x8d, 0x43, 0x10
    EXPECT "a16 [bp+di+10] wraps", eax, 0x18
    .byte 0x67, 0x8d, 0x06, 0x34, 0x12
    EXPECT "a16 [disp16]", eax, 0x1234
    .byte 0x67, 0x8d, 0x46, 0x90
    EXPECT "a16 [bp-112]", eax, 0xff88
    .byte 0x67, 0x8d, 0x87, 0x00, 0x80
    EXPECT "a16 [bx+disp16]", eax, 0x7000
    .byte 0x67, 0x8d, 0x45, 0xff
    EXPECT "a16 [di-1]", eax, 0x0f
    FAULT "lea of a register", 6, 0, .byte 0x8d, 0xc0
    /* moffs */
    mov dword ptr [m], 0x89abcdef
    mov eax, 0
    .byte 0xa0
    .long m
    EXPECT "mov al, moffs", eax, 0xef
    .byte 0x66, 0xa1
    .long m + 2
    EXPECT "mov ax, moffs", eax, 0x89ab
    mov word ptr [0x600], 0x7788
    .byte 0x67, 0x66, 0xa1, 0x00, 0x06
    EXPECT16 "a16 mov ax, moffs16", ax, 0x7788
    /* the default segment of ESP and EBP is SS, of others DS; overrides; the last override counts */
    DESC SEL_FREE0, "offset seg_data", 0xfffff, 0x93, DESC_32G
    mov ax, SEL_FREE0
    mov fs, ax
    mov gs, ax
    mov ebp, 0
    mov eax, fs:[ebp + 4]
    EXPECT "fs:[ebp+4]", eax, 0xbbbb
    .byte 0x3e, 0x64, 0x8b, 0x45, 0x00 /* ds, then fs */
    EXPECT "last override counts", eax, 0xaaaa
    .byte 0x64, 0x66, 0x67, 0xa1, 0x04, 0x00
    EXPECT16 "three prefixes", ax, 0xbbbb
    mov ax, SEL_FREE0
    mov ds, ax
    mov esi, esp
    mov ebp, esp
    push 0x7171
    mov eax, [ebp - 4]   /* through SS, though DS is elsewhere */
    mov ecx, ds:[4]
    mov edx, ss:[esi - 4]
    pop ebx
    mov ebx, SEL_DATA32
    mov ds, ebx
    EXPECT "[ebp] is SS", eax, 0x7171
    EXPECT "ds:[4]", ecx, 0xbbbb
    EXPECT "ss:[esi]", edx, 0x7171
    /* Wrap of the 32-bit address space: base + offset is modulo 2^32. */
    DESC SEL_FREE1, 0xfffff000, 0xfffff, 0x93, DESC_32G
    mov ax, SEL_FREE1
    mov fs, ax
    mov dword ptr [0x604], 0x12341234
    mov eax, fs:[0x1604]
    EXPECT "base + offset wraps", eax, 0x12341234
    mov byte ptr [m + 1], 5
    mov ah, [m + 1]
    EXPECT16 "ah from memory", ah, 5
    /* multi-byte NOP and prefetch touch nothing, also far outside */
    mov ebx, 0xf0000000
    NOFAULT "nop [ebx]", .byte 0x0f, 0x1f, 0x03
    NOFAULT "prefetch [ebx]", .byte 0x0f, 0x18, 0x0b
    ret
    .data
    .align 4
m: .long 0
seg_data: .long 0xaaaa, 0xbbbb
