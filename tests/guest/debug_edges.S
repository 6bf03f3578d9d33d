/* SPDX-License-Identifier: MIT */
/* debug_edges.S - Debug traps together and delayed: TF with a data breakpoint, MOV SS, two breakpoints at once, LEN and alignment, G and L bits, DR6 sticky, DR7 reserved bits, breakpoint in a fault's pushes. SDM vol. 3B, chapter 18. */
#include "guest.inc"
    .text
    .globl test_main
test_main:
    GATE idt+8, SEL_CODE32, "offset h_db", 0x8e
    xor eax, eax
    mov dr6, eax
    mov dr7, eax
    mov eax, dr7
    EXPECT "DR7 bit 10 reads as one", eax, 0x400
    mov eax, 0xffff0000
    mov dr7, eax
    mov eax, dr7
    EXPECT "DR7: conditions and lengths read back", eax, 0xffff0400
    xor eax, eax
    mov dr7, eax
    mov eax, 0xffffffff
    mov dr6, eax
    mov eax, dr6
    and eax, 0x00001000
    EXPECT "DR6 bit 12 reads as zero", eax, 0
    xor eax, eax
    mov dr6, eax
    /* TF and a data write: one #DB with both bits */
    mov eax, offset word_a
    mov dr0, eax
    mov dr1, eax
    mov eax, 0x000d0401
    mov dr7, eax
    pushfd
    or dword ptr [esp], 0x100
    popfd
    mov dword ptr [word_a], 1
after1:
    pushfd
    and dword ptr [esp], ~0x100
    popfd
    EXPECT "BS and B0 in one trap", "dword ptr [first_dr6]", 0x4001
    EXPECT "its EIP", "dword ptr [first_eip]", "offset after1"
    /* two breakpoints on one address: both bits */
    mov eax, 0x00dd0405
    mov dr7, eax
    mov dword ptr [hits], 0
    mov dword ptr [word_a], 2
    EXPECT "one trap", "dword ptr [hits]", 1
    EXPECT "B0 and B1", "dword ptr [first_dr6]", 3
    /* a data breakpoint hit by MOV SS's own load is delayed to behind the next instruction */
    mov eax, 0x000f0401
    mov dr7, eax
    mov word ptr [word_a], SEL_DATA32
    mov dword ptr [hits], 0
    mov ss, [word_a]
    mov edx, [word_b]
after2:
    EXPECT "mov ss, mem: one trap", "dword ptr [hits]", 1
    EXPECT "behind the next instruction", "dword ptr [last_eip]", "offset after2"
    /* LEN 2 ignores address bit 0 */
    xor eax, eax
    mov dr7, eax
    mov eax, offset word_a + 1
    mov dr0, eax
    mov eax, 0x00070401
    mov dr7, eax
    mov dword ptr [hits], 0
    mov al, [word_a]
    EXPECT "LEN 2: address aligned down", "dword ptr [hits]", 1
    mov al, [word_a + 2]
    EXPECT "LEN 2: not above", "dword ptr [hits]", 1
    /* pushes of a fault hit a breakpoint on the stack: trap in the handler's first instruction */
    xor eax, eax
    mov dr7, eax
    GATE idt+6*8, SEL_CODE32, "offset h_ud", 0x8e
    lea eax, [esp - 8] /* CS; the handler writes EIP itself */
    mov dr0, eax
    mov eax, 0x000d0401
    mov dr7, eax
    mov dword ptr [hits], 0
    ud2
    xor eax, eax
    mov dr7, eax
    EXPECT "a fault's pushes hit", "dword ptr [hits]", 1
    /* LOOP, REP SCAS with instruction breakpoint on the REP itself: once per execution, RF keeps it quiet */
    mov eax, offset rep_at
    mov dr0, eax
    mov eax, 0x401
    mov dr7, eax
    mov dword ptr [hits], 0
    mov edi, offset word_a
    mov ecx, 3
    cld
    mov al, 0
rep_at:
    rep stosb
    EXPECT "breakpoint at REP: once", "dword ptr [hits]", 1
    xor eax, eax
    mov dr7, eax
    EXPECT "REP ran", ecx, 0
    /* bits stay until cleared */
    mov eax, 0x2000 /* bits 0 to 3 may be cleared, the others not */
    mov dr6, eax
    mov dword ptr [hits], 0
    pushfd
    or dword ptr [esp], 0x100
    popfd
    nop
    pushfd
    and dword ptr [esp], ~0x100
    popfd
    mov eax, [last_dr6]
    EXPECT "old bits are not cleared", eax, 0x6000
    ret
h_ud:
    add dword ptr [esp], 2
    iretd
h_db:
    push eax
    mov eax, dr6
    and eax, 0xf00f
    cmp dword ptr [hits], 0
    jne 1f
    mov [first_dr6], eax
    mov [last_dr6], eax
    mov eax, [esp + 4]
    mov [first_eip], eax
1:  mov eax, [esp + 4]
    mov [last_eip], eax
    cmp dword ptr [keep], 0
    jne 2f
    push eax
    xor eax, eax
    mov dr6, eax
    pop eax
2:  or dword ptr [esp + 12], 0x10000
    inc dword ptr [hits]
    pop eax
    iretd
    .data
    .align 8
hits: .long 0
keep: .long 0
first_dr6: .long 0
last_dr6: .long 0
first_eip: .long 0
last_eip: .long 0
word_a: .long 0
word_b: .long 0
