/* SPDX-License-Identifier: MIT */
/* pic_pit.S - board registers: PIC masks, in-service, EOI; PIT channel 2 gate, latch, read-back, mode 2; RTC, PCI mechanism 1. */
#include "guest.inc"
#include "irq.inc"
    .text
    .globl test_main
test_main:
    call pic_init
    in al, 0x21
    EXPECT16 "mask reads back", al, 0xff
    mov al, 0x55
    out 0xa1, al
    in al, 0xa1
    EXPECT16 "slave's mask", al, 0x55
    mov al, 0xff
    out 0xa1, al
    /* channel 2, mode 0, gate by port 61h */
    in al, 0x61
    and al, 0xfc
    out 0x61, al
    mov al, 0xb0
    out 0x43, al
    mov al, 0
    out 0x42, al
    mov al, 4
    out 0x42, al
    in al, 0x61
    and eax, 0x20
    EXPECT "OUT2 low after the mode word", eax, 0
    in al, 0x61
    or al, 1
    out 0x61, al
    mov ecx, 10000000
1:  in al, 0x61
    test al, 0x20
    jnz 2f
    loop 1b
2:  and eax, 0x20
    EXPECT "OUT2 high after 1024 ticks", eax, 0x20
    /* latch: two reads give one value; it decreases */
    mov al, 0x34
    out 0x43, al
    xor al, al
    out 0x40, al
    out 0x40, al
    mov ecx, 1000
1:  loop 1b
    xor eax, eax
    out 0x43, al
    in al, 0x40
    mov bl, al
    in al, 0x40
    mov bh, al
    mov ecx, 100000
1:  loop 1b
    xor eax, eax
    out 0x43, al
    in al, 0x40
    mov dl, al
    in al, 0x40
    mov dh, al
    cmp dx, bx
    setne al
    movzx eax, al
    EXPECT "channel 0 counts", eax, 1
    mov al, 0xe2 /* read-back: status of channel 0 */
    out 0x43, al
    in al, 0x40
    and eax, 0x7f
    and eax, 0x3f
    EXPECT "status: mode 2, both bytes", eax, 0x34
    /* periodic interrupts: mode 2 with 1000 ticks */
    mov al, 0x34
    out 0x43, al
    mov al, 0xe8
    out 0x40, al
    mov al, 3
    out 0x40, al
    call irq0_unmask
    mov dword ptr [irq0_count], 0
    mov ecx, 10
    sti
1:  hlt
    loop 1b
    cli
    mov eax, [irq0_count]
    cmp eax, 10
    setae al
    movzx eax, al
    EXPECT "ten periods", eax, 1
    mov al, 0xff
    out 0x21, al
    mov ecx, 50
    call pit_arm
    /* in service: a lower priority waits; EOI frees it */
    GATE idt+0x20*8, SEL_CODE32, "offset h_no_eoi", 0x8e
    mov dword ptr [irq0_count], 0
    call irq0_unmask
    mov ecx, 50
    call pit_arm
    call irq0_wait
    sti
    nop
    cli
    mov al, 0x0b
    out 0x20, al
    in al, 0x20
    EXPECT16 "in service without EOI", al, 1
    mov ecx, 50
    call pit_arm
    call irq0_wait
    mov al, 0x0a
    out 0x20, al
    in al, 0x20
    and al, 1
    EXPECT16 "requested while in service", al, 1
    sti
    nop
    nop
    cli
    EXPECT "the same level waits for the EOI", "dword ptr [irq0_count]", 1
    mov al, 0x20
    out 0x20, al
    sti
    nop
    nop
    cli
    EXPECT "after EOI", "dword ptr [irq0_count]", 2
    mov al, 0x60 /* specific EOI 0 */
    out 0x20, al
    mov al, 0x0b
    out 0x20, al
    in al, 0x20
    EXPECT16 "specific EOI", al, 0
    /* RTC: a register's index, BCD, and NMI mask bit in port 70h ignored for reads */
    mov al, 0x0d
    out 0x70, al
    in al, 0x71
    and eax, 0x80
    EXPECT "RTC: battery is good", eax, 0x80
    /* port 80h and an empty port */
    mov dx, 0x1234
    in eax, dx
    EXPECT "empty port", eax, 0xffffffff
    /* PCI configuration mechanism 1 */
    mov dx, 0xcf8
    mov eax, 0x80000000
    out dx, eax
    in eax, dx
    EXPECT "PCI address reads back", eax, 0x80000000
    mov dx, 0xcfc
    in eax, dx
    EXPECT "host bridge i440FX", eax, 0x12378086
    mov dx, 0xcf8
    mov eax, 0x8000f800
    out dx, eax
    mov dx, 0xcfc
    in eax, dx
    cmp eax, 0xffffffff
    sete al
    movzx eax, al
    EXPECT "empty slot 31", eax, 1
    mov dx, 0xcf8
    mov eax, 0x80000800
    out dx, eax
    mov dx, 0xcfe
    in ax, dx
    EXPECT16 "ISA bridge PIIX3, word access", ax, 0x7000
    ret
h_no_eoi:
    inc dword ptr [irq0_count]
    iretd
