/* SPDX-License-Identifier: MIT */
/* bcd.S - DAA DAS AAA AAS AAM AAD at chosen points, DAA and DAS also over a hundred sums and differences. SDM vol. 2. */
#include "guest.inc"
    .text
    .globl test_main
test_main:
    OP "daa 79+35", 0xae, 0, 0, "daa", 0x14, 0xd5, 0x15
    OP "daa with AF", 0x12, 0, 0x10, "daa", 0x18, 0xd5, 0x14
    OP "daa with CF", 0x12, 0, 1, "daa", 0x72, 0xd5, 5
    OP "daa 9a", 0x9a, 0, 0, "daa", 0, 0xd5, 0x55
    OP "daa fa", 0xfa, 0, 0, "daa", 0x60, 0xd5, 0x15
    OP "das 35-47", 0xee, 0, 0x11, "das", 0x88, 0xd5, 0x95
    OP "das with AF, borrow", 0x05, 0, 0x10, "das", 0xff, 0xd5, 0x95
    OP "das 9a", 0x9a, 0, 0, "das", 0x34, 0xd5, 0x11
    OP "aaa carry", 0x55020f, 0, 0, "aaa", 0x550305, 0x11, 0x11
    OP "aaa no carry clears the high nibble", 0x0235, 0, 1, "aaa", 0x0205, 0x11, 0
    OP "aaa al=ff", 0x00ff, 0, 0, "aaa", 0x0205, 0x11, 0x11
    OP "aas borrow", 0x5502ff, 0, 0x10, "aas", 0x550109, 0x11, 0x11
    OP "aas al=03 with AF", 0x0203, 0, 0x10, "aas", 0x000d, 0x11, 0x11
    OP "aas none", 0x0235, 0, 1, "aas", 0x0205, 0x11, 0
    OP "aad", 0x550705, 0, 0, "aad", 0x55004b, 0xc4, 4
    OP "aad 16", 0x0f0f, 0, 0, ".byte 0xd5, 16", 0x00ff, 0xc4, 0x84
    OP "aad 0", 0x1234, 0, 0, ".byte 0xd5, 0", 0x0034, 0xc4, 0
    OP "aam 1", 0x12ff, 0, 0, ".byte 0xd4, 1", 0xff00, 0xc4, 0x44
    /* What AMD's CPUs do otherwise: the flags that the SDM leaves undefined, as current Intel CPUs have them. */
    OP "aaa: all flags", 0x00ff, 0, 0xc4, "aaa", 0x0205, 0x8d5, 0x15
    OP "aas: all flags", 0x0203, 0, 0xd4, "aas", 0x000d, 0x8d5, 0x11
    /* Every BCD sum a + b is right. */
    xor ebx, ebx
1:  mov eax, ebx
    .byte 0xd4, 10
    shl ah, 4
    or al, ah
    mov cl, al        /* BCD of bl */
    add al, 0x27
    daa
    mov dl, al
    setc dh
    mov eax, ebx
    add eax, 27
    xor ch, ch
    cmp eax, 100
    jb 2f
    sub eax, 100
    mov ch, 1
2:  .byte 0xd4, 10
    shl ah, 4
    or al, ah
    mov ah, ch
    cmp ax, dx
    jne 3f
    inc dword ptr [right]
3:  mov al, cl
    sub al, 0x27
    das
    mov dl, al
    mov eax, ebx
    sub eax, 27
    jns 4f
    add eax, 100
4:  .byte 0xd4, 10
    shl ah, 4
    or al, ah
    cmp al, dl
    jne 5f
    inc dword ptr [right]
5:  inc ebx
    cmp ebx, 100
    jb 1b
    EXPECT "sums and differences of all two-digit numbers", "dword ptr [right]", 200
    ret
    .data
right: .long 0
