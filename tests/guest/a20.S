/* SPDX-License-Identifier: MIT */
/* a20.S - A20 by port 92h: with the gate closed, 1 MiB is 0. */
#include "guest.inc"
    .text
    .globl test_main
test_main:
    mov dword ptr [0x600], 0x11111111
    REAL a_test
    EXPECT "open: different memory", "dword ptr [a_open]", 1
    EXPECT "closed: 100500 is 500", "dword ptr [a_closed]", 0x600d600d
    EXPECT "closed: writes too", "dword ptr [a_write]", 0x12121212
    EXPECT "open again", "dword ptr [a_again]", 1
    EXPECT16 "port 92 reads back", "byte ptr [a_port]", 0
    ret
    .section .low
    .code16
a_test:
    mov ax, 0xffff
    mov es, ax
    mov dword ptr [0x500], 0x600d600d
    mov ebx, es:[0x510] /* save what is at 0x100500 */
    mov dword ptr es:[0x510], 0x0bad0bad
    xor ecx, ecx
    cmp dword ptr [0x500], 0x600d600d
    sete cl
    mov [a_open], ecx
    in al, 0x92
    and al, 0xfc
    out 0x92, al
    mov eax, es:[0x510]
    mov [a_closed], eax
    in al, 0x92
    and al, 2
    mov [a_port], al
    mov dword ptr es:[0x510], 0x12121212
    mov eax, [0x500]
    mov [a_write], eax
    in al, 0x92
    or al, 2
    and al, 0xfe
    out 0x92, al
    xor ecx, ecx
    cmp dword ptr es:[0x510], 0x0bad0bad
    sete cl
    mov [a_again], ecx
    mov es:[0x510], ebx
    ret
    .align 4
a_open: .long 0
a_closed: .long 0
a_write: .long 0
a_again: .long 0
a_port: .byte 0
    .code32
