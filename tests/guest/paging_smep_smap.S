/* SPDX-License-Identifier: MIT */
/* paging_smep_smap.S - SMEP and SMAP, EFLAGS.AC, STAC, CLAC, implicit accesses. SDM vol. 3A, 4.6. */
#include "guest.inc"
#include "paging.inc"
    .text
    .globl test_main
test_main:
    mov eax, 7
    xor ecx, ecx
    cpuid
    and ebx, 0x100080
    EXPECT "CPUID says SMEP and SMAP", ebx, 0x100080
    call paging_on
    PAGE page_a, P_P|P_W|P_U
    PAGE page_b, P_P|P_W
    mov byte ptr [page_a], 0xc3
    NOFAULT "call of a user page without SMEP", call page_a
    mov eax, cr4
    or eax, 0x100000
    mov cr4, eax
    FAULT_EXPECTED 1f
    call page_a
1:  EXPECT_FAULT "SMEP: fetch from a user page, I/D set", 14, 0x11
    EXPECT "CR2", "dword ptr [fault_cr2]", "offset page_a"
    NOFAULT "SMEP: data is free", mov eax, [page_a]
    USER u_ok
    EXPECT_FAULT "SMEP: CPL 3 runs", 0x30, 0
    mov eax, cr4
    xor eax, 0x300000
    mov cr4, eax
    SET_FLAGS 2
    FAULT "SMAP: read of a user page", 14, 1, mov eax, [page_a]
    EXPECT "CR2", "dword ptr [fault_cr2]", "offset page_a"
    FAULT "SMAP: write", 14, 3, mov [page_a], eax
    NOFAULT "SMAP: supervisor page", mov [page_b], eax
    stac
    EXPECT_FLAGS "STAC", 0x40000, 0x40000
    NOFAULT "AC set: read", mov eax, [page_a]
    NOFAULT "AC set: write", mov [page_a], eax
    clac
    EXPECT_FLAGS "CLAC", 0x40000, 0
    FAULT "AC clear again", 14, 1, mov eax, [page_a]
    SET_FLAGS 0x40002
    NOFAULT "AC by POPF", mov eax, [page_a]
    mov eax, [page_b]
    EXPECT_FLAGS "AC is still set", 0x40000, 0x40000
    SET_FLAGS 2
    USER u_data
    EXPECT_FAULT "CPL 3 reads its data", 0x30, 0
    /* implicit supervisor access: AC does not help at CPL 3; the GDT moved to a user page */
    USER u_stac
    EXPECT_FAULT "STAC at CPL 3", 6, 0
    mov eax, cr4
    and eax, ~0x300000
    mov cr4, eax
    call paging_off
    ret
    .section .user
u_ok: nop
    USER_EXIT
u_data: mov eax, [page_a]
    USER_EXIT
u_stac: stac
