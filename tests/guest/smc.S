/* SPDX-License-Identifier: MIT */
/* smc.S - Self-modifying code: next instruction, loops, other pages, aliases, instructions over two pages, REP MOVS over the code after it. SDM vol. 3A, 9.1.3. */
#include "guest.inc"
#include "paging.inc"
    .text
    .globl test_main
test_main:
    mov byte ptr [1f + 1], 7
1:  mov al, 0
    EXPECT16 "next instruction, after a write", al, 7
    mov edx, 0
    mov ecx, 10
2:  add edx, 1 /* its immediate grows */
    inc byte ptr [2b + 2]
    loop 2b
    EXPECT "loop that changes itself", edx, 55
    /* opcode change: inc eax -> dec eax */
    mov eax, 5
    mov byte ptr [3f], 0x48
3:  inc eax
    EXPECT "opcode change", eax, 4
    /* a jump target written before the jump */
    mov eax, 0
    jmp 4f
4:  mov byte ptr [5f + 1], 9
    jmp 5f
5:  mov al, 0
    EXPECT "after a jump", eax, 9
    /* code in another page, called, changed, called */
    mov dword ptr [page_a], 0x000001b8
    mov word ptr [page_a + 4], 0xc300
    call page_a
    EXPECT "generated code", eax, 1
    mov byte ptr [page_a + 1], 2
    call page_a
    EXPECT "changed", eax, 2
    mov edi, offset page_a + 1
    mov al, 3
    cld
    stosb
    call page_a
    EXPECT "changed by stosb", eax, 3
    lock inc byte ptr [page_a + 1]
    call page_a
    EXPECT "changed by lock inc", eax, 4
    push dword ptr [five]
    mov ebx, esp
    pop dword ptr [page_a + 1]
    call page_a
    EXPECT "changed by pop", eax, 5
    fild dword ptr [six]
    fistp dword ptr [page_a + 1]
    call page_a
    EXPECT "changed by fistp", eax, 6
    mov esp, offset page_a + 5
    push 7
    mov esp, ebx
    add esp, 4
    call page_a
    EXPECT "changed by push", eax, 7
    mov eax, 7
    mov ecx, 8
    lock cmpxchg [page_a + 1], ecx
    call page_a
    EXPECT "changed by cmpxchg", eax, 8
    /* chained blocks: a loop over a call whose body changes each time */
    mov esi, 0
    mov ecx, 100
6:  inc byte ptr [page_a + 1]
    call page_a
    add esi, eax
    loop 6b
    EXPECT "100 changes", esi, 5850
    /* an instruction over two pages, either half changes */
    mov byte ptr [page_b - 2], 0xb8
    mov byte ptr [page_b - 1], 0x11
    mov dword ptr [page_b], 0xc3000000
    call page_b_minus_2
    EXPECT "over two pages", eax, 0x11
    mov byte ptr [page_b], 0x22
    call page_b_minus_2
    EXPECT "second half changed", eax, 0x2211
    mov byte ptr [page_b - 1], 0x33
    call page_b_minus_2
    EXPECT "first half changed", eax, 0x2233
    mov word ptr [page_b - 1], 0x5544
    call page_b_minus_2
    EXPECT "both by one write over the edge", eax, 0x5544
    /* REP MOVSB replaces the instruction behind it */
    mov esi, offset new_code
    mov edi, offset 7f
    mov ecx, 5
    rep movsb
7:  mov eax, 0x11111111
    EXPECT "rep movsb over what follows", eax, 0x22222222
    /* a block that overwrites its own earlier part, then goes there again */
    mov ecx, 0
8:  mov eax, 1
    inc ecx
    mov byte ptr [8b + 1], 2
    cmp ecx, 2
    jb 8b
    EXPECT "own earlier part", eax, 2
    /* with paging: an alias */
    call paging_on
    mov ebx, offset page_c
    shr ebx, 12
    mov eax, offset page_a + 3
    mov [page_tab + ebx * 4], eax /* page_c maps to page_a */
    invlpg [page_c]
    mov byte ptr [page_a + 1], 0x10
    call page_a
    EXPECT "before", eax, 0x10
    mov byte ptr [page_c + 1], 0x20
    call page_a
    EXPECT "changed through an alias", eax, 0x20
    call page_c
    EXPECT "executed through the alias", eax, 0x20
    mov byte ptr [page_a + 1], 0x30
    call page_c
    EXPECT "changed, executed through the alias", eax, 0x30
    /* remap: the same address, another page's code */
    mov dword ptr [page_b], 0x000077b8
    mov word ptr [page_b + 4], 0xc300
    mov eax, offset page_b + 3
    mov [page_tab + ebx * 4], eax
    invlpg [page_c]
    call page_c
    EXPECT "remapped code page", eax, 0x77
    /* remap of the second page of an instruction over two pages */
    mov byte ptr [page_c - 2], 0xb8
    mov byte ptr [page_c - 1], 0x01
    mov dword ptr [page_b], 0xc3000002
    call page_c_minus_2
    EXPECT "over two pages, paged", eax, 0x0201
    mov dword ptr [page_a], 0xc3000003
    mov eax, offset page_a + 3
    mov [page_tab + ebx * 4], eax
    invlpg [page_c]
    call page_c_minus_2
    EXPECT "second page remapped", eax, 0x0301
    call paging_off
    ret
    .set page_b_minus_2, page_b - 2
    .set page_c_minus_2, page_c - 2
    .data
five: .long 5
six: .long 6
new_code: .byte 0xb8, 0x22, 0x22, 0x22, 0x22
