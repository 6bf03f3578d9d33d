/* SPDX-License-Identifier: MIT */
/* escape_stale.S - Translations of code whose page is mapped elsewhere, or written through another address, while its blocks are hot and linked: INVLPG, CR3, both between CALL and RET and from within the page. SDM vol. 3A, 4.10.4 and 8.1.3. */
#include "guest.inc"
#include "paging.inc"
    .text
    .globl test_main
test_main:
    call paging_on
    mov [saved], esp
    /* two pages with the same loop, different constants */
    mov esi, offset loop_code
    mov edi, offset page_a
    mov ecx, offset loop_end - loop_code
    cld
    rep movsb
    mov esi, offset loop_code
    mov edi, offset page_b
    mov ecx, offset loop_end - loop_code
    rep movsb
    mov byte ptr [page_b + (loop_add - loop_code) + 2], 5
    mov esi, offset win
    /* win is not identity mapped: in turns to page_a and page_b */
.macro MAP_WIN page
    mov eax, offset \page + P_P + P_W
    mov [ebp], eax
.endm
    mov ebp, offset win
    shr ebp, 10
    and ebp, -4
    add ebp, offset page_tab /* its entry */
    xor ebx, ebx
    mov edi, 200
1:  MAP_WIN page_a
    invlpg [win]
    mov ecx, 20
    call esi
    MAP_WIN page_b
    invlpg [win]
    mov ecx, 20
    call esi
    dec edi
    jnz 1b
    EXPECT "INVLPG", ebx, 200*20*6
    xor ebx, ebx
    mov edi, 200
1:  MAP_WIN page_a
    mov eax, cr3
    mov cr3, eax
    mov ecx, 20
    call esi
    MAP_WIN page_b
    mov eax, cr3
    mov cr3, eax
    mov ecx, 20
    call esi
    dec edi
    jnz 1b
    EXPECT "CR3", ebx, 200*20*6
    /* written through the identity address while the loop at win is hot and linked to itself */
    xor ebx, ebx
    mov edi, 200
    MAP_WIN page_a
    invlpg [win]
1:  mov byte ptr [page_a + (loop_add - loop_code) + 2], 2
    mov ecx, 20
    call esi
    mov byte ptr [page_a + (loop_add - loop_code) + 2], 7
    mov ecx, 20
    call esi
    dec edi
    jnz 1b
    EXPECT "alias written", ebx, 200*20*9
    /* ... by the loop itself, through the alias, in each turn */
    mov esi, offset self_code
    mov edi, offset page_a
    mov ecx, offset self_end - self_code
    rep movsb
    xor ebx, ebx
    mov ecx, 100
    mov edx, offset page_a + (self_add - self_code) + 2
    mov eax, offset win
    call eax
    EXPECT "alias written from within", ebx, 5050
    /* the page is remapped by the code in it: what follows is the other page's */
    mov esi, offset swap_code
    mov edi, offset page_a
    mov ecx, offset swap_end - swap_code
    rep movsb
    mov esi, offset swap_code
    mov edi, offset page_b
    mov ecx, offset swap_end - swap_code
    rep movsb
    mov byte ptr [page_b + (swap_add - swap_code) + 2], 3
    xor ebx, ebx
    mov edi, 200
1:  MAP_WIN page_a
    invlpg [win]
    mov edx, offset page_b + P_P + P_W
    mov eax, offset win
    call eax
    MAP_WIN page_b
    invlpg [win]
    mov edx, offset page_a + P_P + P_W
    mov eax, offset win
    call eax
    dec edi
    jnz 1b
    EXPECT "remapped from within", ebx, 200*4
    /* remapped between a CALL in the page and the RET to it */
    mov esi, offset out_code
    mov edi, offset page_a
    mov ecx, offset out_end - out_code
    rep movsb
    mov esi, offset out_code
    mov edi, offset page_b
    mov ecx, offset out_end - out_code
    rep movsb
    mov byte ptr [page_b + (out_add - out_code) + 2], 3
    xor ebx, ebx
    mov edi, 200
    mov edx, offset do_swap
1:  MAP_WIN page_a
    invlpg [win]
    mov ecx, offset page_b + P_P + P_W
    mov eax, offset win
    call eax
    MAP_WIN page_b
    invlpg [win]
    mov ecx, offset page_a + P_P + P_W
    mov eax, offset win
    call eax
    dec edi
    jnz 1b
    EXPECT "remapped between CALL and RET", ebx, 200*4
    /* ... to nothing: the RET faults at its target, and works when the page is back */
    MAP_WIN page_a
    invlpg [win]
    xor ebx, ebx
    mov ecx, 0
    mov eax, offset win
    FAULT_EXPECTED 2f
    call eax
2:  EXPECT_FAULT "unmapped between CALL and RET", 14, 0
    EXPECT "unmapped: eip", "dword ptr [fault_eip]", "offset win+(out_add-out_code)"
    EXPECT "unmapped: cr2", "dword ptr [fault_cr2]", "offset win+(out_add-out_code)"
    EXPECT "unmapped: nothing ran", ebx, 0
    /* without an INVLPG the old translation may be used, but the new one at the latest after it: a page that was
     * not present needs none */
    mov eax, offset page_b + P_P + P_W
    mov [ebp], eax
    mov eax, offset win + (out_add - out_code)
    call eax
    EXPECT "present again, without INVLPG", ebx, 3
    /* the page becomes a supervisor page while CPL 3 loops in it; and back */
    PAGE page_c, P_P|P_W|P_U
    mov dword ptr [page_c], 0xfd75c943 /* inc ebx; ...: see below */
    mov esi, offset user_loop
    mov edi, offset page_c
    mov ecx, offset user_loop_end - user_loop
    rep movsb
    xor ebx, ebx
    mov ecx, 1000
    USER page_c
    EXPECT "user loop", ebx, 1000
    EXPECT "user loop: vector", "dword ptr [fault_vector]", 0x30
    PAGE page_c, P_P|P_W
    xor ebx, ebx
    mov ecx, 1000
    USER page_c
    EXPECT_FAULT "supervisor page", 14, 5
    EXPECT "supervisor page: eip", "dword ptr [fault_eip]", "offset page_c"
    EXPECT "supervisor page: nothing ran", ebx, 0
    mov ecx, 10
    push offset 3f
    mov eax, offset page_c
    mov byte ptr [page_c + (user_loop_int - user_loop)], 0xc3
    jmp eax
3:  EXPECT "at CPL 0", ebx, 10
    call paging_off
    ret
loop_code:
loop_add: add ebx, 1
    dec ecx
    jnz loop_code
    ret
loop_end:
self_code:
self_add: add ebx, 1
    inc byte ptr [edx]
    dec ecx
    jnz self_code
    ret
self_end:
swap_code:
    mov [ebp], edx
    invlpg [win]
swap_add: add ebx, 1
    ret
swap_end:
out_code:
    call edx
out_add: add ebx, 1
    ret
out_end:
do_swap:
    mov [ebp], ecx
    invlpg [win]
    ret
user_loop:
    inc ebx
    dec ecx
    jnz user_loop
user_loop_int:
    USER_EXIT
user_loop_end:
    .data
saved: .long 0
    .section .pages
    .align 4096
win: .skip 4096
