/* SPDX-License-Identifier: MIT */
/* pf_fill.S - #PF whose handler maps the page; it is unmapped again after the access. */
#define ROUNDS 500
#include "slow.inc"
#include "paging.inc"
    .text
setup:
    HANDLE 14, missing
    jmp paging_on
missing:
    add esp, 4
    or PTE(0x400000), P_P
    iretd
rounds:
    and PTE(0x400000), ~P_P
    invlpg [0x400000]
    inc dword ptr [0x400000]
    dec ebp
    jnz rounds
    ret
