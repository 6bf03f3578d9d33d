/* SPDX-License-Identifier: MIT */
/* trap_flag.S - Single step: one #DB behind each instruction; REP, MOV SS, POPF, IRET, INT, faults. SDM vol. 3B, 18.3.1.4. */
#include "guest.inc"
    .text
    .globl test_main
test_main:
    GATE idt+8, SEL_CODE32, "offset h_step", 0x8e
    xor eax, eax
    mov dr6, eax
.macro STEP name, count, last, insn:vararg
    mov dword ptr [steps], 0
    pushfd
    or dword ptr [esp], 0x100
    popfd
    .irp one, \insn
    \one
    .endr
    pushfd
    and dword ptr [esp], ~0x100
    popfd
    EXPECT "\name: traps", "dword ptr [steps]", \count
.endm
    /* after popfd sets TF the next instruction runs, then the trap; PUSHFD, AND, POPFD add three: POPFD that clears TF still traps */
    STEP "nop", 4, 0, "nop"
    mov eax, dr6
    and eax, 0xf00f
    EXPECT "DR6.BS", eax, 0x4000
    mov ecx, 5
    mov esi, offset area
    mov edi, offset area + 16
    cld
    STEP "rep movsb 5: after each iteration", 8, 0, "rep movsb"
    mov ecx, 0
    STEP "rep movsb 0", 4, 0, "rep movsb"
    mov ax, ss
    STEP "mov ss: one trap fewer", 4, 0, "mov ss, ax", "nop"
    push ss
    STEP "pop ss: one trap fewer", 4, 0, "pop ss", "nop"
    STEP "mov ds: no shadow", 5, 0, "mov ds, ax", "nop"
    STEP "cli, sti: a trap behind each", 6, 0, "cli", "sti", "cli"
    STEP "jmp", 4, 0, "jmp 1f", "1:"
    STEP "pushfd in the middle", 5, 0, "pushfd", "pop eax"
    EXPECT_FLAGS "TF is off", 0x100, 0
    and eax, 0x100
    EXPECT "pushf shows TF", eax, 0x100
    /* INT clears TF inside: nothing traps in the handler; IRET restores, the trap comes after the instruction behind it */
    GATE idt+0x40*8, SEL_CODE32, "offset h_int", 0x8f
    STEP "int n itself has none", 3, 0, "int 0x40"
    STEP "int n, nop", 4, 0, "int 0x40", "nop"
    GATE idt+6*8, SEL_CODE32, "offset h_ud", 0x8e
    STEP "a fault has no trap of its own", 4, 0, "ud2", "nop"
    /* IRET that sets TF: the instruction at the target runs first */
    mov dword ptr [steps], 0
    push 0x102
    push SEL_CODE32
    push offset 1f
    iretd
1:  nop
2:  push 2
    popfd
    EXPECT "iret sets TF: first trap after the target", "dword ptr [first_eip]", "offset 2b"
    /* the trap's frame: EIP of the next instruction, RF clear, TF set */
    mov dword ptr [steps], 0
    mov dword ptr [first_eip], 0
    pushfd
    or dword ptr [esp], 0x100
    popfd
    jmp 1f
    nop
1:  pushfd
    and dword ptr [esp], ~0x100
    popfd
    EXPECT "EIP of the trap after a jump", "dword ptr [first_eip]", "offset 1b"
    EXPECT "flags of the trap", "dword ptr [first_flags]", 0x102
    /* DR6.BS stays until software clears it. */
    xor eax, eax
    mov dr6, eax
    mov eax, dr6
    EXPECT "DR6 cleared", eax, 0xffff0ff0
    GATE idt+8, SEL_CODE32, "offset h_step", 0x8e
    STEP "popf that keeps TF", 6, 0, "pushfd", "popfd", "nop"
    STEP "hlt-free instructions: cpuid, rdtsc", 5, 0, "cpuid", "rdtsc"
    STEP "in, out", 5, 0, "in al, 0x80", "out 0x80, al"
    STEP "far call and ret", 5, 0, "call 0x08:far_ret"
    ret
far_ret: retf
h_step:
    cmp dword ptr [steps], 0
    jne 1f
    push eax
    mov eax, [esp + 4]
    mov [first_eip], eax
    mov eax, [esp + 12]
    and eax, 0x10102
    mov [first_flags], eax
    pop eax
1:  inc dword ptr [steps]
    iretd
h_int:
    nop
    nop
    iretd
h_ud:
    add dword ptr [esp], 2
    iretd
    .data
    .align 4
steps: .long 0
first_eip: .long 0
first_flags: .long 0
area: .skip 64
