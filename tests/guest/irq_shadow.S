/* SPDX-License-Identifier: MIT */
/* irq_shadow.S - External interrupts: the STI shadow, HLT, POPF, PIC request and in-service, masking, IRQ in REP. SDM vol. 3A, 6.8. */
#include "guest.inc"
#include "irq.inc"
    .text
    .globl test_main
test_main:
    call pic_init
    call irq0_unmask
    mov ecx, 100
    call pit_arm
    call irq0_wait
    EXPECT "requested, IF clear: not taken", "dword ptr [irq0_count]", 0
    sti
    cli
    EXPECT "sti; cli: the shadow covers cli", "dword ptr [irq0_count]", 0
    sti
    nop
sti_after:
    cli
    EXPECT "sti; nop: taken", "dword ptr [irq0_count]", 1
    EXPECT "after the nop", "dword ptr [irq0_eip]", "offset sti_after"
    mov ecx, 100
    call pit_arm
    call irq0_wait
    push 0x202
    popfd
popf_after:
    cli
    EXPECT "popf: no shadow", "dword ptr [irq0_count]", 2
    EXPECT "right behind popf", "dword ptr [irq0_eip]", "offset popf_after"
    mov ecx, 100
    call pit_arm
    call irq0_wait
    push 0x202
    push SEL_CODE32
    push offset iret_target
    iretd
    nop
iret_target:
    cli
    EXPECT "iret: taken at its target", "dword ptr [irq0_eip]", "offset iret_target"
    EXPECT "iret: taken", "dword ptr [irq0_count]", 3
    /* sti; hlt with the request already there, and later */
    mov ecx, 100
    call pit_arm
    call irq0_wait
    sti
    hlt
hlt_after1:
    cli
    EXPECT "sti; hlt, requested before", "dword ptr [irq0_count]", 4
    EXPECT "EIP behind hlt", "dword ptr [irq0_eip]", "offset hlt_after1"
    mov ecx, 20000
    call pit_arm
    sti
    hlt
hlt_after2:
    cli
    EXPECT "sti; hlt wakes after 17 ms", "dword ptr [irq0_count]", 5
    EXPECT "EIP behind hlt 2", "dword ptr [irq0_eip]", "offset hlt_after2"
    /* a busy loop is interrupted */
    mov ecx, 2000
    call pit_arm
    mov eax, [irq0_count]
    mov ecx, 0x7fffffff
    sti
1:  dec ecx
    jz 2f
    cmp eax, [irq0_count]
    je 1b
2:  cli
    EXPECT "busy loop is interrupted", "dword ptr [irq0_count]", 6
    /* a tight jump to itself too: the handler moves the return address */
    GATE idt+0x20*8, SEL_CODE32, "offset skip_handler", 0x8e
    mov ecx, 2000
    call pit_arm
    sti
3:  jmp 3b
    nop
    cli
    EXPECT "jmp to itself is interrupted", "dword ptr [irq0_count]", 7
    GATE idt+0x20*8, SEL_CODE32, "offset irq0_handler", 0x8e
    /* REP is interruptible between two iterations, and goes on */
    mov ecx, 1000
    call pit_arm
    cld
    mov esi, 0x800000
    mov ecx, 400000
    mov dx, 0x80
    sti
    nop
rep_here:
    rep outsb
    cli
    EXPECT "rep outsb: interrupt came", "dword ptr [irq0_count]", 8
    EXPECT "rep outsb: EIP at itself", "dword ptr [irq0_eip]", "offset rep_here"
    EXPECT "rep outsb: esi", esi, 0x861a80
    EXPECT "rep outsb: ecx", ecx, 0
    /* masked: requested, not delivered; unmask delivers */
    mov al, 0xff
    out 0x21, al
    mov ecx, 100
    call pit_arm
    call irq0_wait
    sti
    nop
    nop
    EXPECT "masked", "dword ptr [irq0_count]", 8
    call irq0_unmask
    nop
    nop
    cli
    EXPECT "unmasked", "dword ptr [irq0_count]", 9
    /* mov ss behind sti: the interrupt comes soon after, but where exactly is not checked */
    mov ecx, 100
    call pit_arm
    call irq0_wait
    mov ax, ss
    mov ebx, esp
    sti
    mov ss, ax
    mov esp, ebx
    cli
    EXPECT "sti; mov ss: taken by the second instruction after", "dword ptr [irq0_count]", 10
    /* from CPL 3 */
    mov ecx, 2000
    call pit_arm
    USER u_loop, 0x202
    EXPECT_FAULT "CPL 3 loop ended", 0x30, 0
    EXPECT "interrupt from CPL 3", "dword ptr [irq0_count]", 11
    /* edge: no second interrupt from the same edge; in-service register */
    mov al, 0x0b
    out 0x20, al
    in al, 0x20
    EXPECT16 "nothing in service", al, 0
    sti
    mov ecx, 1000
4:  loop 4b
    cli
    EXPECT "no more", "dword ptr [irq0_count]", 11
    ret
skip_handler:
    add dword ptr [esp], 2
    jmp irq0_handler
    .section .user
u_loop: /* not what it finds: on a slow machine the request may wait at the first instruction */
    cmp dword ptr [irq0_count], 10
    je u_loop
    USER_EXIT
