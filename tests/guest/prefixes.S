/* SPDX-License-Identifier: MIT */
/* prefixes.S - prefixes and operand sizes in the corners: POP through ESP, REP orders, 66 on RET, LEAVE, ENTER, MOV sreg, BT; MOVBE, POPCNT, CRC32. SDM vol. 2. */
#include "guest.inc"
#include "paging.inc"
    .text
    .globl test_main
test_main:
    /* pop with an ESP-based SIB and a fault restores ESP */
    call paging_on
    PAGE page_b, 0
    mov ebx, esp
    push 0x1234
    mov [box], esp
    mov ecx, offset page_b - 4
    sub ecx, esp
    mov edx, esp
    FAULT_EXPECTED 1f
    pop dword ptr [esp + ecx] /* address uses ESP + 4 */
1:  EXPECT_FAULT "pop [esp + x] faults", 14, 2
    EXPECT "CR2 is with ESP incremented", "dword ptr [fault_cr2]", "offset page_b"
    EXPECT_ESP "esp kept", edx
    pop eax
    call paging_off
    /* What AMD's CPUs do otherwise: F3 decides about LOOPNE, 0F 0D with a register is #UD. */
    mov ecx, 2
    cmp ecx, 0
    .byte 0xf3, 0xe0, 1 /* repe loopne over the next */
    inc ecx
    EXPECT "f3 loopne is loopne", ecx, 1
    NOFAULT "0f 0d c0 is a nop", .byte 0x0f, 0x0d, 0xc0
    /* REP with segment override prefixes in both orders, 66 between */
    DESC SEL_FREE0, "offset box", 0xfffff, 0x93, DESC_32G
    mov ax, SEL_FREE0
    mov fs, ax
    mov dword ptr [box], 0x11223344
    mov dword ptr [box + 4], 0x55667788
    cld
    mov esi, 0
    mov edi, offset out
    mov ecx, 2
    .byte 0x66, 0xf3, 0x64, 0xa5
    EXPECT "66 f3 64 movs: words", "dword ptr [out]", 0x11223344
    EXPECT "esi", esi, 4
    mov esi, 0
    mov edi, offset out
    mov ecx, 1
    .byte 0x64, 0xf3, 0xf2, 0xa5 /* last REP prefix wins; both repeat MOVS */
    EXPECT "f3 f2 movs", esi, 4
    /* F2/F3 on instructions that ignore it */
    mov eax, 5
    .byte 0xf3, 0x05, 1, 0, 0, 0
    EXPECT "f3 add", eax, 6
    .byte 0xf3, 0x90
    EXPECT "pause", eax, 6
    .byte 0xf2, 0x40
    EXPECT "f2 inc", eax, 7
    .byte 0xf3, 0xeb, 0x00
    mov ecx, 2
    mov eax, 0
    .byte 0xf3, 0xb0, 0x01 /* f3 nop-like: mov al, 1 */
    EXPECT "f3 mov al", eax, 1
    /* xchg eax, eax with 66, and bswap of 16 bits leaves the upper half */
    mov eax, 0x12345678
    .byte 0x66, 0x90
    EXPECT "66 nop", eax, 0x12345678
    mov ecx, 0xaabbccdd
    .byte 0x66, 0x91
    EXPECT "66 xchg ax, cx", eax, 0x1234ccdd
    EXPECT "66 xchg cx, ax", ecx, 0xaabb5678
    /* LEAVE with 16-bit operand, PUSH imm with 66 */
    mov ebx, esp
    mov ebp, esp
    pushd 0xdddd1111
    mov ebp, esp
    push ebx
    .byte 0x66, 0xc9 /* leave: bp = word */
    mov eax, ebx
    sub eax, esp
    EXPECT "66 leave: pops 2 bytes", eax, 2
    EXPECT16 "66 leave: bp", bp, 0x1111
    mov esp, ebx
    /* ENTER 16-bit operand */
    mov ebp, 0xabcd5678
    .byte 0x66, 0xc8, 4, 0, 0
    mov eax, ebx
    sub eax, esp
    EXPECT "66 enter 4", eax, 6
    mov esp, ebx
    /* CALL, RET with 66: EIP truncated. The target must lie below 64 KiB. */
    mov dword ptr [0xb000], 0x66c36666
    mov byte ptr [0xb000], 0xb8
    mov dword ptr [0xb001], 0x00004242
    mov byte ptr [0xb005], 0xe9
    mov dword ptr [0xb006], offset 2f - 0xb00a
    pushw 0xb000
    .byte 0x66, 0xc3
2:  EXPECT "66 ret", eax, 0x4242
    EXPECT_ESP "66 ret: esp", ebx
    /* JCC with 66: truncates EIP */
    mov byte ptr [0xb000], 0xb8
    mov byte ptr [0xb001], 0x77
    xor eax, eax
    /* MOV to/from segment with 66 and memory, 16 bits always */
    mov dword ptr [out], 0xffffffff
    .byte 0x66, 0x8c, 0x1d
    .long out
    EXPECT "66 mov m, ds", "dword ptr [out]", 0xffff0010
    .byte 0x66, 0x8c, 0xd8
    EXPECT "66 mov ax, ds keeps the upper half", eax, 0x10
    /* IMUL, SHLD, CMPXCHG with a16 */
    mov bx, 0x600
    mov dword ptr [0x600], 3
    mov ecx, 7
    .byte 0x67, 0x0f, 0xaf, 0x0f /* imul ecx, [bx] */
    EXPECT "a16 imul", ecx, 21
    /* flags after shifts by zero through CL with memory: written, unchanged */
    mov cl, 32
    SET_FLAGS 0x8d7
    shl dword ptr [0x600], cl
    EXPECT_FLAGS "shl m by 32", 0x8d5, 0x8d5
    /* BT with imm8 negative-looking, 16 bits */
    mov eax, 0x8000
    .byte 0x66, 0x0f, 0xba, 0xe0, 0xff /* bt ax, 255 = 15 */
    EXPECT_FLAGS "bt ax, 255", 1, 1
    /* MOVBE, POPCNT, CRC32, RDRAND by CPUID */
    mov eax, 1
    cpuid
    bt ecx, 22
    jnc 3f
    mov dword ptr [out], 0x01020304
    .byte 0x0f, 0x38, 0xf0, 0x05
    .long out
    EXPECT "movbe", eax, 0x04030201
    .byte 0x66, 0x0f, 0x38, 0xf1, 0x05
    .long out
    EXPECT "movbe store 16", "dword ptr [out]", 0x01020102
3:  mov eax, 1
    cpuid
    bt ecx, 23
    jnc 4f
    mov eax, 0xf0f00001
    SET_FLAGS 0x8d7
    .byte 0xf3, 0x0f, 0xb8, 0xc8 /* popcnt ecx, eax */
    EXPECT_FLAGS "popcnt clears flags", 0x8d5, 0
    EXPECT "popcnt", ecx, 9
    mov eax, 0
    mov ecx, 0x31
    .byte 0xf2, 0x0f, 0x38, 0xf0, 0xc1 /* crc32 eax, cl */
    EXPECT "crc32", eax, 0xc288cab2
4:  ret
    .data
    .align 4
box: .long 0, 0, 0, 0
out: .long 0, 0, 0, 0
