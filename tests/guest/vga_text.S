/* SPDX-License-Identifier: MIT */
/* vga_text.S - the text screen that firmware leaves: mode 3, its memory, cursor, retrace, attribute flip-flop, DAC.
   IBM PS/2 Hardware Interface Technical Reference, "Video Subsystem". */
#include "guest.inc"
    .text
    .globl test_main
#include "vga.inc"
test_main:
    movzx eax, byte ptr [0x449]
    EXPECT "mode of the BIOS data", eax, 3
    EXPECT16 "columns", "word ptr [0x44a]", 80
    EXPECT16 "CRT controller's port", "word ptr [0x463]", 0x3d4
    mov dx, 0x3cc
    in al, dx
    EXPECT16 "miscellaneous output", al, 0x67
    GETREG CRTC, 1
    EXPECT16 "80 columns", al, 0x4f
    GETREG CRTC, 0x12
    EXPECT16 "400 lines", al, 0x8f
    GETREG CRTC, 0x09
    EXPECT16 "16 lines a character", al, 0x4f
    GETREG GC, 6
    EXPECT16 "memory at 0xb8000", al, 0x0e
    REG CRTC, 0x01, 0x11
    GETREG CRTC, 1
    EXPECT16 "registers 0-7 are protected", al, 0x4f

    /* the whole page by REP, in bytes, words, dwords */
    mov edi, 0xb8000
    mov eax, 0x1f421f41
    mov ecx, 1000
    rep stosd
    EXPECT "written as dwords", "dword ptr [0xb8000+3996]", 0x1f421f41
    mov word ptr [0xb8002], 0x4e58
    mov byte ptr [0xb8005], 0x70
    EXPECT "words and bytes", "dword ptr [0xb8002]", 0x70414e58
    mov esi, 0xb8000+160
    mov edi, 0xb8000
    mov ecx, 960
    rep movsd
    EXPECT "scrolled", "dword ptr [0xb8004]", 0x1f421f41
    EXPECT "last line stays", "dword ptr [0xb8000+3840]", 0x1f421f41
    mov dword ptr [0xb8003], 0x11223344
    EXPECT "not aligned", "dword ptr [0xb8004]", 0x1f112233

    /* as planes */
    mov dword ptr [0xb8000+200], 0x1a421b41
    REG SEQ, 4, 6
    REG GC, 5, 0
    REG GC, 6, 0x0c
    REG GC, 4, 0
    mov eax, [0xb8000+200]
    and eax, 0x00ff00ff
    EXPECT "characters are plane 0, at even offsets", eax, 0x00420041
    REG GC, 4, 1
    mov eax, [0xb8000+200]
    and eax, 0x00ff00ff
    EXPECT "attributes are plane 1, at even offsets", eax, 0x001a001b
    REG SEQ, 4, 2
    REG GC, 5, 0x10
    REG GC, 6, 0x0e
    REG GC, 4, 0
    EXPECT "text again", "dword ptr [0xb8000+200]", 0x1a421b41

    REG CRTC, 0x0e, 0x07
    REG CRTC, 0x0f, 0xcf
    GETREG CRTC, 0x0e
    mov bh, al
    GETREG CRTC, 0x0f
    mov bl, al
    EXPECT16 "cursor", bx, 0x07cf

    mov dx, 0x3da
    mov ecx, 100000000
1:  in al, dx
    test al, 8
    loopz 1b
    EXPECT_FLAGS "retrace comes", 0x40, 0
1:  in al, dx
    test al, 8
    loopnz 1b
    EXPECT_FLAGS "retrace goes", 0x40, 0x40
1:  in al, dx
    test al, 1
    loopnz 1b
    EXPECT_FLAGS "display begins", 0x40, 0x40

    in al, dx
    OUTB 0x3c0, 0x31
    mov al, 0x2a
    out dx, al
    in al, dx
    EXPECT16 "attribute index", al, 0x31
    inc dx
    in al, dx
    EXPECT16 "attribute data", al, 0x2a
    OUTB 0x3c0, 0x31
    mov dx, 0x3da
    in al, dx
    OUTB 0x3c0, 0x33
    mov al, 0x08
    out dx, al
    inc dx
    in al, dx
    EXPECT16 "status read turns the flip-flop back", al, 0x08

    OUTB 0x3c8, 200
    OUTB 0x3c9, 0x3f
    mov al, 0x15
    out dx, al
    mov al, 0xea
    out dx, al
    OUTB 0x3c7, 200
    mov dx, 0x3c7
    in al, dx
    EXPECT16 "DAC reads", al, 3
    mov dx, 0x3c9
    in al, dx
    EXPECT16 "red", al, 0x3f
    in al, dx
    EXPECT16 "green", al, 0x15
    in al, dx
    EXPECT16 "blue, six bits", al, 0x2a
    ret
