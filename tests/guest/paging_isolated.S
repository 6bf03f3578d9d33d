/* SPDX-License-Identifier: MIT */
/* paging_isolated.S - Address spaces whose kernel halves differ, as under page-table isolation: after each load of CR3 code and
 * data are those of the new tables, and absent where these have nothing. SDM vol. 3A, 4.10.4.1. */
#include "guest.inc"
#include "paging.inc"
#define HIGH   0x80000000
#define TABLES 12
    .section .pages, "aw", @nobits
    .align 4096
dir_k: .skip 4096
dir_v: .skip 4096
dir_u: .skip 4096
tab_k: .skip 4096
tab_v: .skip 4096
tab_u: .skip 4096
    .text
    .globl test_main
test_main:
    /* page_a, page_b, page_c: mov eax, 1 (2, 3); ret; and data behind. */
    mov dword ptr [page_a], 0x1b8
    mov dword ptr [page_b], 0x2b8
    mov dword ptr [page_c], 0x3b8
    mov ecx, 0xc300
    mov [page_a + 4], ecx
    mov [page_b + 4], ecx
    mov [page_c + 4], ecx
    mov dword ptr [page_a + 0x800], 0xa
    mov dword ptr [page_b + 0x800], 0xb
    mov dword ptr [page_c + 0x800], 0xc
    call paging_build
    cld
    mov esi, offset page_dir
    mov edi, offset dir_k
    mov ecx, 3
1:  push ecx
    push esi
    mov ecx, 1024
    rep movsd
    pop esi
    pop ecx
    loop 1b
    mov dword ptr [tab_k], offset page_a + 3
    mov dword ptr [tab_v], offset page_b + 3
    mov dword ptr [tab_u + 4], offset page_c + 3
    xor ecx, ecx
2:  mov dword ptr [dir_k + HIGH / 0x400000 * 4 + ecx * 4], offset tab_k + 3
    mov dword ptr [dir_v + HIGH / 0x400000 * 4 + ecx * 4], offset tab_v + 3
    inc ecx
    cmp ecx, TABLES
    jb 2b
    mov dword ptr [dir_u + HIGH / 0x400000 * 4], offset tab_u + 3
    mov eax, offset dir_k
    mov cr3, eax
    mov eax, cr0
    or eax, 0x80010000
    mov cr0, eax
    mov ebp, 200
round:
    mov eax, offset dir_k
    mov cr3, eax
    call visit
    EXPECT "k: code", eax, 1
    EXPECT "k: data", edx, 0xa*TABLES
    mov eax, offset dir_v
    mov cr3, eax
    call visit
    EXPECT "v: code", eax, 2
    EXPECT "v: data", edx, 0xb*TABLES
    mov eax, offset dir_u
    mov cr3, eax
    mov ebx, HIGH + 0x1000
    call ebx
    EXPECT "u: its own code", eax, 3
    FAULT "u: no data", 14, 0, mov eax, [HIGH + 0x800]
    FAULT "u: no table", 14, 0, mov eax, [HIGH + 0x400800]
    FAULT "u: not to be written", 14, 2, mov [HIGH + 0x800], eax
    mov dword ptr [tab_k], 0
    mov eax, offset dir_k
    mov cr3, eax
    FAULT "k: unmapped from elsewhere", 14, 0, mov eax, [HIGH + 0x800]
    FAULT "k: all of it", 14, 0, mov eax, [HIGH + 0x400800]
    mov eax, offset dir_u
    mov cr3, eax
    mov dword ptr [tab_k], offset page_c + 3
    mov eax, offset dir_k
    mov cr3, eax
    call visit
    EXPECT "k: code from elsewhere", eax, 3
    EXPECT "k: data from elsewhere", edx, 0xc*TABLES
    mov eax, offset dir_u
    mov cr3, eax
    mov dword ptr [tab_k], offset page_a + 3
    mov eax, offset dir_k
    mov cr3, eax
    call visit
    EXPECT "k: code again", eax, 1
    mov eax, offset dir_u
    mov cr3, eax
    mov dword ptr [tab_k], offset page_a + 1
    mov eax, offset dir_k
    mov cr3, eax
    FAULT "k: read-only from elsewhere", 14, 3, mov [HIGH + 0x800], eax
    mov dword ptr [tab_k], offset page_a + 3
    mov eax, offset dir_v
    mov cr3, eax
    mov dword ptr [tab_v], offset page_c + 3
    invlpg [HIGH]
    mov ebx, HIGH
    call ebx
    EXPECT "v: code after INVLPG", eax, 3
    mov dword ptr [tab_v], offset page_b + 3
    invlpg [HIGH]
    dec ebp
    jnz round
    /* Absent code: the fault is at its address. */
    mov ebp, 50
3:  mov eax, offset dir_k
    mov cr3, eax
    call visit
    mov eax, offset dir_u
    mov cr3, eax
    mov ebx, HIGH
    FAULT_EXPECTED 4f
    jmp ebx
4:  EXPECT_FAULT "u: no code", 14, 0
    EXPECT "u: no code: eip", "dword ptr [fault_eip]", HIGH
    dec ebp
    jnz 3b
    mov eax, offset page_dir
    mov cr3, eax
    call paging_off
    ret
/* EAX: what the code at HIGH says. EDX: the sum of a word from each table, written back. */
visit:
    xor ecx, ecx
    xor edx, edx
    mov esi, HIGH + 0x800
1:  mov eax, [esi]
    mov [esi + 4], eax
    add edx, [esi + 4]
    add esi, 0x400000
    inc ecx
    cmp ecx, TABLES
    jb 1b
    mov ebx, HIGH
    call ebx
    ret
