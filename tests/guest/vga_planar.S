/* SPDX-License-Identifier: MIT */
/* vga_planar.S - mode 12h: map mask, set/reset, bit mask, rotation, functions, write modes, read modes.
   IBM PS/2 Hardware Interface Technical Reference, "Video Subsystem", graphics controller. */
#include "guest.inc"
    .text
    .globl test_main
#include "vga.inc"
test_main:
    mov esi, offset mode_12
    call vga_mode
    mov byte ptr [0xa1000], 0x5a
    EXPECT_PLANES "all planes", 0x1000, 0x5a, 0x5a, 0x5a, 0x5a
    REG SEQ, 2, 5
    mov byte ptr [0xa1000], 0xc3
    EXPECT_PLANES "map mask", 0x1000, 0xc3, 0x5a, 0xc3, 0x5a
    REG SEQ, 2, 15
    REG GC, 0, 6
    REG GC, 1, 7
    mov byte ptr [0xa1000], 0x77
    EXPECT_PLANES "set/reset", 0x1000, 0x00, 0xff, 0xff, 0x77
    REG GC, 8, 0x0f
    mov al, [0xa1000]
    REG GC, 0, 9
    REG GC, 1, 15
    mov byte ptr [0xa1000], 0
    EXPECT_PLANES "bit mask keeps the latches", 0x1000, 0x0f, 0xf0, 0xf0, 0x7f
    REG GC, 1, 0
    REG GC, 8, 0xff
    REG GC, 3, 0x1b
    mov al, [0xa1000]
    mov byte ptr [0xa1000], 0x18
    EXPECT_PLANES "turned by 3, exclusive or", 0x1000, 0x0c, 0xf3, 0xf3, 0x7c
    REG GC, 3, 0x08
    mov al, [0xa1000]
    mov byte ptr [0xa1000], 0x3c
    EXPECT_PLANES "and", 0x1000, 0x0c, 0x30, 0x30, 0x3c
    REG GC, 3, 0x10
    mov al, [0xa1000]
    mov byte ptr [0xa1000], 0x81
    EXPECT_PLANES "or", 0x1000, 0x8d, 0xb1, 0xb1, 0xbd
    REG GC, 3, 0
    REG GC, 5, 1
    mov al, [0xa1000]
    mov byte ptr [0xa1001], 0xff
    REG GC, 5, 0
    EXPECT_PLANES "write mode 1", 0x1001, 0x8d, 0xb1, 0xb1, 0xbd
    REG GC, 5, 2
    REG GC, 8, 0xf0
    mov al, [0xa1001]
    mov byte ptr [0xa1001], 0x0a
    REG GC, 5, 0
    EXPECT_PLANES "write mode 2", 0x1001, 0x0d, 0xf1, 0x01, 0xfd
    REG GC, 5, 3
    REG GC, 8, 0x3c
    REG GC, 0, 3
    mov al, [0xa1001]
    mov byte ptr [0xa1001], 0x66
    REG GC, 5, 0
    EXPECT_PLANES "write mode 3", 0x1001, 0x2d, 0xf5, 0x01, 0xd9
    REG GC, 8, 0xff
    REG GC, 5, 8
    REG GC, 2, 0x0b
    REG GC, 7, 0x0f
    mov al, [0xa1001]
    EXPECT16 "read mode 1", al, 0x00
    REG GC, 2, 0x0a
    mov al, [0xa1001]
    EXPECT16 "read mode 1: colour 10", al, 0xd0
    REG GC, 7, 0x02
    mov al, [0xa1001]
    EXPECT16 "read mode 1: one plane", al, 0xf5
    REG GC, 7, 0
    mov al, [0xa1001]
    EXPECT16 "read mode 1: none cares", al, 0xff
    REG GC, 5, 0
    /* wide accesses: bytes in ascending order, the latches are the last one's */
    mov dword ptr [0xa2000], 0x44332211
    PLANE 2, 0x2001
    EXPECT16 "dword", al, 0x22
    EXPECT "read as a dword", "dword ptr [0xa2000]", 0x44332211
    REG GC, 5, 1
    mov byte ptr [0xa3000], 0
    REG GC, 5, 0
    EXPECT_PLANES "latches", 0x3000, 0x44, 0x44, 0x44, 0x44
    /* REP MOVSB copies all planes */
    REG SEQ, 2, 8
    mov byte ptr [0xa2002], 0x99
    REG SEQ, 2, 15
    REG GC, 5, 1
    mov esi, 0xa2000
    mov edi, 0xa4000
    mov ecx, 4
    rep movsb
    REG GC, 5, 0
    EXPECT_PLANES "copied", 0x4002, 0x33, 0x33, 0x33, 0x99
    EXPECT16 "outside of the window", "byte ptr [0xb8000]", 0xff
    ret
