/* SPDX-License-Identifier: MIT */
/* string_ops.S - String instructions: all five, sizes, DF, REP forms, address sizes, flags, segment overrides. SDM vol. 2. */
#include "guest.inc"
    .text
    .globl test_main
test_main:
.macro STR name, esi, edi, ecx, eax, insn, oesi, oedi, oecx
    mov esi, \esi
    mov edi, \edi
    mov ecx, \ecx
    mov eax, \eax
    \insn
    EXPECT "\name: esi", esi, "\oesi"
    EXPECT "\name: edi", edi, "\oedi"
    EXPECT "\name: ecx", ecx, \oecx
.endm
    cld
    STR "movsb", "offset src", "offset dst", 9, 0, "movsb", "offset src+1", "offset dst+1", 9
    EXPECT "movsb: result", "dword ptr [dst]", 0x01
    STR "movsd", "offset src", "offset dst", 9, 0, "movsd", "offset src+4", "offset dst+4", 9
    EXPECT "movsd: result", "dword ptr [dst]", 0x04030201
    std
    STR "std movsw", "offset src+2", "offset dst+8", 9, 0, "movsw", "offset src", "offset dst+6", 9
    EXPECT "std movsw: result", "dword ptr [dst+8]", 0x0403
    STR "std rep movsb", "offset src+7", "offset dst+7", 8, 0, "rep movsb", "offset src-1", "offset dst-1", 0
    EXPECT "std rep movsb: low", "dword ptr [dst]", 0x04030201
    EXPECT "std rep movsb: high", "dword ptr [dst+4]", 0x08070605
    /* Overlap: forward by one replicates. */
    cld
    STR "overlapping rep movsb", "offset dst", "offset dst+1", 7, 0, "rep movsb", "offset dst+7", "offset dst+8", 0
    EXPECT "overlap: low", "dword ptr [dst]", 0x01010101
    EXPECT "overlap: high", "dword ptr [dst+4]", 0x01010101
    STR "rep movsd 0", "offset src", "offset dst", 0, 0, "rep movsd", "offset src", "offset dst", 0
    STR "rep stosd", 5, "offset dst", 2, 0xa5a5a5a5, "rep stosd", 5, "offset dst+8", 0
    EXPECT "rep stosd: result", "dword ptr [dst+4]", 0xa5a5a5a5
    STR "stosw", 5, "offset dst", 2, 0x12345678, "stosw", 5, "offset dst+2", 2
    EXPECT "stosw: result", "dword ptr [dst]", 0xa5a55678
    STR "repne stosb is rep", 5, "offset dst", 3, 0x33, ".byte 0xf2, 0xaa", 5, "offset dst+3", 0
    EXPECT "repne stosb: result", "dword ptr [dst]", 0xa5333333
    STR "lodsb", "offset src+1", 0, 0, 0x12345678, "lodsb", "offset src+2", 0, 0
    EXPECT "lodsb: eax", eax, 0x12345602
    STR "rep lodsd", "offset src", 0, 2, 0, "rep lodsd", "offset src+8", 0, 0
    EXPECT "rep lodsd: the last one", eax, 0x08070605
    STR "scasb unequal", 0, "offset src", 3, 0x02, "scasb", 0, "offset src+1", 3
    EXPECT_FLAGS "scasb: al - memory", 0x8d5, 0
    STR "repne scasb finds", 0, "offset src", 9, 0x03, "repne scasb", 0, "offset src+3", 6
    EXPECT_FLAGS "repne scasb: ZF", 0x40, 0x40
    STR "repne scasb does not find", 0, "offset src", 4, 0x77, "repne scasb", 0, "offset src+4", 0
    EXPECT_FLAGS "repne scasb: no ZF", 0x40, 0
    STR "repe scasw", 0, "offset dst", 2, 0x3333, "repe scasw", 0, "offset dst+4", 0
    SET_FLAGS 0x8d7
    mov ecx, 0
    mov edi, offset src
    repe scasb
    EXPECT_FLAGS "repe scasb with ecx 0 keeps the flags", 0x8d5, 0x8d5
    STR "cmpsd", "offset src", "offset src+4", 1, 0, "cmpsd", "offset src+4", "offset src+8", 1
    EXPECT_FLAGS "cmpsd: [esi] - [edi]", 0x8d5, 0x95
    STR "repe cmpsb", "offset src", "offset same", 8, 0, "repe cmpsb", "offset src+5", "offset same+5", 3
    EXPECT_FLAGS "repe cmpsb: difference", 0x8d5, 0x95
    STR "repne cmpsb", "offset src", "offset other", 8, 0, "repne cmpsb", "offset src+3", "offset other+3", 5
    EXPECT_FLAGS "repne cmpsb: equal", 0x41, 0x40
    /* 16-bit addresses: SI, DI, CX only; wrap at 64 KiB. */
    mov byte ptr [0xffff], 0x5a
    mov byte ptr [0x0000], 0x5b
    STR "a16 movsb wraps", 0x7777ffff, 0x12340600, 0x55550002, 0, ".byte 0xf3, 0x67, 0xa4", 0x77770001, 0x12340602, 0x55550000
    EXPECT16 "a16 movsb: result", "word ptr [0x600]", 0x5b5a
    STR "a16 stosb, DI wraps", 0, 0x1234ffff, 0x10001, 0x42, ".byte 0xf3, 0x67, 0xaa", 0, 0x12340000, 0x10000
    EXPECT16 "a16 stosb: result", "byte ptr [0xffff]", 0x42
    STR "a16 rep with CX 0", 1, 2, 0x10000, 0, ".byte 0xf3, 0x67, 0xa4", 1, 2, 0x10000
    /* Overrides apply to the source only. */
    DESC SEL_FREE0, "offset src", 0xfffff, 0x93, DESC_32G
    mov ax, SEL_FREE0
    mov fs, ax
    STR "fs lodsb", 4, 0, 0, 0, "lodsb fs:[esi]", 5, 0, 0
    EXPECT "fs lodsb: al", eax, 5
    STR "fs movsd", 0, "offset dst", 0, 0, ".byte 0x64, 0xa5", 4, "offset dst+4", 0
    EXPECT "fs movsd: result", "dword ptr [dst]", 0x04030201
    /* A fault in the middle leaves the count of what is left, and EIP at the instruction. */
    DESC SEL_FREE1, "offset src", 4, 0x93, DESC_32
    mov ax, SEL_FREE1
    mov gs, ax
    mov esi, 0
    mov edi, offset dst
    mov ecx, 8
    FAULT "rep movsb beyond the limit", 13, 0, .byte 0xf3, 0x65, 0xa4
    EXPECT "rep movsb fault: esi", esi, 5
    EXPECT "rep movsb fault: edi", edi, "offset dst+5"
    EXPECT "rep movsb fault: ecx", ecx, 3
    mov es, ax
    mov edi, 1
    mov ecx, 5
    FAULT "rep stosw beyond the limit", 13, 0, rep stosw
    EXPECT "rep stosw fault: edi", edi, 5
    EXPECT "rep stosw fault: ecx", ecx, 3
    ret
    .data
    .long 0
src: .byte 1, 2, 3, 4, 5, 6, 7, 8
    .long 0
same: .byte 1, 2, 3, 4, 9, 6, 7, 8
other: .byte 9, 9, 3, 9, 9, 9, 9, 9
dst: .fill 16, 1, 0
