/* SPDX-License-Identifier: MIT */
/* paging_2level.S - Two-level paging: P, R/W, U/S, WP, error codes, CR2, A and D, table and entry rights combined, 4-MiB pages. SDM vol. 3A, chapter 4. */
#include "guest.inc"
#include "paging.inc"
    .text
    .globl test_main
test_main:
    call paging_on
    mov eax, [page_a]
    EXPECT_PAGE "read sets A", page_a, 0x23
    mov [page_a], eax
    EXPECT_PAGE "write sets D", page_a, 0x63
    EXPECT_PAGE "neighbour untouched", page_b, 0x03
    cmpxchg [page_c], ecx
    EXPECT_PAGE "cmpxchg sets D", page_c, 0x63
    EXPECT "A in the directory", "dword ptr [page_dir]", "offset page_tab+0x27"
    PAGE page_b, 0
    FAULT "read of a page not present", 14, 0, mov eax, [page_b + 0x123]
    EXPECT "CR2", "dword ptr [fault_cr2]", "offset page_b+0x123"
    FAULT "write of a page not present", 14, 2, mov [page_b + 4], eax
    FAULT "read-modify-write: W is set at once", 14, 2, add [page_b], eax
    FAULT "beyond the tables", 14, 0, mov eax, [0x800000]
    EXPECT "CR2", "dword ptr [fault_cr2]", 0x800000
    FAULT "highest address", 14, 2, mov byte ptr [0xffffffff], 0
    EXPECT "CR2", "dword ptr [fault_cr2]", 0xffffffff
    /* CR0.WP */
    PAGE page_b, P_P
    NOFAULT "supervisor writes read-only, WP 0", mov [page_b], eax
    EXPECT_PAGE "and D is set", page_b, 0x61
    mov eax, cr0
    or eax, 0x10000
    mov cr0, eax
    FAULT "supervisor writes read-only, WP 1", 14, 3, mov [page_b], eax
    PAGE page_b, P_P
    FAULT "again", 14, 3, or dword ptr [page_b], 0
    EXPECT_PAGE "a failed write sets no D, and A may stay clear", page_b, P_P
    and dword ptr [page_dir + 4], ~P_W
    mov eax, cr3
    mov cr3, eax
    FAULT "read-only by the directory", 14, 3, mov [0x500000], eax
    mov eax, cr0
    and eax, ~0x10000
    mov cr0, eax
    or dword ptr [page_dir + 4], P_W
    mov eax, cr3
    mov cr3, eax
    NOFAULT "writable again", mov [0x500000], eax
    /* CPL 3 */
    PAGE page_a, P_P|P_W
    PAGE page_b, P_P|P_U
    PAGE page_c, P_P|P_W|P_U
    USER u_read_a
    EXPECT_FAULT "user reads supervisor page", 14, 5
    EXPECT "CR2", "dword ptr [fault_cr2]", "offset page_a"
    USER u_write_a
    EXPECT_FAULT "user writes supervisor page", 14, 7
    USER u_write_b
    EXPECT_FAULT "user writes read-only page", 14, 7
    EXPECT "eip", "dword ptr [fault_eip]", "offset u_write_b_at"
    USER u_write_c
    EXPECT_FAULT "user writes user page", 0x30, 0
    EXPECT_PAGE "D", page_c, 0x67
    USER u_fetch
    EXPECT_FAULT "user fetches supervisor page", 14, 5
    EXPECT "eip is the target", "dword ptr [fault_eip]", "offset page_a"
    PAGE page_c, 0
    USER u_write_c
    EXPECT_FAULT "user writes page not present", 14, 6
    and dword ptr [page_dir], ~P_U
    mov eax, cr3
    mov cr3, eax
    USER u_write_b
    EXPECT_FAULT "supervisor by the directory: fetch", 14, 5
    EXPECT "CR2", "dword ptr [fault_cr2]", "offset u_write_b"
    or dword ptr [page_dir], P_U
    mov eax, cr3
    mov cr3, eax
    /* implicit supervisor accesses from CPL 3: the GDT in a supervisor page */
    USER u_load_ds
    EXPECT_FAULT "descriptor loads are supervisor accesses", 0x30, 0
    /* 4-MiB pages */
    mov eax, cr4
    or eax, 0x10
    mov cr4, eax
    mov dword ptr [page_dir + 0x20 * 4], P_P | P_W | P_PS
    NOFAULT "4-MiB page at 128 MiB maps 0", mov eax, [0x8100000]
    EXPECT "multiboot header through it", eax, 0x1badb002
    EXPECT "A in the 4-MiB entry", "dword ptr [page_dir + 0x80]", 0xa3
    mov dword ptr [0x8000600], 0x6006
    EXPECT "write through it", "dword ptr [0x600]", 0x6006
    EXPECT "D in the 4-MiB entry", "dword ptr [page_dir + 0x80]", 0xe3
    mov dword ptr [page_dir + 0x20 * 4], P_P | P_PS
    mov eax, cr0
    or eax, 0x10000
    mov cr0, eax
    invlpg [0x8000000]
    FAULT "read-only 4-MiB page", 14, 3, mov [0x8000600], eax
    mov dword ptr [page_dir + 0x20 * 4], P_P | P_PS | 0x200000
    invlpg [0x8000000]
    FAULT "reserved bit in a 4-MiB entry", 14, 9, mov eax, [0x8000600]
    mov dword ptr [page_dir + 0x20 * 4], P_PS | 0x200000
    FAULT "not present wins over reserved", 14, 0, mov eax, [0x8000600]
    mov eax, cr4
    and eax, ~0x10
    mov cr4, eax
    call paging_off
    NOFAULT "paging off", mov eax, [page_b]
    ret
    .section .user
u_read_a: mov eax, [page_a]
u_write_a: mov [page_a], eax
u_write_b:
    mov eax, [page_b]
u_write_b_at:
    mov [page_b], eax
u_write_c:
    mov [page_c], eax
    USER_EXIT
u_fetch: jmp page_a
u_load_ds:
    mov ax, SEL_UDATA32
    mov fs, ax
    USER_EXIT
