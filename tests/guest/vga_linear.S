/* SPDX-License-Identifier: MIT */
/* vga_linear.S - the graphics card's memory as memory: the same bytes through its bank at a0000h and through BAR 0, code in them that is changed through
   the other address, banks that change between two instructions, and the way back to planes.
   Bochs VBE as in QEMU's docs/specs/standard-vga. */
#include "guest.inc"
    .text
    .globl test_main
#include "vga.inc"
    .set BANK, 0xa0000
    .set BAR, 0xfd000000
.macro VBE index:req, val:req
    mov dx, 0x1ce
    mov ax, \index
    out dx, ax
    inc dx
    mov ax, \val
    out dx, ax
.endm
test_main:
    VBE 1, 640
    VBE 2, 480
    VBE 3, 8
    VBE 4, 1
    VBE 5, 3
    /* through the bank, seen at the BAR, and back */
    mov edi, BANK
    mov ecx, 0x4000
    mov eax, 0x01000000
1:  mov [edi], eax
    add edi, 4
    inc eax
    loop 1b
    EXPECT "the bank's first", "dword ptr [BAR + 0x30000]", 0x01000000
    EXPECT "the bank's last", "dword ptr [BAR + 0x3fffc]", 0x01003fff
    EXPECT "not the next bank's", "dword ptr [BAR + 0x40000]", 0
    mov dword ptr [BAR + 0x34567], 0xdeadbeef
    EXPECT "back", "dword ptr [BANK + 0x4567]", 0xdeadbeef
    mov dword ptr [BANK + 0xfffe], 0x44332211
    EXPECT "across the end: in the bank", "dword ptr [BAR + 0x3fffc]", 0x22110000 | 0x3fff
    /* code in it: mov eax, N; ret. Written through one address, executed through the other. */
    mov byte ptr [BANK + 0x1000], 0xb8
    mov byte ptr [BANK + 0x1005], 0xc3
    mov edi, BANK + 0x1000
    mov ebp, BAR + 0x31000
    mov esi, 0
    mov ecx, 300
2:  mov [BAR + 0x31001], ecx
    call edi
    add esi, eax
    call ebp
    add esi, eax
    mov [BANK + 0x1001], esi
    call ebp
    sub eax, esi
    add esi, eax
    call edi
    sub eax, esi
    add esi, eax
    loop 2b
    EXPECT "changed through the other address", esi, 90300
    /* another bank has other code at the same address */
    mov byte ptr [BAR + 0x51000], 0xb8
    mov dword ptr [BAR + 0x51001], 5
    mov byte ptr [BAR + 0x51005], 0xc3
    mov dword ptr [BANK + 0x1001], 3
    mov esi, 0
    mov ecx, 100
3:  VBE 5, 5
    call edi
    lea esi, [esi + 8 * eax]
    VBE 5, 3
    call edi
    add esi, eax
    loop 3b
    EXPECT "code of two banks", esi, 4300
    /* a 16-colour mode is planes; then the bank again */
    VBE 4, 0
    VBE 3, 4
    VBE 4, 0x81
    REG SEQ, 2, 15
    REG SEQ, 4, 6
    REG GC, 5, 0
    REG GC, 6, 5
    REG GC, 8, 255
    mov byte ptr [BANK], 0x5a
    EXPECT "planes", "dword ptr [BAR]", 0x5a5a5a5a
    VBE 4, 0
    VBE 3, 8
    VBE 4, 0x81
    VBE 5, 0
    EXPECT "a bank again", "dword ptr [BANK]", 0x5a5a5a5a
    mov dword ptr [BANK], 0x12345678
    /* mode 13h: chained, 64 KiB as they are; write mode 1 takes the latches */
    VBE 4, 0
    mov esi, offset mode_13
    call vga_mode
    EXPECT "chained", "dword ptr [BANK]", 0x12345678
    mov dword ptr [BANK + 8], 0x11223344
    EXPECT "chained, at the BAR", "dword ptr [BAR + 8]", 0x11223344
    REG GC, 5, 0x41
    mov al, [BANK + 8]
    mov [BANK + 0x20], al
    mov [BANK + 0x21], al
    REG GC, 5, 0x40
    EXPECT "latches", "dword ptr [BAR + 0x20]", 0x00003344
    /* the card gives its memory up, and has it again */
    mov eax, 0x80001004
    mov dx, 0xcf8
    out dx, eax
    mov dx, 0xcfc
    in ax, dx
    mov bx, ax
    and ax, 0xfffd
    out dx, ax
    EXPECT "off: no bank", "dword ptr [BANK]", 0xffffffff
    EXPECT "off: no frame buffer", "dword ptr [BAR]", 0xffffffff
    mov dx, 0xcfc
    mov ax, bx
    out dx, ax
    EXPECT "on: bank", "dword ptr [BANK]", 0x12345678
    EXPECT "on: frame buffer", "dword ptr [BAR]", 0x12345678
    ret
