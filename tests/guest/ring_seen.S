/* SPDX-License-Identifier: MIT */
/* ring_seen.S - which ring the guest's kernel and programs believe to be in: CPL 0 and CPL 3, by every way to read it, whatever
 * ring the hardware has. SDM vol. 3A, 5.5. tests/metal/guests.py compares with the monitor's report. */
#include "guest.inc"
    .text
    .globl test_main
test_main:
    mov ebx, 20000 /* long enough for the host's timer */
1:  mov eax, cs
    or [seen], eax
    mov eax, ss
    or [seen], eax
    mov [elsewhere], eax
    dec ebx
    jnz 1b
    EXPECT "kernel: CS and SS, as MOV reads them", "dword ptr [seen]", SEL_CODE32 | SEL_DATA32
    push cs
    pop eax
    EXPECT "kernel: CS, as PUSH reads it", eax, SEL_CODE32
    push ss
    pop eax
    EXPECT "kernel: SS, as PUSH reads it", eax, SEL_DATA32
    FAULT_EXPECTED 2f
    int3
2:  EXPECT "kernel: CS in a frame", "dword ptr [fault_cs]", SEL_CODE32
    USER user_code, 0x202
    EXPECT "program: CS, as MOV reads it", eax, SEL_UCODE32
    EXPECT "program: SS, as MOV reads it", ecx, SEL_UDATA32
    EXPECT "program: CS in a frame", "dword ptr [fault_cs]", SEL_UCODE32
    ret

    .section .user
user_code:
    mov edx, 20000
1:  mov eax, cs
    mov ecx, ss
    dec edx
    jnz 1b
    USER_EXIT

    .data
    .align 4
seen: .long 0
    .bss
    .align 4096
    .skip 4096
elsewhere: .long 0 /* on a page of its own: a window has it only after a host trap */
