/* SPDX-License-Identifier: MIT */
/* shift_rotate.S - Shifts and rotates: counts 0, 1, the operand's size and more. SDM vol. 2, SAL/SAR/SHL/SHR, RCL/RCR/ROL/ROR. */
#include "guest.inc"
    .text
    .globl test_main
test_main:
    OP "shl 0 changes no flag", 0x80000000, 0, 0x8d5, "shl eax, cl", 0x80000000, 0x8d5, 0x8d5
    OP "shl 32 is shl 0", 0x80000001, 32, 0x8d5, "shl eax, cl", 0x80000001, 0x8d5, 0x8d5
    OP "shl 1 overflow", 0x40000000, 0, 0, "shl eax, 1", 0x80000000, 0x8c5, 0x884
    OP "shl 1 carry", 0x80000000, 0, 0, "shl eax, 1", 0, 0x8c5, 0x845
    OP "shl 1 carry, no overflow", 0xc0000000, 0, 0, "shl eax, 1", 0x80000000, 0x8c5, 0x085
    OP "shl 31", 3, 31, 0, "shl eax, cl", 0x80000000, 0xc5, 0x085
    OP "shl 33 is shl 1", 1, 33, 0, "shl eax, cl", 2, 0x8c5, 0
    OP "shl8 by 8", 0x5501, 8, 0, "shl al, cl", 0x5500, 0xc5, 0x045
    OP "shl8 by 4", 0x5518, 4, 0, "shl al, cl", 0x5580, 0xc5, 0x081
    OP "shl16 by 16", 0x70001, 16, 0, "shl ax, cl", 0x70000, 0xc5, 0x045
    OP "shl16 by 17", 0x7ffff, 17, 1, "shl ax, cl", 0x70000, 0xc4, 0x044
    OP "shr 1 of negative sets OF", 0x80000001, 0, 0, "shr eax, 1", 0x40000000, 0x8c5, 0x805
    OP "shr8 7", 0xc0, 7, 0, "shr al, cl", 1, 0xc5, 0x001
    OP "shr16 imm 15", 0xffff8000, 0, 0, "shr ax, 15", 0xffff0001, 0xc5, 0
    OP "shr 32 is nothing", 0xf, 32, 0, "shr eax, cl", 0xf, 0x8d5, 0
    OP "sar 1", 0x80000001, 0, 0x800, "sar eax, 1", 0xc0000000, 0x8c5, 0x085
    OP "sar8 by 31", 0x80, 31, 0, "sar al, cl", 0xff, 0xc5, 0x085
    OP "sar16 by 16", 0x8000, 16, 0, "sar ax, cl", 0xffff, 0xc5, 0x085
    OP "sar16 positive by 20", 0x7fff, 20, 1, "sar ax, cl", 0, 0xc5, 0x044
    OP "d0 /6 is shl", 0x40, 0, 0, ".byte 0xd0, 0xf0", 0x80, 0x8c5, 0x880
    OP "c1 /6 is shl", 1, 0, 0, ".byte 0xc1, 0xf0, 4", 0x10, 0xc5, 0
    OP "rol 1", 0x80000001, 0, 0x0d4, "rol eax, 1", 3, 0x8d5, 0x8d5
    OP "rol 32 changes nothing", 0x80000001, 32, 0x8d5, "rol eax, cl", 0x80000001, 0x8d5, 0x8d5
    OP "rol8 by 8 updates CF", 0x81, 8, 0, "rol al, cl", 0x81, 0xd5, 1
    OP "rol16 by 16 updates CF", 0x8000, 16, 1, "rol ax, cl", 0x8000, 0xd5, 0
    OP "rol8 by 9 is 1", 0x81, 9, 0, "rol al, cl", 0x03, 0xd5, 1
    OP "ror 1", 1, 0, 0, "ror eax, 1", 0x80000000, 0x8d5, 0x801
    OP "ror 1, OF from the top two", 0x80000000, 0, 0, "ror eax, 1", 0x40000000, 0x8d5, 0x800
    OP "ror8 by 8", 0x80, 8, 0, "ror al, cl", 0x80, 0xd5, 1
    OP "ror16 by 4", 0x1234, 4, 1, "ror ax, cl", 0x4123, 0xd5, 0
    OP "rcl 1 takes CF", 0x80000000, 0, 1, "rcl eax, 1", 1, 0x8d5, 0x801
    OP "rcl 0", 0x80000000, 0, 0x801, "rcl eax, cl", 0x80000000, 0x8d5, 0x801
    OP "rcl8 by 9 is nothing but CF", 0xa5, 9, 1, "rcl al, cl", 0xa5, 0xd5, 1
    OP "rcl8 by 10 is 1", 0x80, 10, 0, "rcl al, cl", 0, 0xd5, 1
    OP "rcl16 by 17", 0x8001, 17, 1, "rcl ax, cl", 0x8001, 0xd5, 1
    OP "rcl16 by 18 is 1", 0x8001, 18, 1, "rcl ax, cl", 3, 0xd5, 1
    OP "rcl by 31", 0x00000001, 31, 1, "rcl eax, cl", 0xc0000000, 0xd5, 0
    OP "rcr 1", 1, 0, 1, "rcr eax, 1", 0x80000000, 0x8d5, 0x801
    OP "rcr 1 OF", 0x80000000, 0, 0, "rcr eax, 1", 0x40000000, 0x8d5, 0x800
    OP "rcr8 by 9", 0x5a, 9, 0, "rcr al, cl", 0x5a, 0xd5, 0
    OP "rcr8 by 4", 0x5a, 4, 1, "rcr al, cl", 0x55, 0xd5, 1
    OP "rcr16 by 17", 0x1234, 17, 1, "rcr ax, cl", 0x1234, 0xd5, 1
    OP "rcr by 16", 0x12345678, 16, 1, "rcr eax, cl", 0xacf11234, 0xd5, 0
    OP "shl imm 0", 7, 0, 0x8d5, ".byte 0xc1, 0xe0, 0", 7, 0x8d5, 0x8d5
    OP "shl imm 0x21", 7, 0, 0, ".byte 0xc1, 0xe0, 0x21", 14, 0x8c5, 0
    mov dword ptr [m], 0x80
    OP "sar byte in memory", 0, 3, 0, "sar byte ptr [m], cl", 0, 0xc5, 0x084
    EXPECT "sar byte in memory: result", "dword ptr [m]", 0xf0
    /* SHLD, SHRD */
    mov edx, 0x80000001
    OP "shld 0", 5, 0, 0x8d5, "shld eax, edx, cl", 5, 0x8d5, 0x8d5
    OP "shld 1", 0x40000000, 1, 0, "shld eax, edx, cl", 0x80000001, 0x8c5, 0x880
    OP "shld 4", 0x12345678, 4, 0, "shld eax, edx, cl", 0x23456788, 0xc5, 0x005
    OP "shld 32 is 0", 5, 32, 0x8d5, "shld eax, edx, cl", 5, 0x8d5, 0x8d5
    OP "shld imm 31", 1, 0, 0, "shld eax, edx, 31", 0xc0000000, 0xc5, 0x084
    OP "shrd 1", 1, 1, 0, "shrd eax, edx, cl", 0x80000000, 0x8c5, 0x885
    OP "shrd 8", 0x12345678, 8, 0, "shrd eax, edx, cl", 0x01123456, 0xc5, 4
    OP "shld16 4", 0xffff1234, 4, 0, "shld ax, dx, cl", 0xffff2340, 0xc5, 0x001
    OP "shrd16 4", 0xffff1234, 4, 0, "shrd ax, dx, cl", 0xffff1123, 0xc5, 0
    mov dword ptr [m], 0x0f
    OP "shrd to memory", 0, 4, 0, "shrd [m], edx, cl", 0, 0xc5, 0x005
    EXPECT "shrd to memory: result", "dword ptr [m]", 0x10000000
    ret
    .data
m: .long 0
