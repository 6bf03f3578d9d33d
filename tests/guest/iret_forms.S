/* SPDX-License-Identifier: MIT */
/* iret_forms.S - IRET to the same and outer ring, checks, nulled segments, flags that change; RETF checks. SDM vol. 2, IRET. */
#include "guest.inc"
    .text
    .globl test_main
test_main:
    DESC SEL_FREE0, 0, 0xfffff, 0x1b, DESC_32G  /* code not present */
    DESC SEL_FREE1, 0, 0xfffff, 0xf1, DESC_32G  /* read-only data, DPL 3 */
    DESC SEL_FREE2, 0, 0xfffff, 0x73, DESC_32G  /* data DPL 3 not present */
    DESC SEL_FREE3, 0, 0xfff, 0xfb, DESC_32     /* code DPL 3, 4 KiB */
    DESC SEL_FREE4, 0, 0xfffff, 0xff, DESC_32G  /* conforming, DPL 3 */
    DESC SEL_FREE5, 0, 0xfffff, 0xbb, DESC_32G  /* code DPL 1 */
    DESC SEL_FREE6, 0, 0xfffff, 0xb3, DESC_32G  /* data DPL 1 */
    mov ebx, esp
    push 0x8d7
    push SEL_CODE32
    push offset 1f
    iretd
1:  EXPECT_FLAGS "iretd: flags", 0x8d5, 0x8d5
    EXPECT_ESP "iretd: esp", ebx
    push 0x13002
    push SEL_CODE32
    push offset 1f
    iretd
1:  EXPECT_FLAGS "iretd sets IOPL; RF is gone again", 0x13000, 0x3000
    push 0x204002
    push SEL_CODE32
    push offset 1f
    iretd
1:  EXPECT_FLAGS "iretd sets NT and ID, clears IOPL", 0x207000, 0x204000
    SET_FLAGS 2
.macro IRET_BAD name, flags, sel, offs, vector, error, ss=0x33, esp=0
    push \ss
    push \esp
    push \flags
    push \sel
    push \offs
    mov ecx, esp
    FAULT "\name", \vector, "\error", iretd
    EXPECT_ESP "\name: esp", ecx
    add esp, 20
.endm
    IRET_BAD "null CS", 2, 0, 0, 13, 0
    IRET_BAD "data CS", 2, SEL_DATA32, 0, 13, SEL_DATA32
    IRET_BAD "CS not present", 2, SEL_FREE0, 0, 11, SEL_FREE0
    IRET_BAD "CS beyond the table", 2, 0x7ff8, 0, 13, 0x7ff8
    IRET_BAD "outer: DPL is not RPL", 2, 0x2a, 0, 13, 0x28
    IRET_BAD "outer: null SS", 2, SEL_UCODE32, 0, 13, 0, 0
    IRET_BAD "outer: SS with RPL 0", 2, SEL_UCODE32, 0, 13, 0x30, 0x30
    IRET_BAD "outer: SS with DPL 0", 2, SEL_UCODE32, 0, 13, SEL_DATA32, 0x13
    IRET_BAD "outer: SS read-only", 2, SEL_UCODE32, 0, 13, SEL_FREE1, 0x53
    IRET_BAD "outer: SS not present", 2, SEL_UCODE32, 0, 12, SEL_FREE2, 0x5b
    IRET_BAD "outer: SS is code", 2, SEL_UCODE32, 0, 13, 0x28, 0x2b
    IRET_BAD "outer: EIP beyond the limit", 2, 0x63, 0x1000, 13, 0
    IRET_BAD "outer: conforming, DPL > RPL", 2, 0x6a, 0, 13, SEL_FREE4, 0x32
    /* RPL < CPL at CPL 3 */
    USER u_inner
    EXPECT_FAULT "iret from 3 to 0", 13, SEL_CODE32
    USER u_inner_retf
    EXPECT_FAULT "retf from 3 to 0", 13, SEL_CODE32
    /* outer: segments with DPL < CPL become null, null selectors 0, flags IOPL and IF by CPL */
    mov ax, SEL_DATA32
    mov fs, ax
    mov ax, SEL_UDATA32
    mov gs, ax
    USER u_look, 0x3002
    EXPECT16 "FS nulled", "word ptr [u_fs]", 0
    EXPECT16 "GS kept", "word ptr [u_gs]", SEL_UDATA32
    EXPECT "IOPL set from CPL 0", "dword ptr [u_flags]", 0x3002
    mov ax, 3
    mov fs, ax
    mov ax, 1
    mov gs, ax
    USER u_look
    EXPECT16 "outer: null selector 3 in FS", "word ptr [u_fs]", 0
    EXPECT16 "outer: null selector 1 in GS", "word ptr [u_gs]", 0
    /* at CPL 3 with IOPL 0, popf and iret keep IF and IOPL */
    USER u_popf
    EXPECT "popf at CPL 3", "dword ptr [u_flags]", 0x8d7
    EXPECT "iret at CPL 3", "dword ptr [u_flags2]", 0x4002
    /* outer to ring 1 and from there to ring 3 */
    FAULT_EXPECTED 1f
    push SEL_FREE6+1
    push offset user_stack_top
    push 2
    push SEL_FREE5+1
    push offset u_ring1
    iretd
1:  EXPECT_FAULT "ring 1, then 3", 0x30, 0
    EXPECT "CPL 3 at the end", "dword ptr [fault_cs]", SEL_UCODE32
    EXPECT16 "ring 1: SS", "word ptr [u_ss]", SEL_FREE6+1
    /* 16-bit IRET */
    pushw 0x8d7
    pushw SEL_CODE32
    pushw 0xb000
    mov byte ptr [0xb000], 0xe9
    mov dword ptr [0xb001], offset 2f - 0xb005
    .byte 0x66, 0xcf
2:  EXPECT_FLAGS "iretw", 0x8d5, 0x8d5
    EXPECT_ESP "iretw: esp", ebx
    ret
    .section .user
u_inner:
    push 2
    push SEL_CODE32
    push offset u_inner
    iretd
u_inner_retf:
    push SEL_CODE32
    push offset u_inner
    retf
u_look:
    mov u_fs, fs
    mov u_gs, gs
    pushfd
    pop dword ptr [u_flags]
    USER_EXIT
u_popf:
    push 0x3ad7
    popfd
    pushfd
    pop dword ptr [u_flags]
    push 0x7202
    push SEL_UCODE32
    push offset 1f
    push 2
    popfd
    iretd
1:  pushfd
    pop dword ptr [u_flags2]
    USER_EXIT
u_ring1:
    mov eax, SEL_UDATA32
    mov ds, eax
    mov u_ss, ss
    push SEL_UDATA32
    push offset user_stack_top
    push SEL_UCODE32
    push offset 1f
    retf
1:  USER_EXIT
    .align 4
u_flags: .long 0
u_flags2: .long 0
u_fs: .word 0
u_gs: .word 0
u_ss: .word 0
