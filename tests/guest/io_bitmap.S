/* SPDX-License-Identifier: MIT */
/* io_bitmap.S - The I/O permission bitmap: every size, the bits over a byte's edge, the limit, IOPL, V86. SDM vol. 1, 18.5.2. */
#include "guest.inc"
    .text
    .globl test_main
test_main:
    DESC SEL_FREE0, "offset io_tss", 0x89, 0x8b, 0
    and byte ptr [gdt + 0x48 + 5], 0xfd
    mov ax, SEL_FREE0
    ltr ax
    /* ports 0x00 to 0x107 are in the map (33 bytes and the ff); 0x80, 0x81, 0x82, 0x83, 0x87, 0x88 are allowed */
    mov byte ptr [io_map + 0x10], 0x70
    mov byte ptr [io_map + 0x11], 0xfe
.macro IO name, label, vector, flags=2
    USER \label, \flags
    EXPECT_FAULT "\name", \vector, 0
.endm
    IO "in byte 80", u_in80, 0x30
    IO "in byte 84", u_in84, 13
    EXPECT "eip", "dword ptr [fault_eip]", "offset u_in84"
    IO "in word 82", u_inw82, 0x30
    IO "in word 83", u_inw83, 13
    IO "in dword 80", u_ind80, 0x30
    IO "in dword 81", u_ind81, 13
    IO "out word 87: two map bytes", u_outw87, 0x30
    IO "out word 88", u_outw88, 13
    IO "outsb 80", u_outsb, 0x30
    IO "rep insb 84", u_insb, 13
    IO "rep insb 84, no times", u_insb0, 13
    IO "rep insb 80, no times", u_insb0_80, 0x30
    IO "rep outsb 84, no times", u_outsb0, 13
    IO "port 3f8: beyond the map", u_in3f8, 13
    IO "IOPL 3", u_in84, 0x30, 0x3002
    V86 0, v_in80, 0x23002
    EXPECT_FAULT "V86: the map counts though IOPL is 3", 0x30, 0
    V86 0, v_in84, 0x23002
    EXPECT_FAULT "V86: not allowed", 13, 0
    mov word ptr [io_tss + 0x66], 0xffff
    IO "no map", u_in80, 13
    mov word ptr [io_tss + 0x66], 0x68
    IO "map again", u_in80, 0x30
    in al, 0x84
    EXPECT "CPL 0 needs no map", ebx, ebx
    ret
    .data
    .align 4
io_tss:
    .long 0, stack0_top, SEL_DATA32
    .fill 22, 4, 0
    .word 0, 0x68
io_map: .fill 33, 1, 0xff
    .byte 0xff
    .section .user
u_in80: in al, 0x80
    USER_EXIT
u_in84: in al, 0x84
    USER_EXIT
u_inw82:
    .byte 0x66, 0xe5, 0x82
    USER_EXIT
u_inw83: .byte 0x66, 0xe5, 0x83
    USER_EXIT
u_ind80: in eax, 0x80
    USER_EXIT
u_ind81: in eax, 0x81
    USER_EXIT
u_outw87:
    .byte 0x66, 0xe7, 0x87
    USER_EXIT
u_outw88:
    .byte 0x66, 0xe7, 0x88
    USER_EXIT
u_outsb:
    mov esi, offset u_in80
    mov dx, 0x80
    outsb
    USER_EXIT
u_insb0:
    xor ecx, ecx
    mov dx, 0x84
    rep insb
    USER_EXIT
u_insb0_80:
    xor ecx, ecx
    mov dx, 0x80
    rep insb
    USER_EXIT
u_outsb0:
    xor ecx, ecx
    mov dx, 0x84
    rep outsb
    USER_EXIT
u_insb:
    mov edi, offset user_stack_top - 64
    mov ecx, 2
    mov dx, 0x84
    rep insb
    USER_EXIT
u_in3f8:
    mov dx, 0x3f8
    in al, dx
    USER_EXIT
    .section .low
    .code16
v_in80: in al, 0x80
    int 0x30
v_in84: in al, 0x84
    int 0x30
    .code32
