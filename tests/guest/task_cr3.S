/* SPDX-License-Identifier: MIT */
/* task_cr3.S - Task switches with paging: CR3 of the new task, its LDT, a TSS over two pages, a #PF inside a switch. SDM vol. 3A, 8.2 and 8.3. */
#include "guest.inc"
#include "paging.inc"
    .text
    .globl test_main
test_main:
    call paging_on
    /* A second directory: the same, but page_a shows page_b there. */
    pushad
    cld
    mov esi, offset page_dir
    mov edi, offset dir2
    mov ecx, 1024
    rep movsd
    mov esi, offset page_tab
    mov edi, offset tab2
    mov ecx, 1024
    rep movsd
    mov eax, offset tab2 + 7
    mov [dir2], eax
    mov ebx, offset page_a
    shr ebx, 12
    mov eax, offset page_b + 3
    mov [tab2 + ebx * 4], eax
    popad
    mov eax, cr3
    mov [tss + 0x1c], eax
    mov dword ptr [page_a], 0xaaaaaaaa
    mov dword ptr [page_b], 0xbbbbbbbb
    DESC SEL_FREE0, "offset tss_b", 0x67, 0x89, 0
    call SEL_FREE0:0
    EXPECT "the new task saw its page", "dword ptr [seen]", 0xbbbbbbbb
    EXPECT "and its CR3", "dword ptr [seen_cr3]", "offset dir2"
    EXPECT "we see ours", "dword ptr [page_a]", 0xaaaaaaaa
    mov eax, cr3
    EXPECT "our CR3", eax, "offset page_dir"
    EXPECT "CR3 is not saved in the TSS", "dword ptr [tss_b + 0x1c]", "offset dir2"
    /* The new TSS lies over two pages, the second is missing: #PF in our context, nothing changed. */
    pushad
    mov esi, offset tss_b
    mov edi, offset page_c - 0x30
    mov ecx, 26
    rep movsd
    popad
    DESC SEL_FREE1, "offset page_c-0x30", 0x67, 0x89, 0
    PAGE page_c, 0
    mov ebx, esp
    FAULT "TSS over two pages", 14, 0, call SEL_FREE1:0
    EXPECT "CR2", "dword ptr [fault_cr2]", "offset page_c"
    str eax
    EXPECT "TR", eax, SEL_TSS
    EXPECT16 "not busy", "byte ptr [gdt + 0x50 + 5]", 0x89
    EXPECT_ESP "esp", ebx
    PAGE page_c, 3
    mov dword ptr [page_c - 0x30 + 0x20], offset b_main
    call SEL_FREE1:0
    EXPECT "and now it works", "dword ptr [seen]", 0xbbbbbbbb
    call paging_off
    ret
b_main:
    mov eax, [page_a]
    mov [seen], eax
    mov eax, cr3
    mov [seen_cr3], eax
    iretd
    jmp b_main
    .data
    .align 4
seen: .long 0
seen_cr3: .long 0
#include "task.inc"
    TSS32 tss_b, b_main, b_stack, 2, 0x08, 0x10, dir2
    .bss
    .skip 1024
b_stack:
    .align 4096
dir2: .skip 4096
tab2: .skip 4096
