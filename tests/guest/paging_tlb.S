/* SPDX-License-Identifier: MIT */
/* paging_tlb.S - What the TLB may keep: INVLPG, CR3, global pages, CR4.PGE; A and D are set again after they were cleared. SDM vol. 3A, 4.10. */
#include "guest.inc"
#include "paging.inc"
    .text
    .globl test_main
test_main:
    call paging_on
    /* After INVLPG the new mapping counts. */
    mov dword ptr [page_a], 0xaaaa
    mov dword ptr [page_b], 0xbbbb
    mov dword ptr [page_c], 0xcccc
    mov eax, [page_a]
    EXPECT "before", eax, 0xaaaa
    mov ebx, offset page_a
    shr ebx, 12
    lea ebx, [page_tab + ebx * 4]
    mov edi, [ebx]
    mov ecx, offset page_b + 3
    mov [ebx], ecx
    invlpg [page_a]
    mov eax, [page_a]
    EXPECT "invlpg: new page", eax, 0xbbbb
    mov dword ptr [page_a], 0xb1b1
    EXPECT "written there", "dword ptr [page_b]", 0xb1b1
    mov ecx, offset page_c + 3
    mov [ebx], ecx
    mov eax, cr3
    mov cr3, eax
    mov eax, [page_a]
    EXPECT "mov cr3: new page", eax, 0xcccc
    /* A page made writable needs no INVLPG: a fault invalidates. */
    mov eax, cr0
    or eax, 0x10000
    mov cr0, eax
    and dword ptr [ebx], ~2
    invlpg [page_a]
    mov eax, [page_a]
    FAULT "read-only", 14, 3, mov [page_a], eax
    or dword ptr [ebx], 2
    NOFAULT "writable after the fault", mov [page_a], eax
    /* Not present to present without INVLPG */
    mov dword ptr [ebx], 0
    invlpg [page_a]
    FAULT "not present", 14, 0, mov eax, [page_a]
    mov [ebx], edi
    NOFAULT "present", mov eax, [page_a]
    EXPECT "its value", eax, 0xaaaa
    /* A and D cleared by software, then INVLPG: set again. */
    mov dword ptr [page_a], 1
    and dword ptr [ebx], ~0x60
    invlpg [page_a]
    mov eax, [page_a]
    EXPECT_PAGE "A is set again", page_a, 0x23
    mov dword ptr [page_a], 1
    EXPECT_PAGE "D is set again", page_a, 0x63
    /* D by a write after a read filled the TLB */
    and dword ptr [ebx], ~0x60
    invlpg [page_a]
    mov eax, [page_a]
    mov byte ptr [page_a], 1
    EXPECT_PAGE "D after A", page_a, 0x63
    /* A page-table page that maps itself sees its own changes (after INVLPG). */
    mov eax, [page_tab]
    EXPECT "table is readable", eax, 0x3
    /* Global pages survive MOV CR3, not CR4.PGE changes, not INVLPG. */
    mov eax, cr4
    or eax, 0x80
    mov cr4, eax
    mov eax, offset page_b + 3 + P_G
    mov [ebx], eax
    invlpg [page_a]
    mov eax, [page_a]
    mov eax, offset page_c + 3
    mov [ebx], eax
    invlpg [page_a]
    mov dword ptr [page_c], 0xc1c1
    mov eax, [page_a]
    EXPECT "invlpg drops global", eax, 0xc1c1
    mov eax, offset page_b + 3 + P_G
    mov [ebx], eax
    invlpg [page_a]
    mov eax, [page_a]
    mov eax, offset page_c + 3
    mov [ebx], eax
    mov eax, cr4
    and eax, ~0x80
    mov cr4, eax
    mov eax, [page_a]
    EXPECT "clearing CR4.PGE drops global", eax, 0xc1c1
    /* paging off and on again */
    mov [ebx], edi
    mov eax, cr0
    and eax, 0x7fffffff
    mov cr0, eax
    or eax, 0x80000000
    mov cr0, eax
    mov eax, [page_a]
    and eax, 0xff
    EXPECT "CR0.PG toggled", eax, 1
    /* Two linear pages, one physical page: a write through one is seen through the other. */
    mov eax, offset page_b + 3
    mov [ebx], eax
    invlpg [page_a]
    mov dword ptr [page_a + 8], 0x1234
    EXPECT "alias", "dword ptr [page_b + 8]", 0x1234
    FAULT "invlpg of a register", 6, 0, .byte 0x0f, 0x01, 0xf8
    USER u_invlpg
    EXPECT_FAULT "invlpg at CPL 3", 13, 0
    NOFAULT "invlpg of an address not mapped", invlpg [0xf0000000]
    call paging_off
    ret
    .section .user
u_invlpg: invlpg [0]
