/* SPDX-License-Identifier: MIT */
/* smc_beside.S - Data beside code: writes of all sizes next to code, many times, then onto it: same block, next instruction, other block, other page, through an alias; rights that change meanwhile. SDM vol. 3A, 9.1.3, 4.10.4. */
#include "guest.inc"
#include "paging.inc"
    /* mov eax, imm32; ret, at byte `at` of a page */
    .macro FUNCTION at, value
    mov byte ptr [\at], 0xb8
    mov dword ptr [\at + 1], \value
    mov byte ptr [\at + 5], 0xc3
    .endm
    .text
    .globl test_main
test_main:
    /* code that counts in its own page, right before and right behind itself */
    mov dword ptr [count_before], 0
    mov dword ptr [count_behind], 0
    mov ecx, 3000
1:  call counting
    loop 1b
    EXPECT "count right before the code", "dword ptr [count_before]", 3000
    EXPECT "count right behind the code", "dword ptr [count_behind]", 3000
    /* now the same kind of write changes the code: the next instruction */
    mov ecx, 300
    mov ebx, offset scratch
    mov edx, 0
2:  cmp ecx, 100
    jne 3f
    mov ebx, offset 4f + 1 - 8
3:  inc byte ptr [ebx + 8]
4:  mov al, 0
    movzx eax, al
    add edx, eax
    loop 2b
    EXPECT "next instruction, by a write that went beside it before", edx, 5050
    /* all sizes, the last write of each reaches the code at page_a + 64 */
    FUNCTION page_a+64, 0x11111111
    .irp size, 1, 2, 4, 8, 16
    mov ebx, offset page_a + 64 - \size
    call sweep_\size
    EXPECT "writes up to the code, \size bytes", eax, 0x11111111
    .endr
    FUNCTION page_a+64, 0
    mov ecx, 40
    mov esi, 0
9:  mov eax, ecx
    shl eax, 24
    or eax, 0xb80000
    mov [page_a + 62], eax
    call page_a + 64
    add esi, eax
    loop 9b
    EXPECT "four bytes over its start", esi, 820
    FUNCTION page_a+64, 0x22222222
    mov ebx, offset page_a + 64 + 1
    call sweep_2
    EXPECT "two bytes inside", eax, 0x2222a5a5
    FUNCTION page_a+64, 0x33333333
    mov ebx, offset page_a + 64 + 4
    call sweep_1
    EXPECT "one byte inside", eax, 0xa5333333
    FUNCTION page_a+64, 0x44444444
    mov ebx, offset page_a + 64 + 6
    call sweep_16
    EXPECT "right behind", eax, 0x44444444
    /* a write around a block of one byte: RET becomes NOP; MOV EAX; RET */
    mov byte ptr [page_a + 1024 + 2], 0xc3
    mov eax, 7
    call page_a + 1026
    mov dword ptr [page_a + 1024 + 8], 0
    mov ecx, 100
5:  inc dword ptr [page_a + 1024 + 8]
    call page_a + 1026
    loop 5b
    mov dword ptr [page_a + 1024 + 3], 0x00000009
    mov byte ptr [page_a + 1024 + 7], 0xc3
    mov dword ptr [page_a + 1024], 0x09b890c3
    call page_a + 1026
    EXPECT "four bytes around a block of one", eax, 9
    /* a write that leaves the page onto code of the next */
    FUNCTION page_b, 0x55555555
    FUNCTION page_a+4000, 0x66666666
    call page_a + 4000
    call page_b
    mov edx, 200
    mov ebx, offset page_a + 4090
6:  mov dword ptr [ebx], 0x778800b8
    call page_a + 4000
    mov ebx, offset page_a + 4090
    dec edx
    jz 7f
    cmp edx, 1
    jne 6b
    mov ebx, offset page_a + 4095
    jmp 6b
7:  mov byte ptr [page_b], 0xb8
    call page_b
    EXPECT "over the page's end", eax, 0x55557788
    /* code that appears where data was written */
    FUNCTION page_c+256, 1
    mov ecx, 100
