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
    /* the same instructions over and over, so that whatever adapts to them has done so */
    mov dword ptr [page_b], 0x11223344
    cld
    stac
    mov ebp, 40
1:  call one_read
    call one_copy
    dec ebp
    jnz 1b
    EXPECT "copies while AC is set", "dword ptr [page_a]", 0x11223344
    clac
    FAULT_EXPECTED 1f
    call one_read
1:  EXPECT_FAULT "the same read with AC clear", 14, 1
    FAULT_EXPECTED 1f
    call one_copy
1:  EXPECT_FAULT "the same copy with AC clear", 14, 3
    mov dword ptr [page_b], 0x55667788
    stac
    call one_copy
    EXPECT "AC set again", "dword ptr [page_a]", 0x55667788
    SET_FLAGS 0x240002
    call one_read
    EXPECT "AC and ID set", eax, 0x55667788
    clac
    FAULT_EXPECTED 1f
    call one_read
1:  EXPECT_FAULT "ID does not stand in for AC", 14, 1
    mov eax, cr0
    or eax, 0x10000 /* WP */
    mov cr0, eax
    stac
    PAGE page_a, P_P|P_U
    invlpg [page_a]
    FAULT_EXPECTED 1f
    call one_copy
1:  EXPECT_FAULT "a read-only user page", 14, 3
    NOFAULT "reads of it", call one_read
    PAGE page_a, P_P|P_W|P_U
    invlpg [page_a]
    mov eax, cr0
    and eax, ~0x10000
    mov cr0, eax
    SET_FLAGS 2
    /* implicit supervisor access: AC does not help at CPL 3; the GDT moved to a user page */
    USER u_stac
    EXPECT_FAULT "STAC at CPL 3", 6, 0
    mov eax, cr4
    and eax, ~0x300000
    mov cr4, eax
    call paging_off
    ret
one_read:
    mov eax, [page_a]
    ret
one_copy:
    mov esi, offset page_b
    mov edi, offset page_a
    mov ecx, 4
    rep movsb
    ret
    .section .user
u_ok: nop
    USER_EXIT
u_data: mov eax, [page_a]
    USER_EXIT
u_stac: stac
