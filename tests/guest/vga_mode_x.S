/* SPDX-License-Identifier: MIT */
/* vga_mode_x.S - 256 colours chained and not, and a linear mode through its bank and through the PCI frame buffer.
   IBM PS/2 Hardware Interface Technical Reference, "Video Subsystem"; Bochs VBE as in QEMU's docs/specs/standard-vga. */
#include "guest.inc"
    .text
    .globl test_main
#include "vga.inc"
.macro VBE index:req, val:req
    mov dx, 0x1ce
    mov ax, \index
    out dx, ax
    inc dx
    mov ax, \val
    out dx, ax
.endm
.macro GETVBE index:req
    mov dx, 0x1ce
    mov ax, \index
    out dx, ax
    inc dx
    in ax, dx
.endm
test_main:
    mov esi, offset mode_13
    call vga_mode
    mov edi, 0xa0000
    mov ecx, 16000
    mov eax, 0x03020100
1:  stosd
    add eax, 0x04040404
    loop 1b
    EXPECT "chained", "dword ptr [0xa0000+64]", 0x43424140
    EXPECT "chained, not aligned", "dword ptr [0xa0000+65]", 0x44434241
    mov byte ptr [0xa0000+321], 0xee
    EXPECT16 "a pixel", "byte ptr [0xa0000+321]", 0xee

    /* mode X: not chained, byte addresses */
    REG SEQ, 4, 6
    REG CRTC, 0x14, 0
    REG CRTC, 0x17, 0xe3
    REG SEQ, 2, 15
    mov edi, 0xa0000
    xor eax, eax
    mov ecx, 16384
    rep stosd
    REG SEQ, 2, 1
    mov byte ptr [0xa5000], 0x11
    REG SEQ, 2, 2
    mov byte ptr [0xa5000], 0x22
    REG SEQ, 2, 4
    mov byte ptr [0xa5000], 0x33
    REG SEQ, 2, 8
    mov byte ptr [0xa5000], 0x44
    EXPECT_PLANES "four pixels", 0x5000, 0x11, 0x22, 0x33, 0x44
    REG SEQ, 2, 15
    REG GC, 5, 0x41
    mov esi, 0xa5000
    mov edi, 0xa6000
    movsb
    REG GC, 5, 0x40
    EXPECT_PLANES "copied by latches", 0x6000, 0x11, 0x22, 0x33, 0x44
    EXPECT_PLANES "no more", 0x6001, 0, 0, 0, 0
    REG CRTC, 0x0c, 0x50
    REG CRTC, 0x0d, 0x01
    GETREG CRTC, 0x0c
    EXPECT16 "start address", al, 0x50
    REG SEQ, 4, 14
    EXPECT "chained again: address bits 0-1 are the plane", "dword ptr [0xa5000]", 0x44332211

    GETVBE 0
    EXPECT16 "VBE id", ax, 0xb0c5
    GETVBE 10
    EXPECT16 "16 MiB", ax, 256
    VBE 4, 0
    VBE 1, 640
    VBE 2, 480
    VBE 3, 32
    VBE 4, 0x41
    GETVBE 6
    EXPECT16 "virtual width", ax, 640
    VBE 6, 1024
    GETVBE 7
    EXPECT16 "virtual height", ax, 4096
    VBE 9, 100
    GETVBE 9
    EXPECT16 "offset", ax, 100
    /* slot 2 is the card of both boards */
    mov eax, 0x80001000
    mov dx, 0xcf8
    out dx, eax
    mov dx, 0xcfc
    in eax, dx
    EXPECT "on PCI", eax, 0x11111234
    mov eax, 0x80001010
    mov dx, 0xcf8
    out dx, eax
    mov dx, 0xcfc
    in eax, dx
    mov ebx, eax
    and eax, 15
    EXPECT "prefetchable memory", eax, 8
    and ebx, 0xfffffff0
    EXPECT "the mode began empty", "dword ptr [ebx+0x12345*4]", 0
    mov dword ptr [ebx+0x50000], 0x00ff8040
    VBE 5, 5
    EXPECT "bank 5", "dword ptr [0xa0000]", 0x00ff8040
    mov word ptr [0xaffff-1], 0x1234
    EXPECT16 "end of the bank", "word ptr [ebx+0x5fffe]", 0x1234
    lea edi, [ebx+0x80000]
    mov eax, 0xcafe0123
    mov ecx, 1000
    rep stosd
    EXPECT "filled", "dword ptr [ebx+0x80000+3996]", 0xcafe0123
    EXPECT "and no more", "dword ptr [ebx+0x80000+4000]", 0
    VBE 4, 0
    ret
