/* SPDX-License-Identifier: MIT */
/* restart.S - Instructions that fault in a later step change nothing and run again: PUSH, POP, CALL, PUSHA, ENTER, XCHG, REP... SDM vol. 3A, 6.5 and 6.6. */
#include "guest.inc"
#include "paging.inc"
    .text
    .globl test_main
test_main:
    call paging_on
    PAGE page_b, 0
    PAGE page_c, P_P
    mov eax, cr0
    or eax, 0x10000
    mov cr0, eax
    mov dword ptr [page_a + 4092], 0xabcdef01
    /* memory operand missing: ESP stays */
    mov ebx, esp
.macro RS name, error, cr2, insn:vararg
    FAULT "\name", 14, \error, \insn
    EXPECT "\name: CR2", "dword ptr [fault_cr2]", "offset \cr2"
    EXPECT_ESP "\name: esp", ebx
.endm
    RS "push mem", 0, page_b, push dword ptr [page_b]
    RS "call mem", 0, page_b, call dword ptr [page_b]
    RS "jmp mem", 0, page_b, jmp dword ptr [page_b]
    RS "call far mem", 0, page_b, call fword ptr [page_b]
    push 0x1111
    mov ebx, esp
    RS "pop mem not present", 2, page_b, pop dword ptr [page_b]
    RS "pop mem read-only", 3, page_c, pop dword ptr [page_c]
    pop eax
    EXPECT "the value is still there", eax, 0x1111
    mov ebx, esp
    mov eax, 0x22
    mov ecx, 0x33
    RS "xchg", 3, page_c, xchg eax, [page_c]
    RS "xadd", 3, page_c, xadd [page_c], eax
    RS "cmpxchg writes even if unequal", 3, page_c, cmpxchg [page_c], ecx
    EXPECT "eax kept", eax, 0x22
    SET_FLAGS 0x8d7
    RS "add: flags", 3, page_c, add dword ptr [page_c], 1
    mov eax, [fault_eflags]
    and eax, 0x8d5
    EXPECT "add: flags kept", eax, 0x8d5
    SET_FLAGS 0x8d7
    RS "shl: flags", 3, page_c, shl dword ptr [page_c], 3
    mov eax, [fault_eflags]
    and eax, 0x8d5
    EXPECT "shl: flags kept", eax, 0x8d5
    SET_FLAGS 2
    mov edx, 0
    RS "mul mem", 0, page_b, mul dword ptr [page_b]
    mov esi, offset page_b
    FAULT "lodsd", 14, 0, lodsd
    EXPECT "lodsd: esi", esi, "offset page_b"
    mov esi, offset page_a
    mov edi, offset page_c
    FAULT "movsd to read-only", 14, 3, movsd
    EXPECT "movsd: esi", esi, "offset page_a"
    EXPECT "movsd: edi", edi, "offset page_c"
    mov esi, offset page_a + 4088
    mov edi, offset page_a
    mov ecx, 5
    cld
    FAULT "rep movsd: the third read faults", 14, 0, rep movsd
    EXPECT "rep movsd: esi", esi, "offset page_b"
    EXPECT "rep movsd: ecx", ecx, 3
    EXPECT "rep movsd: edi", edi, "offset page_a+8"
    EXPECT "rep movsd: done part", "dword ptr [page_a + 4]", 0xabcdef01
    mov esi, offset page_a + 4092
    mov edi, offset page_a + 4092
    mov ecx, 4
    SET_FLAGS 0x895
    FAULT "repe cmpsd", 14, 0, repe cmpsd
    EXPECT "repe cmpsd: ecx", ecx, 3
    mov eax, [fault_eflags]
    and eax, 0x8d5
    EXPECT "repe cmpsd: flags are those before (vol. 2, REP)", eax, 0x895
    mov ebx, esp
    RS "cmpxchg8b", 3, page_c, cmpxchg8b [page_c]
    RS "bts", 3, page_c, bts dword ptr [page_c], 5
    RS "fstp", 3, page_c, fst dword ptr [page_c]
    fldz
    fld1
    FAULT "fstp read-only", 14, 3, fstp dword ptr [page_c]
    fnstsw ax
    and eax, 0x3800
    EXPECT "fstp: the stack did not move", eax, 0x3000
    fninit
    RS "sidt", 3, page_c, sidt [page_c]
    RS "lgdt", 0, page_b, lgdt [page_b]
    RS "lds: segment kept", 0, page_b, lds eax, [page_b]
    RS "mov m, sreg", 3, page_c, mov [page_c], ds
    RS "setc", 3, page_c, setc [page_c]
    RS "bound", 0, page_b, bound eax, [page_b]
    RS "fxsave", 3, page_c, fxsave [page_c]
    RS "fnstenv", 3, page_c, fnstenv [page_c]
    RS "frstor", 0, page_b, frstor [page_b]
    /* user stacks: the stack's page is missing */
