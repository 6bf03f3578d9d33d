/* SPDX-License-Identifier: MIT */
/* paging_split.S - Accesses over two pages whose second part faults write nothing; CR2 names the faulting page. SDM vol. 3A, 4.7. */
#include "guest.inc"
#include "paging.inc"
    .text
    .globl test_main
test_main:
    call paging_on
    PAGE page_b, 0
    mov dword ptr [page_b - 4], 0x11223344
.macro SPLIT name, error, insn:vararg
    FAULT "\name", 14, \error, \insn
    EXPECT "\name: CR2", "dword ptr [fault_cr2]", "offset page_b"
    EXPECT "\name: first page unchanged", "dword ptr [page_b - 4]", 0x11223344
.endm
    mov eax, 0x99999999
    SPLIT "read", 0, mov ecx, [page_b - 2]
    SPLIT "write dword", 2, mov [page_b - 2], eax
    SPLIT "write word", 2, mov [page_b - 1], ax
    SPLIT "add", 2, add [page_b - 3], eax
    SPLIT "xchg", 2, xchg [page_b - 2], eax
    EXPECT "xchg: register", eax, 0x99999999
    SPLIT "fstp qword", 2, fst qword ptr [page_b - 4]
    SPLIT "fstp tbyte", 2, fstp tbyte ptr [page_b - 2]
    SPLIT "cmpxchg8b", 2, cmpxchg8b [page_b - 4]
    mov ebx, esp
    SPLIT "fnsave", 2, fnsave [page_b - 4]
    SPLIT "sgdt", 2, sgdt [page_b - 2]
    mov edi, offset page_b - 2
    cld
    SPLIT "stosd", 2, stosd
    EXPECT "stosd: edi", edi, "offset page_b-2"
    mov edi, offset page_b - 4
    mov dword ptr [page_b - 8], 0
    mov edi, offset page_b - 8
    mov ecx, 3
    mov eax, 0x55667788
    FAULT "rep stosd: up to the page", 14, 2, rep stosd
    EXPECT "rep stosd: edi", edi, "offset page_b"
    EXPECT "rep stosd: ecx", ecx, 1
    EXPECT "rep stosd: written", "dword ptr [page_b - 4]", 0x55667788
    mov dword ptr [page_b - 4], 0x11223344
    mov esi, offset page_b - 3
    mov edi, offset page_a
    mov ecx, 8
    FAULT "rep movsb reads over the end", 14, 0, rep movsb
    EXPECT "rep movsb: ecx", ecx, 5
    EXPECT "rep movsb: CR2", "dword ptr [fault_cr2]", "offset page_b"
    /* first page missing, second present: CR2 is the start of the access */
    PAGE page_a, 0
    PAGE page_b, 3
    mov dword ptr [page_b], 0x12121212
    FAULT "first page missing", 14, 2, mov [page_b - 2], eax
    EXPECT "first page missing: CR2", "dword ptr [fault_cr2]", "offset page_b-2"
    EXPECT "second page unchanged", "dword ptr [page_b]", 0x12121212
    PAGE page_a, 3
    /* physically apart: page_b maps to page_c */
    mov ebx, offset page_b
    shr ebx, 12
    mov eax, offset page_c + 3
    mov [page_tab + ebx * 4], eax
    invlpg [page_b]
    mov dword ptr [page_b - 2], 0xaabbccdd
    EXPECT16 "split write, low half", "word ptr [page_b - 2]", 0xccdd
    EXPECT16 "split write, high half", "word ptr [page_c]", 0xaabb
    EXPECT "split read", "dword ptr [page_b - 2]", 0xaabbccdd
    lock inc dword ptr [page_b - 2]
    EXPECT "split locked", "dword ptr [page_b - 2]", 0xaabbccde
    /* an instruction over two pages: the fault is for the second page, nothing ran */
    mov byte ptr [page_b - 2], 0xb8
    mov byte ptr [page_b - 1], 0x78
    mov dword ptr [page_b], 0xc3123456
    call page_b_minus_2
    EXPECT "instruction over two pages", eax, 0x12345678
    PAGE page_b, 0
    mov eax, 7
    FAULT_EXPECTED 1f
    call page_b_minus_2
1:  EXPECT_FAULT "its second page missing", 14, 0
    EXPECT "CR2 is the second page", "dword ptr [fault_cr2]", "offset page_b"
    EXPECT "EIP is the instruction", "dword ptr [fault_eip]", "offset page_b-2"
    EXPECT "nothing ran", eax, 7
    PAGE page_b, 3
    call paging_off
    ret
    .set page_b_minus_2, page_b - 2
