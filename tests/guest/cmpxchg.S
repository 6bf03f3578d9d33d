/* SPDX-License-Identifier: MIT */
/* cmpxchg.S - CMPXCHG, CMPXCHG8B, XADD, BSWAP, XCHG with memory. SDM vol. 2. */
#include "guest.inc"
    .text
    .globl test_main
test_main:
    mov dword ptr [m], 7
    OP "cmpxchg equal", 7, 9, 0, "cmpxchg [m], ecx", 7, 0x8d5, 0x044
    EXPECT "cmpxchg equal: memory", "dword ptr [m]", 9
    OP "cmpxchg unequal", 8, 1, 0, "lock cmpxchg [m], ecx", 9, 0x8d5, 0x095
    EXPECT "cmpxchg unequal: memory", "dword ptr [m]", 9
    OP "cmpxchg8", 0x1109, 0x42, 0, "cmpxchg byte ptr [m], cl", 0x1109, 0x8d5, 0x044
    EXPECT "cmpxchg8: memory", "dword ptr [m]", 0x42
    OP "cmpxchg16 unequal loads ax only", 0x11110001, 0, 0, "cmpxchg word ptr [m], cx", 0x11110042, 0x8d5, 0x091
    mov edx, 5
    OP "cmpxchg register", 5, 77, 0, "cmpxchg edx, ecx", 5, 0x44, 0x44
    EXPECT "cmpxchg register: edx", edx, 77
    mov dword ptr [m], 0x11111111
    mov dword ptr [m + 4], 0x22222222
    mov ebx, 0xaaaaaaaa
    mov edx, 0x22222222
    OP "cmpxchg8b equal keeps other flags", 0x11111111, 0xbbbbbbbb, 0x895, "cmpxchg8b [m]", 0x11111111, 0x8d5, 0x8d5
    EXPECT "cmpxchg8b: low", "dword ptr [m]", 0xaaaaaaaa
    EXPECT "cmpxchg8b: high", "dword ptr [m + 4]", 0xbbbbbbbb
    OP "cmpxchg8b unequal", 0, 0, 0x8d5, "lock cmpxchg8b [m]", 0xaaaaaaaa, 0x8d5, 0x895
    EXPECT "cmpxchg8b unequal: edx", edx, 0xbbbbbbbb
    FAULT "cmpxchg8b of a register", 6, 0, .byte 0x0f, 0xc7, 0xc9
    mov dword ptr [m], 5
    OP "xadd", 0, 3, 0, "xadd [m], ecx", 0, 0x8d5, 0
    EXPECT "xadd: memory", "dword ptr [m]", 8
    EXPECT "xadd: register", ecx, 5
    OP "xadd of a register with itself", 4, 0, 0, "xadd eax, eax", 8, 0x8d5, 0
    OP "xadd8 same register halves", 0x0201, 0, 0, "xadd al, ah", 0x0103, 0x8d5, 4
    OP "bswap", 0x12345678, 0, 0x8d5, "bswap eax", 0x78563412, 0x8d5, 0x8d5
    mov dword ptr [m], 1
    OP "xchg", 2, 0, 0, "xchg [m], eax", 1, 0x8d5, 0
    EXPECT "xchg: memory", "dword ptr [m]", 2
    ret
    .data
    .align 8
m: .long 0, 0
