/* SPDX-License-Identifier: MIT */
/* arith_flags.S - ADD ADC SUB SBB CMP NEG INC DEC and logic at their edges, all sizes. SDM vol. 1, 7.3.2; vol. 2. */
#include "guest.inc"
    .text
    .globl test_main
test_main:
    OP "add8 80+80", 0x11223380, 0x80, 0, "add al, cl", 0x11223300, 0x8d5, 0x845
    OP "add8 0f+01", 0x0f, 1, 0, "add al, cl", 0x10, 0x8d5, 0x010
    OP "add16 ffff+1 keeps the upper half", 0x1234ffff, 1, 0, "add ax, cx", 0x12340000, 0x8d5, 0x055
    OP "add32 7fffffff+7fffffff", 0x7fffffff, 0x7fffffff, 0, "add eax, ecx", 0xfffffffe, 0x8d5, 0x890
    OP "adc8 ff+ff+1", 0xff, 0xff, 1, "adc al, cl", 0xff, 0x8d5, 0x095
    OP "adc8 0+ff+1", 0, 0xff, 1, "adc al, cl", 0, 0x8d5, 0x055
    OP "adc16 7fff+0+1", 0x7fff, 0, 1, "adc ax, cx", 0x8000, 0x8d5, 0x894
    OP "adc32 ffffffff+ffffffff+1", 0xffffffff, 0xffffffff, 1, "adc eax, ecx", 0xffffffff, 0x8d5, 0x095
    OP "adc32 80000000+7fffffff+1", 0x80000000, 0x7fffffff, 1, "adc eax, ecx", 0, 0x8d5, 0x055
    OP "sub8 80-1", 0x80, 1, 0, "sub al, cl", 0x7f, 0x8d5, 0x810
    OP "sub16 0-1", 0, 1, 0, "sub ax, cx", 0xffff, 0x8d5, 0x095
    OP "sub32 80000000-ffffffff", 0x80000000, 0xffffffff, 0, "sub eax, ecx", 0x80000001, 0x8d5, 0x091
    OP "sub32 equal", 5, 5, 0x8d5, "sub eax, ecx", 0, 0x8d5, 0x044
    OP "sbb8 0-ff-1", 0, 0xff, 1, "sbb al, cl", 0, 0x8d5, 0x055
    OP "sbb16 8000-7fff-1", 0x8000, 0x7fff, 1, "sbb ax, cx", 0, 0x8d5, 0x854
    OP "sbb32 0-7fffffff-1", 0, 0x7fffffff, 1, "sbb eax, ecx", 0x80000000, 0x8d5, 0x095
    OP "cmp32 1 with 80000000", 1, 0x80000000, 0, "cmp eax, ecx", 1, 0x8d5, 0x881
    OP "neg8 80", 0x80, 0, 0, "neg al", 0x80, 0x8d5, 0x881
    OP "neg16 0", 0, 0, 0x8d5, "neg ax", 0, 0x8d5, 0x044
    OP "neg32 1", 1, 0, 0, "neg eax", 0xffffffff, 0x8d5, 0x095
    OP "inc8 7f keeps CF", 0x7f, 0, 1, "inc al", 0x80, 0x8d5, 0x891
    OP "inc16 ffff", 0xffff, 0, 0, "inc ax", 0, 0x8d5, 0x054
    OP "dec8 80", 0x80, 0, 1, "dec al", 0x7f, 0x8d5, 0x811
    OP "dec32 0", 0, 0, 0, "dec eax", 0xffffffff, 0x8d5, 0x094
    OP "and clears CF and OF", 0xf0f0, 0xff00, 0x8d5, "and eax, ecx", 0xf000, 0x8c5, 0x004
    OP "and8 sign", 0x80, 0xff, 0, "and al, cl", 0x80, 0x8c5, 0x080
    OP "or zero", 0, 0, 0x8d5, "or eax, ecx", 0, 0x8c5, 0x044
    OP "xor16", 0x10001, 0x8001, 0x801, "xor ax, cx", 0x18000, 0x8c5, 0x084
    OP "test8", 0xff03, 0x03, 0x801, "test al, cl", 0xff03, 0x8c5, 0x004
    OP "not changes no flag", 0x55, 0, 0x8d5, "not eax", 0xffffffaa, 0x8d5, 0x8d5
    OP "83 /0 sign-extends", 0, 0, 0, "add eax, -1", 0xffffffff, 0x8d5, 0x084
    OP "66 83 /5 sign-extends", 0, 0, 0, "sub ax, -128", 0x80, 0x8d5, 0x001
    OP "lahf", 0, 0, 0x8d5, "lahf", 0xd700, 0x8d5, 0x8d5
    OP "sahf leaves OF", 0, 0, 0x8d5, "sahf", 0, 0x8d5, 0x800
    OP "sahf sets five", 0xff00, 0, 0, "sahf", 0xff00, 0x8d7, 0x0d7
    OP "salc with CF", 0x12345600, 0, 1, ".byte 0xd6", 0x123456ff, 1, 1
    OP "salc without CF", 0x123456aa, 0, 0, ".byte 0xd6", 0x12345600, 1, 0
    OP "cmc", 0, 0, 0x8d4, "cmc", 0, 0x8d5, 0x8d5
    OP "cwde", 0x8000, 0, 0x8d5, "cwde", 0xffff8000, 0x8d5, 0x8d5
    OP "cbw", 0x12345680, 0, 0, "cbw", 0x1234ff80, 0x8d5, 0
    mov edx, 0x11111111
    OP "cwd", 0x8000, 0, 0, "cwd", 0x8000, 0x8d5, 0
    EXPECT "cwd edx", edx, 0x1111ffff
    OP "cdq", 0x7fffffff, 0, 0, "cdq", 0x7fffffff, 0x8d5, 0
    EXPECT "cdq edx", edx, 0
    mov dword ptr [word_a], 0xfffffffe
    OP "add to memory", 3, 0, 0, "add [word_a], eax", 3, 0x8d5, 0x011
    EXPECT "add to memory: result", "dword ptr [word_a]", 1
    OP "add from memory", 3, 0, 0, "add eax, [word_a]", 4, 0x8d5, 0
    OP "inc byte in memory", 0, 0, 0, "inc byte ptr [word_a + 1]", 0, 0x8d5, 0
    EXPECT "inc byte: neighbours kept", "dword ptr [word_a]", 0x101
    /* SETcc, CMOVcc, Jcc agree on all sixteen conditions for all combinations of five flags. */
    xor ebx, ebx
    xor edi, edi
1:  mov eax, ebx
    mov ecx, eax
    and eax, 1
    mov edx, ecx
    and edx, 2
    shl edx, 1
    or eax, edx
    mov edx, ecx
    and edx, 0xc
    shl edx, 4
    or eax, edx
    mov edx, ecx
    and edx, 0x10
    shl edx, 7
    or eax, edx
    mov esi, eax /* flags CF PF ZF SF OF */
    push esi
    popfd
    xor ecx, ecx
.macro COND cc, n
    push esi
    popfd
    set\cc al
    movzx eax, al
    shl eax, \n
    or ecx, eax
    mov edx, 0
    mov eax, 1 << \n
    push esi
    popfd
    cmov\cc edx, eax
    xor ecx, edx
    push esi
    popfd
    j\cc 2f
    mov eax, 0
2:  or ecx, eax
    push esi
    popfd
    j\cc 3f
    and ecx, ~(1 << \n)
3:
.endm
    COND o, 0
    COND no, 1
    COND b, 2
    COND ae, 3
    COND e, 4
    COND ne, 5
    COND be, 6
    COND a, 7
    COND s, 8
    COND ns, 9
    COND p, 10
    COND np, 11
    COND l, 12
    COND ge, 13
    COND le, 14
    COND g, 15
    rol edi, 3
    xor edi, ecx
    mov eax, ecx
    shr eax, 1
    xor eax, ecx
    and eax, 0x5555
    cmp eax, 0x5555 /* one of each pair */
    jne 4f
    inc dword ptr [pairs]
4:  inc ebx
    cmp ebx, 32
    jb 1b
    EXPECT "each condition is the opposite of its neighbour", "dword ptr [pairs]", 32
    SET_FLAGS 0x883
    xor eax, eax
    setl al
    EXPECT "SF=OF: not less", eax, 0
    SET_FLAGS 0x803
    setl al
    EXPECT "OF only: less", eax, 1
    SET_FLAGS 0x42
    setbe al
    EXPECT "ZF: below or equal", eax, 1
    ret
    .data
word_a: .long 0
pairs: .long 0
