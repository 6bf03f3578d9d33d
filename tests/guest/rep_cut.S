/* SPDX-License-Identifier: MIT */
/* rep_cut.S - Repeated strings that an engine interrupts: longer than it does at once, and over code that it had decoded. The
 * registers and flags are those of the whole instruction. SDM vol. 2B, REP ("Operation"); vol. 3A, section 8.1.3. */
#include "guest.inc"
    .text
    .globl test_main
test_main:
    /* DF = 1: element by element, and more than translated code does at once. All but one compare as the repetition wants it. */
    mov edi, offset field
    mov ecx, 0x14000
    xor eax, eax
    cld
    rep stosb
    mov byte ptr [field], 7
    mov ebp, 20
1:  std
    mov al, 7
    mov edi, offset field+0x13fff
    mov ecx, 0x14000
    SET_FLAGS 0x401
    repne scasb
    mov edx, ecx
    SET_FLAGS 0x8d7+0x400
    mov esi, offset field+0x2ffe
    mov edi, offset field+0x2ffc
    mov ecx, 0x17fe
    repe cmpsw
    pushfd
    pop ebx
    cld
    dec ebp
    jnz 1b
    EXPECT "repne scasb: ecx", edx, 0
    EXPECT "repe cmpsw: ecx", ecx, 0
    EXPECT "repe cmpsw: esi", esi, "offset field+2"
    and ebx, FLAGS_ARITH
    EXPECT "repe cmpsw: flags", ebx, 0x44
    /* Over pieces of code that have run, in the middle of a stretch of instructions; twice, so that what overwrites has
     * been decoded as one piece. */
    mov ebp, 40
2:  mov edi, offset pieces
    mov ecx, 24
    call make_pieces
    mov edi, offset pieces
    mov ecx, 24
3:  call edi
    call edi
    call edi
    add edi, 32
    loop 3b
    call overwrite
    dec ebp
    jnz 2b
    EXPECT "pieces that ran", eax, 40*24*3
    EXPECT "overwritten", ebx, 40
    EXPECT "behind rep stosb", edx, "offset pieces+24*32"
    EXPECT "rep movsd over code", "dword ptr [pieces+23*32]", 0
    ret

make_pieces: /* inc eax; ret at edi, 32 bytes apart; ebp 40: the counters begin */
    cmp ebp, 40
    jne 1f
    xor eax, eax
    xor ebx, ebx
1:  mov word ptr [edi], 0xc340
    add edi, 32
    loop 1b
    ret

overwrite:
    mov esi, eax
    mov edi, offset pieces
    mov ecx, 12*32
    mov al, 0xcc
    rep stosb
    xchg esi, eax
    mov esi, offset field+0x1000
    mov ecx, 12*8
    rep movsd
    inc ebx
    mov edx, edi
    nop
    ret

    .bss
    .align 4096
field: .skip 0x14000
pieces: .skip 4096