7:  mov dword ptr [page_c + 512], 0x000002b8
    call page_c + 256
    loop 7b
    mov word ptr [page_c + 516], 0xc300
    call page_c + 512
    EXPECT "code where data was", eax, 2
    mov ecx, 50
    mov esi, 0
8:  mov dword ptr [page_c + 513], ecx
    call page_c + 512
    add esi, eax
    loop 8b
    EXPECT "changed each time", esi, 1275
    call with_paging
    ret

    /* Writes at ebx 40 times, the last value a5.., calling the function at page_a + 64 between. */
    .macro SWEEP size, store:vararg
sweep_\size:
    mov ecx, 40
1:  call page_a + 64
    \store
    loop 1b
    jmp page_a + 64
    .endm
    SWEEP 1, mov byte ptr [ebx], 0xa5
    SWEEP 2, mov word ptr [ebx], 0xa5a5
    SWEEP 4, mov dword ptr [ebx], 0xa5a5a5a5
sweep_8:
    mov ecx, 40
1:  call page_a + 64
    fild qword ptr [filler]
    fistp qword ptr [ebx]
    loop 1b
    jmp page_a + 64
sweep_16:
    mov ecx, 40
1:  call page_a + 64
    push ecx
    mov esi, offset filler
    mov edi, ebx
    mov ecx, 4
    cld
    rep movsd
    pop ecx
    loop 1b
    jmp page_a + 64

with_paging:
    call paging_on
    /* page_c is page_a, too */
    mov ebx, offset page_c
    shr ebx, 12
    mov eax, offset page_a + P_P + P_W
    mov [page_tab + ebx * 4], eax
    invlpg [page_c]
    FUNCTION page_a+64, 0x10
    mov ecx, 200
1:  inc dword ptr [page_c + 128] /* data, through the alias */
    inc dword ptr [page_a + 132]
    call page_a + 64
    loop 1b
    EXPECT "data through an alias", eax, 0x10
    mov ecx, 100
    mov esi, 0
2:  inc dword ptr [page_c + 128]
    inc byte ptr [page_c + 65]
    call page_a + 64
    add esi, eax
    loop 2b
    EXPECT "code changed through an alias", esi, 6650
    /* the alias goes elsewhere: its writes must, too */
    mov eax, offset page_b + P_P + P_W
    mov [page_tab + ebx * 4], eax
    invlpg [page_c]
    mov eax, [page_a + 128]
    mov dword ptr [page_b + 128], 5
    inc dword ptr [page_c + 128]
    EXPECT "remapped: old page", "dword ptr [page_a+128]", eax
    EXPECT "remapped: new page", "dword ptr [page_b+128]", 6
    /* the page becomes read-only: CR0.WP */
    mov edx, offset page_a
    shr edx, 12
    mov ecx, 100
3:  inc dword ptr [page_a + 128]
    call page_a + 64
    loop 3b
    mov eax, cr0
    or eax, 0x10000
    mov cr0, eax
    and dword ptr [page_tab + edx * 4], ~P_W
    invlpg [page_a]
    FAULT "read-only", 14, 3, inc dword ptr [page_a+128]
    /* D is set again after it was cleared */
    or dword ptr [page_tab + edx * 4], P_W
    and dword ptr [page_tab + edx * 4], ~P_D
    invlpg [page_a]
    inc dword ptr [page_a + 128]
    mov eax, [page_tab + edx * 4]
    and eax, P_D
    EXPECT "D is set by a write beside code", eax, P_D
    mov eax, cr0
    and eax, ~0x10000
    mov cr0, eax
    call paging_off
    ret

    .balign 4096
    .skip 60
count_before: .long 0
counting:
    inc dword ptr [count_before]
    inc dword ptr [count_behind]
    ret
count_behind: .long 0
    .data
    .balign 16
filler: .fill 4, 4, 0x5a5a5a5a
scratch: .skip 16
