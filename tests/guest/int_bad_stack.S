/* SPDX-License-Identifier: MIT */
/* int_bad_stack.S - INT from ring 3 with a bad inner stack: #TS and #SS with their codes, delivered by a task gate. SDM vol. 3A, 6.12 to 6.15. */
#include "guest.inc"
    .text
    .globl test_main
test_main:
    /* A bad inner stack: the fault itself goes through a task gate, because it has no stack either. */
    DESC SEL_FREE0, "offset ts_tss", 0x67, 0x89, 0
    GATE idt+10*8, SEL_FREE0, 0, 0x85
    GATE idt+12*8, SEL_FREE0, 0, 0x85
    GATE idt+8*8, SEL_FREE0, 0, 0x85
    DESC SEL_FREE1, 0, 0xfffff, 0x91, DESC_32G  /* read-only */
    DESC SEL_FREE2, 0, 0xfffff, 0x13, DESC_32G  /* not present */
    DESC SEL_FREE3, 0x700, 7, 0x93, DESC_32     /* tiny */
    DESC SEL_FREE4, 0, 0xfffff, 0xb3, DESC_32G  /* DPL 1 */
.macro BAD_STACK name, ss0, esp0, error
    mov dword ptr [tss + 8], \ss0
    mov dword ptr [tss + 4], \esp0
    mov [saved_esp], esp
    mov dword ptr [ts_tss + 0x38], offset ts_stack
    mov dword ptr [ts_tss + 0x20], offset ts_task
    mov dword ptr [ts_error], NO_FAULT
    push SEL_UDATA32
    push offset user_stack_top
    push 2
    push SEL_UCODE32
    push offset u_int
    mov dword ptr [ts_resume], offset 76f
    call enter_user
76: EXPECT "\name: error code", "dword ptr [ts_error]", \error
    EXPECT "\name: EIP saved", "dword ptr [tss + 0x20]", "offset u_int"
    EXPECT "\name: outer ESP saved", "dword ptr [tss + 0x38]", "offset user_stack_top"
.endm
    BAD_STACK "SS0 null", 0, 0x6000, 0
    BAD_STACK "SS0 read-only", SEL_FREE1, 0x6000, SEL_FREE1
    BAD_STACK "SS0 not present: #SS", SEL_FREE2, 0x6000, SEL_FREE2
    BAD_STACK "SS0 with RPL 3", SEL_DATA32+3, 0x6000, SEL_DATA32
    BAD_STACK "SS0 with DPL 1", SEL_FREE4, 0x6000, SEL_FREE4
    BAD_STACK "SS0 beyond the table", 0x7ff8, 0x6000, 0x7ff8
    BAD_STACK "no room on the inner stack: #SS(selector)", SEL_FREE3, 8, SEL_FREE3
    mov dword ptr [tss + 8], SEL_DATA32
    mov dword ptr [tss + 4], offset stack0_top
    ret
ts_task:
    pop dword ptr [ts_error]
    /* leave this task: make the first one current again */
    mov byte ptr [gdt + SEL_TSS + 5], 0x89
    mov byte ptr [gdt + SEL_FREE0 + 5], 0x89
    mov ax, SEL_TSS
    ltr ax
    push 2
    popfd
    mov esp, [saved_esp]
    jmp [ts_resume]
    .data
    .align 4
saved_esp: .long 0
ts_error: .long 0
ts_resume: .long 0
#include "task.inc"
    TSS32 ts_tss, ts_task, ts_stack
    .bss
    .skip 1024
ts_stack:
    .section .user
u_int: int 0x30
