/* SPDX-License-Identifier: MIT */
/* align_check.S - #AC: CPL 3 with CR0.AM and EFLAGS.AC; sizes; not for CPL 0; order with other faults. SDM vol. 3A, 6.15, interrupt 17. */
#include "guest.inc"
    .text
    .globl test_main
test_main:
    mov eax, cr0
    or eax, 0x40000
    mov cr0, eax
.macro AC name, label, vector, flags=0x40002
    USER \label, \flags
    EXPECT_FAULT "\name", \vector, 0
.endm
    AC "aligned", u_aligned, 0x30
    AC "word at 1", u_word1, 17
    EXPECT "eip", "dword ptr [fault_eip]", "offset u_word1"
    AC "dword at 2", u_dword2, 17
    AC "byte at 3", u_byte3, 0x30
    AC "write", u_write, 17
    AC "push with ESP at 2", u_push, 17
    AC "enter that leaves ESP at 3", u_enter, 17
    EXPECT "eip", "dword ptr [fault_eip]", "offset u_enter"
    mov dword ptr [user_stack_top - 4], 0x55555555
    AC "enter with EBP at 2", u_enter2, 17
    EXPECT "nothing pushed", "dword ptr [user_stack_top - 4]", 0x55555555
    AC "qword at 4", u_qword4, 17
    AC "tbyte at 4", u_tbyte4, 17
    AC "far pointer at 2: its offset", u_far2, 17
    AC "without EFLAGS.AC", u_word1, 0x30, 2
    AC "movsw", u_movs, 17
    mov eax, cr0
    and eax, ~0x40000
    mov cr0, eax
    AC "without CR0.AM", u_word1, 0x30
    mov eax, cr0
    or eax, 0x40000
    mov cr0, eax
    SET_FLAGS 0x40002
    NOFAULT "CPL 0", mov ax, [box + 1]
    SET_FLAGS 2
    ret
    .section .user
u_aligned:
    mov eax, [box]
    mov ax, [box + 2]
    mov [box + 4], eax
    USER_EXIT
u_word1: mov ax, [box + 1]
    USER_EXIT
u_dword2: mov eax, [box + 2]
    USER_EXIT
u_byte3: mov al, [box + 3]
    USER_EXIT
u_write: mov [box + 1], eax
u_push:
    dec esp
    dec esp
    push eax
u_enter: enter 5, 0
    USER_EXIT
u_enter2:
    mov ebp, 0xabcd1236
    enter 4, 2
    USER_EXIT
u_qword4: fild qword ptr [box + 4]
u_tbyte4: fld tbyte ptr [box + 4]
u_far2: lfs eax, [box + 2]
u_movups:
    movups xmm0, [box + 4]
    USER_EXIT
u_movs:
    mov esi, offset box + 1
    mov edi, offset box
    movsw
    USER_EXIT
    .align 16
box: .long 0, 0, 0, 0, 0, 0, 0, 0
