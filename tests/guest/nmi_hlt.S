/* SPDX-License-Identifier: MIT */
/* nmi_hlt.S - NMIs that a timer raises end HLT with IF = 0: through the I/O APIC, through LINT0, from the PIT and the RTC. SDM vol. 2A, HLT; vol. 3A, 6.7 and 10.5.1. */
#include "guest.inc"
#include "irq.inc"
    .text
    .globl test_main
.macro IOAPIC index, value
    mov dword ptr [0xfec00000], \index
    mov dword ptr [0xfec00010], \value
.endm
.macro CMOS index, value
    mov al, \index
    out 0x70, al
    mov al, \value
    out 0x71, al
.endm
.macro PIT mode, count
    mov al, \mode
    out 0x43, al
    mov al, \count & 0xff
    out 0x40, al
    mov al, \count >> 8
    out 0x40, al
.endm
test_main:
    call pic_init
    GATE idt+2*8, SEL_CODE32, "offset h_nmi", 0x8e
    mov dword ptr [0xfee000f0], 0x1ff
    mov dword ptr [0xfee00350], 0x10000
    cli
    /* the PIT by I/O APIC pin 2, which sends an NMI to us */
    mov eax, [0xfee00020]
    mov dword ptr [0xfec00000], 0x15
    mov [0xfec00010], eax
    IOAPIC 0x14, 0x00400
    PIT 0x34, 1193
1:  hlt
    cmp dword ptr [n], 5
    jb 1b
    EXPECT "PIT, I/O APIC: NMIs", "dword ptr [n]", 5
    IOAPIC 0x14, 0x10000
    /* the RTC by pin 8; the handler reads register C, so that the line falls */
    mov eax, [0xfee00020]
    mov dword ptr [0xfec00000], 0x21
    mov [0xfec00010], eax
    IOAPIC 0x20, 0x00400
    mov dword ptr [n], 0
    CMOS 0x0a, 0x26
    CMOS 0x0b, 0x42
    mov al, 0x0c
    out 0x70, al
    in al, 0x71
2:  hlt
    cmp dword ptr [n], 5
    jb 2b
    EXPECT "RTC, I/O APIC: NMIs", "dword ptr [n]", 5
    IOAPIC 0x20, 0x10000
    /* the same by the slave 8259, the master and LINT0; polls acknowledge */
    mov al, 0xfb
    out 0x21, al
    mov al, 0xfe
    out 0xa1, al
    mov dword ptr [n], 0
    mov dword ptr [0xfee00350], 0x00400
    mov al, 0x0c /* the line may have risen before LINT0 listened */
    out 0x70, al
    in al, 0x71
3:  call poll
    hlt
    cmp dword ptr [n], 5
    jb 3b
    EXPECT "RTC, LINT0: NMIs", "dword ptr [n]", 5
    CMOS 0x0b, 0x02
    mov al, 0x0c
    out 0x70, al
    in al, 0x71
    mov al, 0xff
    out 0xa1, al
    call poll
    /* the PIT by LINT0: the 8259's output falls with its input, no acknowledge needed */
    mov al, 0xfe
    out 0x21, al
    PIT 0x36, 1193
    mov dword ptr [n], 0
4:  hlt
    cmp dword ptr [n], 5
    jb 4b
    EXPECT "PIT, LINT0: NMIs", "dword ptr [n]", 5
    mov dword ptr [0xfee00350], 0x10000
    ret
poll: /* takes what the 8259s ask for, and ends it */
    mov al, 0x0c
    out 0xa0, al
    in al, 0xa0
    mov al, 0x0c
    out 0x20, al
    in al, 0x20
    mov al, 0x20
    out 0xa0, al
    out 0x20, al
    ret
h_nmi: /* counts to 5: on a busy host more may come than HLTs wait for */
    push eax
    cmp dword ptr [n], 5
    jae 1f
    inc dword ptr [n]
1:  mov al, 0x0c
    out 0x70, al
    in al, 0x71
    pop eax
    iretd
    .data
    .align 4
n: .long 0
