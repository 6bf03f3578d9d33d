/* SPDX-License-Identifier: MIT */
/* gate_inner.S - Call gates from ring 3 to 0 with parameters, 32- and 16-bit; RETF to the outer ring; the stack from the TSS. SDM vol. 3A, 5.8.4 to 5.8.6. */
#include "guest.inc"
    .text
    .globl test_main
test_main:
    GATE gdt+SEL_FREE0, SEL_CODE32, "offset inner", 0xec, 3
    GATE gdt+SEL_FREE1, SEL_CODE16, "offset inner16", 0xe4, 2
    DESC SEL_FREE2, 0, 0xfffff, 0xf3, DESC_32G
    DESC SEL_FREE3, 0, 0xfffff, 0x93, DESC_32G
    mov ebx, esp
    USER u_call
    EXPECT_FAULT "came back", 0x30, 0
    EXPECT "inner CPL", "dword ptr [seen_cs]", SEL_CODE32
    EXPECT "inner SS", "dword ptr [seen_ss]", SEL_DATA32
    EXPECT "inner ESP: 4 + 3 dwords", "dword ptr [seen_esp]", "offset stack0_top-28"
    EXPECT "return EIP", "dword ptr [frame]", "offset u_call_ret"
    EXPECT "return CS", "dword ptr [frame + 4]", SEL_UCODE32
    EXPECT "first parameter", "dword ptr [frame + 8]", 0x33
    EXPECT "third parameter", "dword ptr [frame + 16]", 0x11
    EXPECT "old ESP", "dword ptr [frame + 20]", "offset user_stack_top-12"
    EXPECT "old SS", "dword ptr [frame + 24]", SEL_UDATA32
    EXPECT "retf 12: outer ESP", ecx, "offset user_stack_top"
    EXPECT16 "outer: DS of DPL 0 is nulled", "word ptr [u_seen_fs]", 0
    EXPECT16 "outer: GS of DPL 3 is kept", "word ptr [u_seen_gs]", SEL_FREE2+3
    EXPECT "outer CPL", "dword ptr [fault_cs]", SEL_UCODE32
    /* 16-bit gate: words */
    USER u_call16
    EXPECT_FAULT "16-bit gate: came back", 0x30, 0
    EXPECT "16-bit gate: depth", "dword ptr [seen16_depth]", 12
    EXPECT16 "16-bit gate: CS", "word ptr [frame16 + 2]", SEL_UCODE32
    EXPECT16 "16-bit gate: parameter", "word ptr [frame16 + 4]", 0x66
    EXPECT16 "16-bit gate: second parameter", "word ptr [frame16 + 6]", 0x55
    EXPECT16 "16-bit gate: SS", "word ptr [frame16 + 10]", SEL_UDATA32
    ret
inner:
    mov [seen_esp], esp
    mov [seen_cs], cs
    mov [seen_ss], ss
    push eax
    push ebx
    lea ebx, [esp + 8]
    mov eax, [ebx]
    mov [frame], eax
    mov eax, [ebx + 4]
    mov [frame + 4], eax
    mov eax, [ebx + 8]
    mov [frame + 8], eax
    mov eax, [ebx + 16]
    mov [frame + 16], eax
    mov eax, [ebx + 20]
    mov [frame + 20], eax
    mov eax, [ebx + 24]
    mov [frame + 24], eax
    mov ax, SEL_FREE3
    mov fs, ax
    mov ax, SEL_FREE2+3
    mov gs, ax
    pop ebx
    pop eax
    retf 12
    .data
    .align 4
seen_esp: .long 0
seen_cs: .long 0
seen_ss: .long 0
frame: .fill 8, 4, 0
    .section .user
u_call:
    push 0x11
    push 0x22
    push 0x33
u_call_at:
    call SEL_FREE0:0
u_call_ret:
    mov ecx, esp
    mov u_seen_fs, fs
    mov u_seen_gs, gs
    USER_EXIT
u_call16:
    pushw 0x55
    pushw 0x66
    call SEL_FREE1:0
u_call16_ret:
    USER_EXIT
u_seen_fs: .word 0
u_seen_gs: .word 0
    .section .low
    .code16
inner16:
    mov eax, offset stack0_top
    sub eax, esp
    mov [seen16_depth], eax
    mov ebx, esp
    mov eax, [ebx]
    mov [frame16], eax
    mov eax, [ebx + 4]
    mov [frame16 + 4], eax
    mov eax, [ebx + 8]
    mov [frame16 + 8], eax
    pushd SEL_UDATA32 /* the frame's words are not enough to return above 64 KiB */
    pushd offset user_stack_top
    pushd SEL_UCODE32
    pushd offset u_call16_ret
    data32 retf
    .align 4
seen16_depth: .long 0
frame16: .long 0, 0, 0
    .code32
