/* SPDX-License-Identifier: MIT */
/* paging_pae.S - PAE: PDPTEs, 2-MiB pages, NX and its error codes, reserved bits. SDM vol. 3A, 4.4. */
#include "guest.inc"
#include "paging.inc"
    .text
    .globl test_main
test_main:
    /* EFER.NXE */
    mov ecx, 0xc0000080
    rdmsr
    or eax, 0x800
    wrmsr
    call paging_on_pae
    EXPECT "code runs", eax, eax
    mov eax, [page_a]
    EXPECT_PAGE "A", page_a, 0x23
    mov [page_a], eax
    EXPECT_PAGE "D", page_a, 0x63
    mov ebx, offset page_a
    shr ebx, 12
    lea ebx, [pae_tab + ebx * 8]
    /* NX */
    mov byte ptr [page_a], 0xc3
    NOFAULT "call into an executable page", call page_a
    or dword ptr [ebx + 4], 0x80000000
    invlpg [page_a]
    FAULT_EXPECTED 1f
    call page_a
1:  EXPECT_FAULT "fetch from an NX page", 14, 0x11
    EXPECT "CR2", "dword ptr [fault_cr2]", "offset page_a"
    EXPECT "eip", "dword ptr [fault_eip]", "offset page_a"
    NOFAULT "read of an NX page", mov eax, [page_a]
    NOFAULT "write of an NX page", mov [page_a], eax
    mov dword ptr [ebx], 0
    invlpg [page_a]
    FAULT_EXPECTED 1f
    call page_a
1:  EXPECT_FAULT "fetch from a page not present: I/D is set", 14, 0x10
    mov eax, offset page_a + 7
    mov [ebx], eax
    invlpg [page_a]
    USER u_fetch
    EXPECT_FAULT "user fetch from an NX page", 14, 0x15
    and dword ptr [ebx + 4], 0x7fffffff
    mov eax, offset page_a + 7
    mov [ebx], eax
    /* NX in the directory */
    or dword ptr [pae_dir + 8 + 4], 0x80000000 /* 2..4 MiB */
    mov eax, cr3
    mov cr3, eax
    mov byte ptr [0x300000], 0xc3
    FAULT_EXPECTED 1f
    mov eax, 0x300000
    call eax
1:  EXPECT_FAULT "NX by the directory", 14, 0x11
    and dword ptr [pae_dir + 8 + 4], 0x7fffffff
    mov eax, cr3
    mov cr3, eax
    NOFAULT "and without it", call eax_300000
    /* reserved bits */
    or dword ptr [ebx + 4], 0x40000000
    invlpg [page_a]
    FAULT "reserved bit 62 of a PTE", 14, 9, mov eax, [page_a]
    FAULT "reserved bit, write", 14, 0xb, mov [page_a], eax
    mov dword ptr [ebx + 4], 0x00080000 /* bit 51: beyond MAXPHYADDR */
    invlpg [page_a]
    FAULT "reserved bit 51 of a PTE", 14, 9, mov eax, [page_a]
    mov dword ptr [ebx + 4], 0
    invlpg [page_a]
    /* 2-MiB page */
    mov dword ptr [pae_dir + 0x20 * 8], P_P | P_W | P_PS
    mov dword ptr [pae_dir + 0x20 * 8 + 4], 0
    mov eax, [0x4100000]
    EXPECT "2-MiB page at 64 MiB maps 0", eax, 0x1badb002
    mov dword ptr [0x4000600], 0x7117
    EXPECT "write through it", "dword ptr [0x600]", 0x7117
    EXPECT "A and D", "dword ptr [pae_dir + 0x100]", 0xe3
    mov dword ptr [pae_dir + 0x20 * 8], P_P | P_W | P_PS | 0x2000
    invlpg [0x4000000]
    FAULT "reserved bit 13 of a 2-MiB entry", 14, 9, mov eax, [0x4000600]
    FAULT "PDPTE not present", 14, 0, mov eax, [0x40000000]
    /* PDPTEs are loaded by MOV CR3, and checked then. */
    mov dword ptr [pae_pdpt + 8], offset pae_dir + 1
    mov eax, [0x600]
    mov ecx, cr3
    mov cr3, ecx
    mov eax, [0x40000600]
    EXPECT "second PDPTE after MOV CR3", eax, 0x7117
    mov dword ptr [pae_pdpt + 16], 0x1e7 /* reserved bits */
    FAULT "MOV CR3 with a reserved bit in a PDPTE", 13, 0, mov cr3, ecx
    mov dword ptr [pae_pdpt + 16], 0x1e6
    NOFAULT "reserved bits of one not present do not count", mov cr3, ecx
    /* NX without EFER.NXE is a reserved bit. */
    or dword ptr [ebx + 4], 0x80000000
    mov ecx, 0xc0000080
    rdmsr
    and eax, ~0x800
    wrmsr
    invlpg [page_a]
    FAULT "bit 63 without NXE", 14, 9, mov eax, [page_a]
    mov dword ptr [ebx + 4], 0
    mov dword ptr [ebx], 0
    invlpg [page_a]
    FAULT_EXPECTED 1f
    call page_a
1:  EXPECT_FAULT "fetch without NXE: no I/D", 14, 0
    call paging_off
    mov eax, cr4
    and eax, ~0x20
    mov cr4, eax
    ret
    .section .user
u_fetch: jmp page_a
    .set eax_300000, 0x300000
