/* SPDX-License-Identifier: MIT */
/* suite_enter.S - ENTER with every operand and stack size: what is pushed, and how much of EBP and ESP changes. SDM vol. 2A. */
#include "guest.inc"
    .text
    .globl test_main

/* Runs \insn with ESP = \sp, EBP = \bp on the stack of \sel; ESP and EBP end up in ecx and edx. */
.macro ON_STACK sel:req, sp:req, bp:req, insn:vararg
    mov [saved_esp], esp
    mov eax, \sel
    mov esp, \sp
    mov ebp, \bp
    mov ss, ax
    \insn
    mov ecx, esp
    mov edx, ebp
    mov ax, SEL_DATA32
    mov ss, ax
    mov esp, [saved_esp]
.endm

test_main:
    DESC SEL_FREE0, 0x20000, 0xffff, 0x93, DESC_16 /* 16-bit stack */
    DESC SEL_FREE1, 0x20000, 0x1f, 0x93, DESC_32G  /* its memory, and 64 KiB more, as a 32-bit stack */
    mov dword ptr [0x20118], 0x11112222 /* the outer frame's pointers, below offset 0x120 */
    mov dword ptr [0x2011c], 0x33334444

    /* 32-bit operands, 16-bit stack: all of EBP is loaded, and pushed for the inner level. */
    ON_STACK SEL_FREE0, 0x12340200, 0x56780120, enter 8, 0
    EXPECT "16-bit stack, level 0: esp", ecx, 0x123401f4
    EXPECT "16-bit stack, level 0: ebp", edx, 0x123401fc
    EXPECT "16-bit stack, level 0: pushed ebp", "dword ptr [0x201fc]", 0x56780120
    ON_STACK SEL_FREE0, 0x12340200, 0x56780120, enter 8, 3
    EXPECT "16-bit stack, level 3: esp", ecx, 0x123401e8
    EXPECT "16-bit stack, level 3: ebp", edx, 0x123401fc
    EXPECT "16-bit stack, level 3: first copied", "dword ptr [0x201f8]", 0x33334444
    EXPECT "16-bit stack, level 3: second copied", "dword ptr [0x201f4]", 0x11112222
    EXPECT "16-bit stack, level 3: frame", "dword ptr [0x201f0]", 0x123401fc
    /* SP wraps at 64 KiB, the upper half of the frame pointer is ESP's. */
    ON_STACK SEL_FREE0, 0x00010000, 0x56780120, enter 8, 1
    EXPECT "SP wraps: esp", ecx, 0x0001fff0
    EXPECT "SP wraps: ebp", edx, 0x0001fffc
    EXPECT "SP wraps: pushed ebp", "dword ptr [0x2fffc]", 0x56780120
    EXPECT "SP wraps: frame", "dword ptr [0x2fff8]", 0x0001fffc

    /* 16-bit operands, 16-bit stack: BP and SP only. */
    ON_STACK SEL_FREE0, 0x12340200, 0x56780120, enterw 8, 2
    EXPECT "words, 16-bit stack: esp", ecx, 0x123401f2
    EXPECT "words, 16-bit stack: ebp", edx, 0x567801fe
    EXPECT "words, 16-bit stack: copied and pushed", "dword ptr [0x201fc]", 0x01203333
    EXPECT16 "words, 16-bit stack: frame", "word ptr [0x201fa]", 0x01fe

    /* 16-bit operands, 32-bit stack: all of ESP moves, BP alone is loaded. */
    ON_STACK SEL_FREE1, 0x00010002, 0x56780120, enterw 8, 0
    EXPECT "words, 32-bit stack: esp", ecx, 0x0000fff8
    EXPECT "words, 32-bit stack: ebp", edx, 0x56780000
    EXPECT16 "words, 32-bit stack: pushed bp", "word ptr [0x30000]", 0x0120

    /* 32-bit operands, 32-bit stack. */
    ON_STACK SEL_FREE1, 0x00010002, 0x00000120, enter 8, 2
    EXPECT "32-bit stack: esp", ecx, 0x0000ffee
    EXPECT "32-bit stack: ebp", edx, 0x0000fffe
    EXPECT "32-bit stack: copied", "dword ptr [0x2fffa]", 0x33334444
    EXPECT "32-bit stack: frame", "dword ptr [0x2fff6]", 0x0000fffe
    ret

    .data
saved_esp: .long 0
