/* SPDX-License-Identifier: MIT */
/* bitops.S - BT BTS BTR BTC with register and memory offsets, BSF BSR, MOVZX MOVSX. SDM vol. 2. */
#include "guest.inc"
    .text
    .globl test_main
test_main:
    mov dword ptr [bits], 0
    mov dword ptr [bits + 4], 0x80000001
    mov dword ptr [bits + 8], 0
    OP "bt register offset is modulo 32", 0x2, 33, 0, "bt eax, ecx", 2, 1, 1
    OP "bt keeps ZF", 0, 33, 0x40, "bt eax, ecx", 0, 0x41, 0x40
    OP "bts register", 0, 63, 1, "bts eax, ecx", 0x80000000, 1, 0
    OP "btr 16 bits", 0xffffffff, 31, 0, "btr ax, cx", 0xffff7fff, 1, 1
    OP "btc imm", 1, 0, 0, "btc eax, 32", 0, 1, 1
    OP "bt memory, offset 32", 0, 32, 0, "bt [bits], ecx", 0, 1, 1
    OP "bt memory, offset 63", 0, 63, 0, "bt [bits], ecx", 0, 1, 1
    OP "bt memory, negative offset", 0, -1, 0, "bt [bits + 8], ecx", 0, 1, 1
    OP "bt memory, offset -32", 0, -32, 0, "bt [bits + 8], ecx", 0, 1, 1
    OP "bts memory, offset -64", 0, -64, 0, "bts [bits + 8], ecx", 0, 1, 0
    EXPECT "bts memory: result", "dword ptr [bits]", 1
    OP "btc memory, offset 95", 0, 95, 0, "btc [bits], ecx", 0, 1, 0
    EXPECT "btc memory: result", "dword ptr [bits + 8]", 0x80000000
    OP "btr memory imm is modulo 32", 0, 0, 0, "btr dword ptr [bits + 8], 63", 0, 1, 1
    EXPECT "btr memory: result", "dword ptr [bits + 8]", 0
    OP "bts16 memory, offset 17", 0, 17, 0, "bts [bits + 8], cx", 0, 1, 0
    EXPECT "bts16 memory: result", "dword ptr [bits + 8]", 0x20000
    OP "bts16 memory, offset -16", 0, 0xfff0, 0, "bts [bits + 10], cx", 0, 1, 0
    EXPECT "bts16 memory: result 2", "dword ptr [bits + 8]", 0x20001
    /* The bit offset reaches +-256 MiB: far away from the operand. */
    mov ecx, 0x10000000
    bts [bits + 8 - 0x2000000], ecx
    EXPECT_FLAGS "bts far away", 1, 1
    OP "bsf", 0x55, 0x8010, 0x40, "bsf eax, ecx", 4, 0x40, 0
    OP "bsf zero", 0x55, 0, 0, "bsf eax, ecx", 0x55, 0x40, 0x40
    OP "bsr", 0x55, 0x80000001, 0x40, "bsr eax, ecx", 31, 0x40, 0
    OP "bsr16", 0x110055, 0xffff0010, 0x40, "bsr ax, cx", 0x110004, 0x40, 0
    OP "bsr16 zero", 0x110055, 0xffff0000, 0, "bsr ax, cx", 0x110055, 0x40, 0x40
    OP "movzx byte", 0x11111111, 0xffffff80, 0x8d5, "movzx eax, cl", 0x80, 0x8d5, 0x8d5
    OP "movsx byte", 0x11111111, 0x80, 0, "movsx eax, cl", 0xffffff80, 0x8d5, 0
    OP "movsx16 byte", 0x11111111, 0x80, 0, "movsx ax, cl", 0x1111ff80, 0x8d5, 0
    OP "movsx word", 0, 0x8000, 0, "movsx eax, cx", 0xffff8000, 0x8d5, 0
    OP "xchg ah, cl", 0x1122, 0x33, 0x8d5, "xchg ah, cl", 0x3322, 0x8d5, 0x8d5
    EXPECT "xchg: cl", ecx, 0x11
    ret
    .data
    .align 4
bits: .long 0, 0, 0
