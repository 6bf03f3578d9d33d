/* SPDX-License-Identifier: MIT */
/* double_fault.S - Which pairs of exceptions make a double fault; #DF by a task gate survives a bad stack. SDM vol. 3A, 6.15, table 6-5. */
#include "guest.inc"
    .text
    .globl test_main
test_main:
    /* #GP while delivering #GP: vector 13's gate is bad -> #DF, error code 0. */
    mov byte ptr [idt + 13 * 8 + 5], 0x0e
    FAULT_EXPECTED 1f
    mov ax, 0xfff8
    mov fs, ax
1:  EXPECT_FAULT "#NP in #GP", 8, 0
    mov byte ptr [idt + 13 * 8 + 5], 0x8e
    /* #DE with a bad gate */
    mov word ptr [idt + 0 * 8 + 2], SEL_DATA32
    xor ecx, ecx
    FAULT_EXPECTED 1f
    div ecx
1:  EXPECT_FAULT "#GP in #DE", 8, 0
    mov word ptr [idt + 0 * 8 + 2], SEL_CODE32
    /* #UD is benign: the second one is delivered alone. */
    mov byte ptr [idt + 6 * 8 + 5], 0x0e
    FAULT_EXPECTED 1f
    ud2
1:  EXPECT_FAULT "#NP in #UD", 11, 6*8+3
    mov byte ptr [idt + 6 * 8 + 5], 0x8e
    /* INT n with a bad gate is no exception. */
    mov byte ptr [idt + 0x60 * 8 + 5], 0x0e
    FAULT_EXPECTED 1f
    int 0x60
1:  EXPECT_FAULT "#NP in INT n", 11, 0x60*8+2
    /* Two benign in a row: #BP with gate not present -> #NP, whose gate is fine. */
    mov byte ptr [idt + 3 * 8 + 5], 0x0e
    FAULT_EXPECTED 1f
    int3
1:  EXPECT_FAULT "#NP in #BP: EXT clear", 11, 3*8+2
    mov byte ptr [idt + 3 * 8 + 5], 0x8e
    /* #NP's own gate bad: #NP in #NP is a double fault. */
    mov byte ptr [idt + 11 * 8 + 5], 0x0e
    FAULT_EXPECTED 1f
    int 0x60
1:  EXPECT_FAULT "#NP in #NP", 8, 0
    mov byte ptr [idt + 11 * 8 + 5], 0x8e
    /* A stack without room: #SS in #GP; #DF comes through a task gate. */
    DESC SEL_FREE0, "offset df_tss", 0x67, 0x89, 0
    DESC SEL_FREE1, 0x700, 15, 0x93, DESC_32 /* tiny stack */
    GATE idt+8*8, SEL_FREE0, 0, 0x85
    mov [saved_esp], esp
    mov ax, SEL_FREE1
    mov esp, 8
    mov ss, ax
    xor eax, eax
    mov fs, ax
df_here:
    mov al, fs:[0]
    hlt
df_task:
    pop dword ptr [df_error]
    mov ax, SEL_DATA32
    mov ds, ax
    mov eax, [tss + 0x20]
    mov [df_eip], eax
    mov eax, [tss + 0x38]
    mov [df_esp], eax
    mov ax, [df_tss]
    mov [df_link], ax
    mov ax, SEL_DATA32
    mov es, ax
    mov ss, ax
    mov esp, [saved_esp]
    EXPECT "#DF task: error code", "dword ptr [df_error]", 0
    EXPECT "#DF task: EIP in the old TSS", "dword ptr [df_eip]", "offset df_here"
    EXPECT "#DF task: ESP in the old TSS", "dword ptr [df_esp]", 8
    EXPECT "#DF task: link", "dword ptr [df_link]", SEL_TSS
    EXPECT_FLAGS "#DF task: NT", 0x4000, 0x4000
    SET_FLAGS 2
    ret
    .data
    .align 4
saved_esp: .long 0
df_error: .long 0xffffffff
df_eip: .long 0
df_esp: .long 0
df_link: .long 0
    .align 16
df_tss:
    .long 0, 0, 0, 0, 0, 0, 0
    .long 0                        /* cr3 */
    .long df_task, 2               /* eip, eflags */
    .long 0, 0, 0, 0               /* eax ecx edx ebx */
    .long df_stack_top, 0, 0, 0    /* esp ebp esi edi */
    .long SEL_DATA32, SEL_CODE32, SEL_DATA32, SEL_DATA32, 0, 0
    .long 0, 0x680000
    .bss
    .skip 1024
df_stack_top:
