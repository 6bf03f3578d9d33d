/* SPDX-License-Identifier: MIT */
/* cpu_cmov.S - a Pentium has no CMOVcc: #UD without CPUID.01H:EDX.CMOV (SDM vol. 2A, CMOVcc). */
#include "guest.inc"
    .text
    .globl test_main
test_main:
    mov eax, 1
    cpuid
    and edx, 0x8000
    EXPECT "CPUID.CMOV", edx, 0
    FAULT "cmovz without CPUID.CMOV", 6, 0, cmovz eax, ecx
    ret
