/* SPDX-License-Identifier: MIT */
/* hole_code.S - Code where no memory is: bytes of ones, FF /7, which is no instruction. SDM vol. 2A, section 2.1; vol. 3A, 6.15. */
#include "guest.inc"
    .text
    .globl test_main
test_main:
    mov ebp, 50
1:  mov eax, 0x7ffff123
    add eax, ebp
    FAULT_EXPECTED 2f
    jmp eax
2:  cmp eax, [fault_eip]
    jne 3f
    cmp dword ptr [fault_vector], 6
    jne 3f
    dec ebp
    jnz 1b
3:  EXPECT "code in a hole", ebp, 0
    EXPECT "code in a hole: vector", "dword ptr [fault_vector]", 6
    EXPECT "code in a hole: eip", "dword ptr [fault_eip]", 0x7ffff124
    ret
