/* SPDX-License-Identifier: MIT */
/* screen_hold.S - writes to its text screen, says so on the debug port, and waits for an interrupt that never comes. For screen.py. */
#include "guest.inc"
    .text
    .globl test_main
test_main:
    mov edi, 0xb8000
    mov ecx, 2000
    mov eax, 0x1720
    rep stosw
    mov esi, offset text
    mov edi, 0xb8000 + 160 * 3 + 20
    mov ah, 0x4e
1:  lodsb
    test al, al
    jz 2f
    stosw
    jmp 1b
2:  mov edx, 0x3d4
    mov eax, 0x020e /* the cursor before cell 0x2a5 */
    out dx, ax
    mov eax, 0xa50f
    out dx, ax
    mov esi, offset ready
    call print
    sti
3:  hlt
    jmp 3b

    .data
text: .asciz "the guest's screen"
ready: .asciz "the screen is written\n"
