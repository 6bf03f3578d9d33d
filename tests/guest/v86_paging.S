/* SPDX-License-Identifier: MIT */
/* v86_paging.S - V86 with paging: linear addresses up to 10ffef, user rights, page faults with U set; single step. SDM vol. 3B, 21.2.7. */
#include "guest.inc"
#include "paging.inc"
    .text
    .globl test_main
test_main:
    call paging_on
    /* V86 runs at CPL 3: map what it needs for the user. */
    xor ebx, ebx
1:  mov eax, P_P|P_W|P_U
    cmp ebx, 0x10000
    jae 2f
    call page_set
    add ebx, 4096
    jmp 1b
2:  V86 0, v_run, 0x23002
    EXPECT_FAULT "runs", 0x30, 0
    EXPECT "saw its data", eax, 0x1357
    V86 0, v_super, 0x23002
    EXPECT_FAULT "supervisor page", 14, 7
    EXPECT "CR2", "dword ptr [fault_cr2]", 0x20000
    EXPECT "EIP", "dword ptr [fault_eip]", "offset v_super_at"
    V86 0, v_hma, 0x23002
    EXPECT_FAULT "ffff:10 is linear 100000: a supervisor page", 14, 5
    EXPECT "CR2", "dword ptr [fault_cr2]", 0x100000
    /* CS page missing */
    mov ebx, 0x9000
    mov eax, 0
    call page_set
    V86 0x900, 0, 0x23002
    EXPECT_FAULT "code page missing", 14, 4
    EXPECT "CR2", "dword ptr [fault_cr2]", 0x9000
    /* stack page missing */
    V86 0, v_stack, 0x23002
    EXPECT_FAULT "stack page missing", 14, 6
    EXPECT "CR2", "dword ptr [fault_cr2]", 0x9ffe
    EXPECT "SP kept", "dword ptr [fault_user_esp]", 0xa000
    /* WP, SMEP do not concern V86; single step in V86 */
    V86 0, v_step, 0x23102
    EXPECT_FAULT "TF in V86", 1, 0
    EXPECT "EIP behind the first instruction", "dword ptr [fault_eip]", "offset v_step+1"
    /* gates of 286 type cannot serve V86 well, a trap gate keeps IF */
    mov byte ptr [idt + 0x30 * 8 + 5], 0xef
    V86 0, v_run, 0x23002
    EXPECT_FAULT "trap gate", 0x30, 0
    call paging_off
    ret
    .section .low
    .code16
v_run:
    mov word ptr [0x600], 0x1357
    movzx eax, word ptr [0x600]
    int 0x30
v_super:
    mov ax, 0x2000
    mov ds, ax
v_super_at:
    mov word ptr [0], 1
v_hma:
    mov ax, 0xffff
    mov es, ax
    mov ax, es:[0x10]
v_stack:
    mov sp, 0xa000
    push ax
v_step:
    nop
    nop
    int 0x30
    .code32
