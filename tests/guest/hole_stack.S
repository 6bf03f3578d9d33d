/* SPDX-License-Identifier: MIT */
/* hole_stack.S - Exceptions whose delivery, and the handler's return, go through memory that is not there: pushes are lost, pops
 * read ones. Page tables and descriptor tables there, too. SDM vol. 3A, sections 6.12.1, 4.3, 7.3. */
#include "guest.inc"
#include "paging.inc"
#include "task.inc"
    .text
    .globl test_main
#define HOLE 0x7ffff000
test_main:
    mov eax, cr4
    or eax, 0x600
    mov cr4, eax
    mov dword ptr [fault_count], 0
    mov ebp, 50
1:
    .irp off, 0x9de, 0x9dc, 0x9dd, 0xa00
    .irp ins, "ud2", "mov ds, ax", "div ecx", "subps xmm5, [0x200001]", "int3"
    mov dword ptr [fault_resume], offset 3f
    mov eax, 0x1234
    xor ecx, ecx
    mov esp, offset stack_top - 16
    mov [fault_esp], esp
    mov esp, HOLE + \off
    test [0x200000], ah
    \ins
3:
    .endr
    .endr
    mov esp, offset stack_top - 16
    dec ebp
    jnz 1b
    EXPECT "exceptions with ESP in a hole", "dword ptr [fault_count]", 50*4*5
    EXPECT "what the handler popped", "dword ptr [fault_vector]", 0xffffffff
    /* IRET from there: CS is 0xffff. */
    FAULT_EXPECTED 4f
    mov esp, HOLE + 0x100
    iretd
4:  mov esp, [fault_esp]
    EXPECT "iret in a hole: frame", "dword ptr [fault_vector]", 0xffffffff
    /* A task switch to a TSS in a hole: its selectors are 0xffff. */
    DESC SEL_FREE0, HOLE, 0x67, 0x89, DESC_32
    GATE "idt+8*0x40", SEL_FREE0, 0, 0xe5
    DESC SEL_FREE1, "offset other_tss", 0x67, 0x89, DESC_32
    GATE "idt+8*10", SEL_FREE1, 0, 0x85
    mov ebp, 20
5:  mov [saved_esp], esp
    mov [saved_ebp], ebp
    mov byte ptr [gdt+SEL_FREE0+5], 0x89
    int 0x40
after_task: /* from the #TS handler's task, other_tss */
    mov esp, [saved_esp]
    mov ebp, [saved_ebp]
    push 2
    popfd
    mov byte ptr [gdt+SEL_TSS+5], 0x89
    mov ax, SEL_TSS
    ltr ax
    mov byte ptr [gdt+SEL_FREE1+5], 0x89
    dec ebp
    jnz 5b
    EXPECT "the task in a hole raised #TS", "dword ptr [task_count]", 20
    EXPECT "a selector of the hole's", "dword ptr [task_error]", 0xfffc
    /* Page tables in a hole: entries are all ones, every page is the one below 4 GiB. */
    call paging_on
    mov dword ptr [page_dir+8], HOLE+7
    mov ebp, 200
6:  mov eax, [0x800000]
    mov ebx, [0x8ff004]
    invlpg [0x800000]
    mov [0x801008], eax
    test ebp, 3
    jnz 7f
    mov ecx, cr3
    mov cr3, ecx
7:  dec ebp
    jnz 6b
    EXPECT "page tables in a hole", ebp, 0
    call paging_off
    jmp test_done

in_task: /* the error code is on the stack */
    pop dword ptr [task_error]
    inc dword ptr [task_count]
    jmp after_task

    .data
task_error: .long 0
task_count: .long 0
saved_esp: .long 0
saved_ebp: .long 0
    TSS32 other_tss, in_task, "stack_top-4096"
