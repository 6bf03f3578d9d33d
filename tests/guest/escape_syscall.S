/* SPDX-License-Identifier: MIT */
/* escape_syscall.S - Returns of CPL 3 behind a system call, which its host return stack has outlived or not: after calls and recursion in the kernel, with code rewritten or mapped elsewhere by it, with another ESP, EIP or return address. SDM vol. 2, SYSENTER, SYSEXIT; vol. 3A, 4.10.4 and 8.1.3. */
#include "guest.inc"
#include "paging.inc"
#define ROUNDS 50
#define DEEP 9000 /* more than the return stack holds */
    .text
    .globl test_main
test_main:
    DESC SEL_FREE0, 0, 0xfffff, 0x9b, DESC_32G
    DESC SEL_FREE1, 0, 0xfffff, 0x93, DESC_32G
    DESC SEL_FREE2, 0, 0xfffff, 0xfb, DESC_32G
    DESC SEL_FREE3, 0, 0xfffff, 0xf3, DESC_32G
    xor edx, edx
    mov ecx, 0x174
    mov eax, SEL_FREE0
    wrmsr
    mov ecx, 0x175
    mov eax, offset s_stack
    wrmsr
    mov ecx, 0x176
    mov eax, offset s_enter
    wrmsr
    GATE idt+8*0x31, SEL_CODE32, "offset s_int", 0xee
    USER u_plain
    EXPECT "plain", ebx, ROUNDS
    USER u_rewrite
    EXPECT "code rewritten by the kernel", ebx, ROUNDS*(ROUNDS+1)/2
    USER u_rewrite_no
    EXPECT "the same code afterwards", ebx, ROUNDS*ROUNDS
    USER u_pop
    EXPECT "the kernel returns for the caller", ebx, ROUNDS*ROUNDS
    USER u_eip
    EXPECT "another EIP", ebx, ROUNDS*(ROUNDS+7)
    USER u_address
    EXPECT "another return address", ebx, ROUNDS*(ROUNDS+9)
    USER u_recursion
    EXPECT "recursion in the kernel", ebx, ROUNDS*ROUNDS
    USER u_deep
    EXPECT "recursion at CPL 3", ebx, 3*DEEP
    USER u_int
    EXPECT "INT and IRET", ebx, ROUNDS*ROUNDS
    USER u_mixed
    EXPECT "in turns", ebx, 240*ROUNDS+48*(7+9)
    /* The page to return to is another one when it gets there. */
    mov esi, offset w_code
    mov edi, offset page_a
    mov ecx, offset w_end - w_code
    cld
    rep movsb
    mov esi, offset w_code
    mov edi, offset page_b
    mov ecx, offset w_end - w_code
    rep movsb
    mov byte ptr [page_b + (w_lea - w_code) + 3], 5
    call paging_on
    mov eax, offset win
    shr eax, 10
    and eax, -4
    add eax, offset page_tab
    mov [w_entry], eax
    mov dword ptr [eax], offset page_a + P_P + P_W + P_U
    invlpg [win]
    USER u_mapped
    mov ecx, ROUNDS
    xor eax, eax
1:  lea eax, [eax + eax * 2 + 5]
    lea eax, [eax + eax * 2 + 1]
    dec ecx
    jnz 1b
    EXPECT "mapped elsewhere by the kernel", ebx, eax
    ret
/* EDI says what to do. */
s_enter:
    call dword ptr [s_table + edi * 4]
    sysexit
    .balign 4
s_table: .long s_plain, s_rewrite, s_pop, s_eip, s_address, s_recursion, s_mapped
s_plain:
    call 1f
1:  add esp, 4
    ret
s_rewrite:
    inc byte ptr [u_add + 2]
    ret
s_pop:
    mov edx, [ecx]
    add ecx, 4
    ret
s_eip:
    mov edx, offset u_elsewhere
    ret
s_address:
    mov dword ptr [ecx], offset u_other
    ret
s_recursion:
    mov esi, DEEP
1:  call 2f
    ret
2:  dec esi
    jnz 1b
    ret
s_mapped:
    mov eax, offset page_a
    xor eax, offset page_b
    mov esi, [w_entry]
    xor [esi], eax
    invlpg [win]
    ret
/* INT 0x31: on to what it was called for. */
s_int:
    call s_plain
    iretd
    .data
    .balign 4
w_entry: .long 0
    .bss
    .skip 65536
s_stack:
    .section .pages, "aw", @nobits
    .balign 4096
win: .skip 4096
    .section .user
u_call:
    mov ecx, esp
    mov edx, offset u_back
    sysenter
u_elsewhere:
    add ebx, 7
u_back:
    ret
u_other:
    add ebx, 9
    jmp u_add
u_middle:
    call u_call
u_add:
    add ebx, 0
    ret
.macro CASE name, op
\name:
    mov edi, \op
    jmp u_run
.endm
    CASE u_plain_, 0
u_plain:
    mov byte ptr [u_add + 2], 1
    jmp u_plain_
    CASE u_rewrite_, 1
u_rewrite:
    mov byte ptr [u_add + 2], 0
    jmp u_rewrite_
    CASE u_rewrite_no, 0
    CASE u_pop, 2
    CASE u_eip, 3
    CASE u_address, 4
    CASE u_recursion, 5
u_run:
    xor ebx, ebx
    mov ebp, ROUNDS
1:  call u_middle
    dec ebp
    jnz 1b
    USER_EXIT
u_mixed:
    xor ebx, ebx
    mov ebp, 240
    xor edi, edi
1:  call u_middle
    inc edi
    cmp edi, 1 /* not s_rewrite */
    jne 2f
    inc edi
2:  cmp edi, 6
    jb 3f
    xor edi, edi
3:  dec ebp
    jnz 1b
    USER_EXIT
u_deep:
    mov esp, offset u_stack
    xor ebx, ebx
    xor edi, edi
    mov ebp, DEEP
    call u_level
    mov edi, 5
    mov ebp, DEEP
    call u_level
    mov edi, 3
    mov ebp, DEEP
    call u_level
    sub ebx, 7 * (DEEP / 1024)
    USER_EXIT
u_level:
    test ebp, 1023
    jnz 1f
    call u_call
1:  dec ebp
    jz 2f
    call u_level
2:  inc ebx
    ret
u_int:
    xor ebx, ebx
    mov ebp, ROUNDS
1:  call u_int_middle
    dec ebp
    jnz 1b
    USER_EXIT
u_int_middle:
    call u_int_call
    add ebx, ROUNDS
    ret
u_int_call:
    int 0x31
    ret
u_mapped:
    xor ebx, ebx
    mov edi, 6
    mov ebp, 2 * ROUNDS
1:  mov eax, offset win
    call eax
    dec ebp
    jnz 1b
    USER_EXIT
w_code: /* at win */
    mov eax, offset u_call
    call eax
w_lea: lea ebx, [ebx + ebx * 2 + 1]
    ret
w_end:
    .balign 4
    .skip 65536
u_stack:
