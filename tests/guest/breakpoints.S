/* SPDX-License-Identifier: MIT */
/* breakpoints.S - DR0 to DR3: instruction, data and I/O breakpoints, RF, DR6 bits, lengths, DR7.GD, DR4 and DR5 with CR4.DE. SDM vol. 3B, chapter 18. */
#include "guest.inc"
    .text
    .globl test_main
test_main:
    GATE idt+8, SEL_CODE32, "offset h_db", 0x8e
    xor eax, eax
    mov dr6, eax
    /* instruction breakpoint: a fault before; the handler must set RF in the frame itself (18.3.1.1) */
    mov eax, offset bp1
    mov dr0, eax
    mov eax, 0x401
    mov dr7, eax
    mov edx, 0
bp1:
    inc edx
    EXPECT "instruction breakpoint: hits", "dword ptr [hits]", 1
    EXPECT "it ran once", edx, 1
    EXPECT "EIP at the instruction", "dword ptr [hit_eip]", "offset bp1"
    EXPECT "RF in the frame", "dword ptr [hit_rf]", 0
    EXPECT "DR6.B0", "dword ptr [hit_dr6]", 1
    mov dword ptr [hits], 0
    mov ecx, 3
    mov eax, offset bp_loop
    mov dr1, eax
    mov eax, 0x40c /* L1, G1 */
    mov dr7, eax
bp_loop:
    dec ecx
    jnz bp_loop
    EXPECT "each pass of a loop hits", "dword ptr [hits]", 3
    EXPECT "DR6.B1", "dword ptr [hit_dr6]", 2
    /* data writes: a trap behind the instruction */
    mov dword ptr [hits], 0
    mov eax, offset word_a
    mov dr2, eax
    mov eax, 0x0d000410 /* L2, write, 4 bytes */
    mov dr7, eax
    mov dword ptr [word_a], 1
bp_after:
    EXPECT "data write: hits", "dword ptr [hits]", 1
    EXPECT "EIP behind the instruction", "dword ptr [hit_eip]", "offset bp_after"
    EXPECT "DR6.B2", "dword ptr [hit_dr6]", 4
    mov eax, [word_a]
    EXPECT "a read does not hit", "dword ptr [hits]", 1
    mov byte ptr [word_a + 3], 1
    EXPECT "last byte of four", "dword ptr [hits]", 2
    mov byte ptr [word_a + 4], 1
    EXPECT "beyond", "dword ptr [hits]", 2
    mov dword ptr [word_a - 3], 1
    EXPECT "overlap from below", "dword ptr [hits]", 3
    mov byte ptr [word_a - 1], 1
    EXPECT "below", "dword ptr [hits]", 3
    inc dword ptr [word_a]
    EXPECT "read-modify-write", "dword ptr [hits]", 4
    mov edi, offset word_a - 4
    mov ecx, 12
    mov al, 0
    cld
    rep stosb
    EXPECT "rep stosb", "dword ptr [hits]", 8
    push dword ptr [word_a]
    EXPECT "push reads", "dword ptr [hits]", 8
    pop dword ptr [word_a]
    EXPECT "pop writes", "dword ptr [hits]", 9
    /* read or write, one byte */
    mov dword ptr [hits], 0
    mov eax, 0x03000410
    mov dr7, eax
    mov al, [word_a]
    EXPECT "read", "dword ptr [hits]", 1
    mov al, [word_a + 1]
    EXPECT "other byte", "dword ptr [hits]", 1
    mov eax, [word_a - 1]
    EXPECT "dword over it", "dword ptr [hits]", 2
    /* disabled: no trap, though DR6 may say so */
    mov eax, 0x03000400
    mov dr7, eax
    mov al, [word_a]
    EXPECT "disabled", "dword ptr [hits]", 2
    /* I/O breakpoint needs CR4.DE */
    mov eax, cr4
    or eax, 8
    mov cr4, eax
    mov eax, 0x80
    mov dr3, eax
    mov eax, 0x20000440
    mov dr7, eax
    mov dword ptr [hits], 0
    out 0x80, al
bp_io:
    EXPECT "out", "dword ptr [hits]", 1
    EXPECT "out: EIP behind", "dword ptr [hit_eip]", "offset bp_io"
    EXPECT "DR6.B3", "dword ptr [hit_dr6]", 8
    in al, 0x80
    EXPECT "in", "dword ptr [hits]", 2
    in al, 0x81
    EXPECT "other port", "dword ptr [hits]", 2
    /* DR4, DR5 */
    FAULT "mov dr4 with DE", 6, 0, .byte 0x0f, 0x23, 0xe0
    FAULT "mov from dr5 with DE", 6, 0, .byte 0x0f, 0x21, 0xe8
    mov eax, cr4
    and eax, ~8
    mov cr4, eax
    mov eax, 0x400
    mov dr7, eax
    .byte 0x0f, 0x21, 0xe9 /* mov ecx, dr5 */
    EXPECT "dr5 is dr7 without DE", ecx, 0x400
    mov eax, dr7
    EXPECT "DR7 at rest", eax, 0x400
    /* GD: any access faults; DR6.BD; the handler runs with GD clear */
    xor eax, eax
    mov dr6, eax
    mov dword ptr [hits], 0
    mov eax, 0x2400
    mov dr7, eax
bp_gd:
    mov ebx, dr0
    EXPECT "GD: hits", "dword ptr [hits]", 1
    EXPECT "GD: EIP at the instruction", "dword ptr [hit_eip]", "offset bp_gd"
    EXPECT "GD: DR6.BD", "dword ptr [hit_dr6]", 0x2000
    EXPECT "GD: clear inside", "dword ptr [hit_dr7]", 0x400
    USER u_dr
    EXPECT_FAULT "mov from dr0 at CPL 3", 13, 0
    /* RF set by IRET suppresses one instruction breakpoint. */
    mov eax, offset bp_rf
    mov dr0, eax
    mov eax, 0x402
    mov dr7, eax
    mov dword ptr [hits], 0
    push 0x10002
    push SEL_CODE32
    push offset bp_rf
    iretd
bp_rf:
    nop
    EXPECT "RF: no hit", "dword ptr [hits]", 0
    mov eax, 0x400
    mov dr7, eax
    ret
h_db:
    push eax
    mov eax, dr6
    and eax, 0xf00f
    mov [hit_dr6], eax
    xor eax, eax
    mov dr6, eax
    mov eax, dr7
    mov [hit_dr7], eax
    mov eax, [esp + 4]
    mov [hit_eip], eax
    mov eax, [esp + 12]
    and eax, 0x10000
    mov [hit_rf], eax
    or dword ptr [esp + 12], 0x10000
    inc dword ptr [hits]
    pop eax
    iretd
    .data
    .align 4
hits: .long 0
hit_eip: .long 0
hit_rf: .long 0
hit_dr6: .long 0
hit_dr7: .long 0
    .long 0
word_a: .long 0, 0, 0
    .section .user
u_dr: mov eax, dr0