.macro US name, esp, error, cr2, label
    FAULT_EXPECTED 76f
    push SEL_UDATA32
    push offset \esp
    push 2
    push SEL_UCODE32
    push offset \label
    call enter_user
76: EXPECT_FAULT "\name", 14, \error
    EXPECT "\name: CR2", "dword ptr [fault_cr2]", "offset \cr2"
    EXPECT "\name: esp", "dword ptr [fault_user_esp]", "offset \esp"
    EXPECT "\name: eip", "dword ptr [fault_eip]", "offset \label"
.endm
    PAGE page_a, P_P|P_W|P_U
    PAGE page_c, P_P|P_W|P_U
    PAGE page_b, 0
    mov dword ptr [page_c], 0x5a5a5a5a
    US "push, no page", page_b+0x800, 6, page_b+0x7fc, u_push
    US "pushad, no page", page_b+0x800, 6, page_b+0x7fc, u_pusha
    US "pop, no page", page_b+0x800, 4, page_b+0x800, u_pop
    US "call, no page", page_b+0x800, 6, page_b+0x7fc, u_call
    US "ret, no page", page_b+0x800, 4, page_b+0x800, u_ret
    US "enter, no page", page_b+0x800, 6, page_b+0x7fc, u_enter
    /* pusha, popa, enter, far call, iret over the edge of a page: ESP does not move */
    FAULT_EXPECTED 1f
    push SEL_UDATA32
    push offset page_c+8
    push 2
    push SEL_UCODE32
    push offset u_pusha
    call enter_user
1:  EXPECT_FAULT "pusha over the edge", 14, 6
    EXPECT "pusha over the edge: esp", "dword ptr [fault_user_esp]", "offset page_c+8"
    FAULT_EXPECTED 1f
    push SEL_UDATA32
    push offset page_a+4096-8
    push 2
    push SEL_UCODE32
    push offset u_popa
    call enter_user
1:  EXPECT_FAULT "popa over the edge", 14, 4
    EXPECT "popa over the edge: esp", "dword ptr [fault_user_esp]", "offset page_a+4096-8"
    EXPECT "popa over the edge: edi kept", edi, 0x77
    FAULT_EXPECTED 1f
    push SEL_UDATA32
    push offset page_c+4
    push 2
    push SEL_UCODE32
    push offset u_enter
    mov ebp, 0x66
    call enter_user
1:  EXPECT_FAULT "enter: the frame it makes room for is probed", 14, 6
    EXPECT "enter: esp", "dword ptr [fault_user_esp]", "offset page_c+4"
    EXPECT "enter: ebp", ebp, 0x66
    FAULT_EXPECTED 1f
    push SEL_UDATA32
    push offset page_c+4
    push 2
    push SEL_UCODE32
    push offset u_callfar
    call enter_user
1:  EXPECT_FAULT "far call over the edge", 14, 6
    EXPECT "far call: esp", "dword ptr [fault_user_esp]", "offset page_c+4"
    FAULT_EXPECTED 1f
    push SEL_UDATA32
    push offset page_a+4096-4
    push 2
    push SEL_UCODE32
    push offset u_retf
    call enter_user
1:  EXPECT_FAULT "retf over the edge", 14, 4
    EXPECT "retf: esp", "dword ptr [fault_user_esp]", "offset page_a+4096-4"
    FAULT_EXPECTED 1f
    push SEL_UDATA32
    push offset page_a+4096-8
    push 2
    push SEL_UCODE32
    push offset u_iret
    call enter_user
1:  EXPECT_FAULT "iret over the edge", 14, 4
    EXPECT "iret: esp", "dword ptr [fault_user_esp]", "offset page_a+4096-8"
    call paging_off
    ret
    .data
    .section .user
u_push: push eax
u_pusha: pushad
u_pop: pop eax
u_popa:
    mov edi, 0x77
    popad
u_call: call u_push
u_ret: ret
u_leave:
    mov ebp, offset page_b+0x800
    leave
u_enter: enter 16, 0
u_callfar: call SEL_UCODE32:u_push
u_retf: retf
u_iret: iretd
