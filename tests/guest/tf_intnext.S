/* SPDX-License-Identifier: MIT */
/* tf_intnext.S - INT n, INT3, INTO under TF whose gate leads to the next instruction: the transfer clears TF, so no single-step trap comes. SDM vol. 3A, 6.12.1.3; vol. 3B, 18.3.1.4. */
#include "guest.inc"
    .text
    .globl test_main
test_main:
    GATE idt+8, SEL_CODE32, "offset h_db", 0x8e
    xor eax, eax
    mov dr6, eax
.macro NEXT name, gate, insn:vararg
    GATE idt+\gate*8, SEL_CODE32, "offset 71f", 0x8f
    mov dword ptr [traps], 0
    mov dword ptr [first], 0
    mov [saved], esp
    push 0x902
    push SEL_CODE32
    push offset 70f
    iretd
70: \insn
71: mov esp, [saved] /* the handler */
    EXPECT "\name: traps", "dword ptr [traps]", 0
    EXPECT "\name: first trap at", "dword ptr [first]", 0
.endm
    NEXT "int 40 to the next instruction", 0x40, int 0x40
    NEXT "int3 to the next instruction", 3, int3
    NEXT "into to the next instruction", 4, into
    NEXT "cd 03 to the next instruction", 3, .byte 0xcd, 3
    /* INTO without OF delivers nothing and traps like any instruction */
    GATE idt+4*8, SEL_CODE32, "offset 1f", 0x8f
    mov dword ptr [traps], 0
    mov dword ptr [first], 0
    push 0x102
    push SEL_CODE32
    push offset 2f
    iretd
2:  into
1:  nop
    EXPECT "into without OF: traps", "dword ptr [traps]", 1
    EXPECT "into without OF: trap at", "dword ptr [first]", "offset 1b"
    ret
h_db: /* notes where the first trap came, and turns TF off */
    cmp dword ptr [traps], 0
    jne 1f
    push eax
    mov eax, [esp + 4]
    mov [first], eax
    pop eax
1:  inc dword ptr [traps]
    and dword ptr [esp + 8], ~0x100
    push eax
    xor eax, eax
    mov dr6, eax
    pop eax
    iretd
    .data
    .align 4
traps: .long 0
first: .long 0
saved: .long 0
