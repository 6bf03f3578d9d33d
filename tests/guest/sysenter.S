/* SPDX-License-Identifier: MIT */
/* sysenter.S - SYSENTER and SYSEXIT: what they load, what they check. SDM vol. 2; vol. 3A, 5.8.7. */
#include "guest.inc"
    .text
    .globl test_main
test_main:
    xor eax, eax
    xor edx, edx
    mov ecx, 0x174
    wrmsr
    FAULT "sysenter with SYSENTER_CS 0", 13, 0, sysenter
    FAULT "sysexit with SYSENTER_CS 0", 13, 0, sysexit
    /* CS 0x48: code; 0x50: data; 0x58: user code; 0x60: user data. The descriptors are not read. */
    DESC SEL_FREE0, 0, 0xfffff, 0x9b, DESC_32G
    DESC SEL_FREE1, 0, 0xfffff, 0x93, DESC_32G
    DESC SEL_FREE2, 0, 0xfffff, 0xfb, DESC_32G
    DESC SEL_FREE3, 0, 0xfffff, 0xf3, DESC_32G
    mov ecx, 0x174
    mov eax, SEL_FREE0+3 /* RPL is ignored */
    wrmsr
    mov ecx, 0x175
    mov eax, offset s_stack
    wrmsr
    mov ecx, 0x176
    mov eax, offset s_enter
    wrmsr
    USER u_enter, 0xad7
    EXPECT_FAULT "went in and out", 0x30, 0
    EXPECT "inside: CS", "dword ptr [s_cs]", SEL_FREE0
    EXPECT "inside: SS", "dword ptr [s_ss]", SEL_FREE1
    EXPECT "inside: ESP", "dword ptr [s_esp]", "offset s_stack"
    EXPECT "inside: IF clear, the rest kept", "dword ptr [s_flags]", 0x8d7
    EXPECT "outside: CS", "dword ptr [fault_cs]", SEL_FREE2+3
    EXPECT "outside: SS", "dword ptr [fault_user_ss]", SEL_FREE3+3
    EXPECT "outside: ESP from ECX", "dword ptr [fault_user_esp]", "offset user_stack_top-16"
    EXPECT "general registers pass", esi, 0x1357
    EXPECT "outside: flat code", ebx, 0x99
    USER u_exit
    EXPECT_FAULT "sysexit at CPL 3", 13, 0
    mov eax, 1
    cpuid
    and edx, 0x800
    EXPECT "CPUID says SEP", edx, 0x800
    ret
s_enter:
    mov ss:[s_esp], esp
    pushfd
    pop dword ptr ss:[s_flags]
    mov ss:[s_cs], cs
    mov ss:[s_ss], ss
    mov edx, offset u_back
    mov ecx, offset user_stack_top - 16
    sysexit
    .data
    .align 4
s_cs: .long 0
s_ss: .long 0
s_esp: .long 0
s_flags: .long 0
    .bss
    .skip 1024
s_stack:
    .section .user
u_enter:
    mov esi, 0x1357
    sysenter
u_back:
    mov ebx, 0x99
    USER_EXIT
u_exit: sysexit
