/* SPDX-License-Identifier: MIT */
/* idiv_min.S - -2^63 / -1 does not fit in 64 bits either: #DE, nothing else. SDM vol. 2, IDIV. */
#include "guest.inc"
    .text
    .globl test_main
test_main:
    mov edx, 0x80000000
    mov eax, 0
    FAULT "idiv32 -2^63 / -1", 0, 0, idiv dword ptr [minus1]
    EXPECT "eax kept", eax, 0
    EXPECT "edx kept", edx, 0x80000000
    ret
    .data
minus1: .long -1
