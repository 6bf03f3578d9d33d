/* SPDX-License-Identifier: MIT */
/*
 * reset_code.S - code that was changed before a reset is the loaded image's again after it. What had been decoded or
 * translated from the changed bytes must be gone. A byte of the CMOS RAM, which outlives a reset, tells the two boots apart.
 * SDM vol. 3A, section 10.1 (what RESET does to the caches); run.py lets this guest reset.
 */
#include "guest.inc"
#define CMOS_BOOT 0x50
#define CMOS_SECOND 0x5a
    .text
    .globl test_main
test_main:
    mov al, CMOS_BOOT
    out 0x70, al
    in al, 0x71
    cmp al, CMOS_SECOND
    je second
    call often
    EXPECT "the image's code", eax, 1
    mov byte ptr [work + 1], 2
    call often
    EXPECT "changed code", eax, 2
    mov al, CMOS_BOOT
    out 0x70, al
    mov al, CMOS_SECOND
    out 0x71, al
    mov al, 0xfe /* the keyboard controller's pulse */
    out 0x64, al
1:  jmp 1b
second:
    call often
    EXPECT "the image's code after the reset", eax, 1
    ret

often:
    mov ecx, 200
1:  call work
    dec ecx
    jnz 1b
    ret

    .balign 64
work:
    mov eax, 1
    ret
