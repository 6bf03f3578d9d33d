/* SPDX-License-Identifier: MIT */
/* pam_flip.S - the chipset's PAM0 turns the BIOS area into RAM and back before each access to it and to another page. */
#define ROUNDS 1000
#include "slow.inc"
setup:
    mov edx, 0xcf8
    mov eax, 0x80000058
    out dx, eax
    ret
rounds:
    mov edx, 0xcfd
    mov al, 0x30
    out dx, al
    inc dword ptr [0xf4000]
    mov al, 0
    out dx, al
    inc dword ptr [0x410000]
    dec ebp
    jnz rounds
    ret
