/* SPDX-License-Identifier: MIT */
/* flags_basic.S - arithmetic flags of a few operations at their edges. SDM vol. 1, section 3.4.3.1. */
#include "guest.inc"
    .text
    .globl test_main
test_main:
    mov eax, 0x7fffffff
    add eax, 1
    EXPECT_FLAGS "add overflow", 0x8d5, 0x894
    EXPECT "add result", eax, 0x80000000
    mov al, 0xff
    add al, 1
    EXPECT_FLAGS "add byte carry", 0x8d5, 0x055
    stc
    mov eax, 0
    sbb eax, 0
    EXPECT_FLAGS "sbb borrow", 0x8d5, 0x095
    EXPECT "sbb result", eax, 0xffffffff
    stc
    mov eax, 0x80000000
    inc eax
    EXPECT_FLAGS "inc keeps CF", 0x8d5, 0x081
    push 0x246
    popfd
    EXPECT_FLAGS "popfd", 0x3f7fd7, 0x246
    cli
    FAULT_EXPECTED 1f
    xor edx, edx
    xor ecx, ecx
    div ecx
1:  EXPECT_FAULT "division by zero", 0, 0
    ret
