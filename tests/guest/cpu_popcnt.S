/* SPDX-License-Identifier: MIT */
/* cpu_popcnt.S - an Atom N270 has neither POPCNT nor SSE4.2: POPCNT and CRC32 are #UD (SDM vol. 2, their pages), while MOVBE,
 * which shares CRC32's opcodes, and BSF, BSR under F3, which other CPUs take for TZCNT and LZCNT, work. */
#include "guest.inc"
    .text
    .globl test_main
test_main:
    mov eax, 1
    cpuid
    and ecx, 0x900000
    EXPECT "CPUID.POPCNT, SSE4.2", ecx, 0
    mov ecx, 5
    FAULT "popcnt without CPUID.POPCNT", 6, 0, .byte 0xf3, 0x0f, 0xb8, 0xc1
    FAULT "crc32 without CPUID.SSE4.2", 6, 0, .byte 0xf2, 0x0f, 0x38, 0xf0, 0xc1
    FAULT "crc32 without CPUID.SSE4.2, 32 bits", 6, 0, .byte 0xf2, 0x0f, 0x38, 0xf1, 0xc1
    FAULT "66 f2: crc32 too", 6, 0, .byte 0x66, 0xf2, 0x0f, 0x38, 0xf1, 0x0d, 0, 0, 0, 0
    movbe eax, [swapped]
    EXPECT "movbe", eax, 0x12345678
    mov ecx, 0x00f0
    rep bsf eax, ecx
    EXPECT "f3 bsf is bsf", eax, 4
    .byte 0xf3
    bsr eax, ecx
    EXPECT "f3 bsr is bsr", eax, 7
    ret
    .data
swapped: .byte 0x12, 0x34, 0x56, 0x78
