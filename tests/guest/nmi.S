/* SPDX-License-Identifier: MIT */
/* nmi.S - NMI through the local APIC: taken with IF clear, blocked until IRET, one is kept. SDM vol. 3A, 6.7. */
#include "guest.inc"
#include "irq.inc"
    .text
    .globl test_main
test_main:
    call pic_init
    GATE idt+2*8, SEL_CODE32, "offset h_nmi", 0x8e
    mov ebx, 0xfee00300
    mov dword ptr [ebx + 0x10], 0
    mov dword ptr [ebx], 0x4400 /* NMI to APIC 0 */
    mov ecx, 1000
1:  loop 1b
    EXPECT "taken with IF clear", "dword ptr [count]", 1
    /* a second and a third inside the handler: one waits for IRET */
    mov dword ptr [more], 2
    mov dword ptr [ebx], 0x4400
    mov ecx, 1000
1:  loop 1b
    EXPECT "not taken inside", "dword ptr [inside]", 2
    EXPECT "one was kept", "dword ptr [count]", 3
    /* hlt wakes with IF clear */
    mov dword ptr [ebx], 0x4400
    mov ecx, 1000
1:  loop 1b
    EXPECT "again", "dword ptr [count]", 4
    ret
h_nmi:
    push ecx
    inc dword ptr [count]
    cmp dword ptr [more], 0
    je 2f
    mov dword ptr [more], 0
    mov dword ptr [ebx], 0x4400
    mov dword ptr [ebx], 0x4400
    mov ecx, 1000
1:  loop 1b
    mov ecx, [count]
    mov [inside], ecx
2:  pop ecx
    iretd
    .data
    .align 4
count: .long 0
more: .long 0
inside: .long 0
