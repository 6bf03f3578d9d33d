/* SPDX-License-Identifier: MIT */
/* escape_flow.S - Control flow that predictions do not expect: deep recursion, RETs without CALLs, changed stacks and return addresses, targets in the middle of instructions, 64 KiB apart, at the ends of pages and of the address space, unmapped. SDM vol. 1, 6.4; vol. 2: CALL, RET, JMP. */
#include "guest.inc"
#include "paging.inc"
#define BIG_STACK 0x1000000
#define FAR_CODE 0x1200010
#define TOP 0xfffff000
    .text
    .globl test_main
test_main:
    mov [saved], esp
    /* recursion, direct and indirect, deeper than any host stack of predictions */
.macro DEEP name, depth, entry
    mov esp, BIG_STACK
    xor ebx, ebx
    mov ecx, \depth
    mov esi, offset deep_reg
    call \entry
    EXPECT_ESP "\name: esp", BIG_STACK
    mov esp, [saved]
    EXPECT "\name", ebx, "\depth"
.endm
    DEEP "100 deep", 100, deep_rel
    DEEP "8193 deep", 8193, deep_rel
    DEEP "100000 deep", 100000, deep_rel
    DEEP "100000 deep, through a register", 100000, deep_reg
    DEEP "100000 deep, through memory", 100000, deep_mem
    /* returns that no call made */
    mov esp, BIG_STACK
    push offset 2f
    mov ecx, 100000
1:  push offset only_ret
    loop 1b
    xor ebx, ebx
    ret
only_ret:
    inc ebx
    ret
2:  EXPECT_ESP "100000 returns without a call: esp", BIG_STACK
    mov esp, [saved]
    EXPECT "100000 returns without a call", ebx, 100000
    /* longjmp out of 100 calls, 1000 times */
    mov edi, 1000
    xor edx, edx
1:  mov [jump_esp], esp
    mov ecx, 100
    call dive
    jmp 3f
landing:
    mov esp, [jump_esp]
    inc edx
    dec edi
    jnz 1b
3:  EXPECT "longjmp", edx, 1000
    EXPECT_ESP "longjmp: esp", "dword ptr [saved]"
    call plain
    EXPECT "a call afterwards", eax, 0x1234
    /* two coroutines on two stacks */
    mov esp, BIG_STACK - 0x10000
    push offset co_two
    mov [co_other], esp
    mov esp, [saved]
    xor ebx, ebx
    xor edx, edx
    mov ecx, 5000
1:  add ebx, 1
    call co_switch
    add ebx, 2
    call co_nested
    loop 1b
    EXPECT "coroutine one", ebx, 15000
    EXPECT "coroutine two", edx, 70000
    EXPECT_ESP "coroutines: esp", "dword ptr [saved]"
    /* changed return addresses: beyond an instruction, into the middle of one, the same again without change */
    xor ebx, ebx
    mov ecx, 2000
1:  mov [skip], ecx
    and dword ptr [skip], 1
    call changes
    add ebx, 0x10000 /* 6 bytes, skipped when ecx is odd */
    inc ebx
    loop 1b
    EXPECT "changed return address", ebx, 1000*65536+2000
    xor edx, edx
    mov ecx, 1000
1:  mov eax, 0
    call middle
    cmp eax, 0xc304c083
    sete bl
    movzx ebx, bl
    add edx, ebx
    mov eax, 5
    call middle + 1
    add edx, eax
    loop 1b
    EXPECT "into the middle of an instruction", edx, 10000
    mov eax, 5
    push offset 4f
    push offset middle + 1
    ret
4:  EXPECT "ret into the middle", eax, 9
    /* 32 routines 64 KiB apart, in turns, called and jumped to, returned to */
    mov edi, FAR_CODE
    xor ecx, ecx
1:  mov byte ptr [edi], 0xb8
    mov [edi + 1], ecx
    mov byte ptr [edi + 5], 0xc3
    add edi, 0x10000
    inc ecx
    cmp ecx, 32
    jb 1b
    mov ecx, 6400
    xor ebx, ebx
1:  mov edx, ecx
    and edx, 31
    shl edx, 16
    add edx, FAR_CODE
    call edx
    add ebx, eax
    push offset 5f
    push edx
    ret
5:  add ebx, eax
    push offset 6f
    jmp edx
6:  sub ebx, eax
    loop 1b
    EXPECT "64 KiB apart", ebx, 99200
    /* the same with a stale neighbour: the last one changes */
    mov dword ptr [FAR_CODE + 31 * 0x10000 + 1], 0x5555
    mov edx, FAR_CODE + 31 * 0x10000
    call edx
    EXPECT "64 KiB apart, changed", eax, 0x5555
    /* unmapped targets */
    call paging_on
    sub esp, 64
    mov ebx, esp
.macro WILD name, esp_off, eip, insn:vararg
    mov eax, \eip
    mov [target], eax
    push \eip
    FAULT_EXPECTED 79f
    mov dword ptr [fault_esp], ebx
    \insn
79: EXPECT_FAULT "\name", 14, 0
    EXPECT "\name: eip", "dword ptr [fault_eip]", \eip
    EXPECT "\name: cr2", "dword ptr [fault_cr2]", \eip
    mov eax, [fault_frame]
    add eax, 12
    sub eax, ebx
    EXPECT "\name: esp", eax, \esp_off
    mov esp, ebx
.endm
.macro WILD_ALL name, eip
    WILD "\name: ret", 0, \eip, ret
    WILD "\name: ret 4", 4, \eip, ret 4
    WILD "\name: jmp eax", -4, \eip, jmp eax
    WILD "\name: jmp mem", -4, \eip, jmp dword ptr [target]
    WILD "\name: call eax", -8, \eip, call eax
    WILD "\name: call mem", -8, \eip, call dword ptr [target]
.endm
    WILD_ALL "8 MiB", 0x800000
    WILD_ALL "middle", 0x7fffffff
    WILD_ALL "upper half", 0x80000000
    WILD_ALL "like code, 64 KiB apart", 0x40100100
    WILD_ALL "top", 0xfffffff0
    WILD_ALL "last byte", 0xffffffff
    /* the end of a page, the next one there or not */
    mov byte ptr [page_a + 4095], 0x40 /* inc eax */
    mov word ptr [page_b], 0xc340      /* inc eax; ret */
    mov dword ptr [page_c - 2], 0x75   /* unused */
    mov ecx, 100
    xor eax, eax
1:  call page_a_last
    loop 1b
    EXPECT "over the page's end", eax, 200
    PAGE page_b, 0
    xor eax, eax
    FAULT_EXPECTED 7f
    call page_a_last
7:  EXPECT_FAULT "next page gone", 14, 0
    EXPECT "next page gone: eip", "dword ptr [fault_eip]", "offset page_b"
    EXPECT "next page gone: cr2", "dword ptr [fault_cr2]", "offset page_b"
    EXPECT "next page gone: the byte before ran", eax, 1
    mov byte ptr [page_a + 4095], 0xb8 /* mov eax, imm: half of it gone */
    FAULT_EXPECTED 7f
    call page_a_last
7:  EXPECT_FAULT "half an instruction", 14, 0
    EXPECT "half an instruction: eip", "dword ptr [fault_eip]", "offset page_a_last"
    EXPECT "half an instruction: cr2", "dword ptr [fault_cr2]", "offset page_b"
    EXPECT "half an instruction: eax", eax, 1
    mov dword ptr [page_a + 4092], 0xfd75c348 /* dec eax; ret; jnz page_a + 4093 = ret */
    mov ecx, 10
1:  mov eax, 3
    test eax, eax
    call page_a_jnz
    loop 1b
    EXPECT "jnz in the last bytes, taken", eax, 3
    xor eax, eax
    FAULT_EXPECTED 7f
    call page_a_jnz
7:  EXPECT_FAULT "jnz in the last bytes, not taken", 14, 0
    EXPECT "jnz in the last bytes, not taken: eip", "dword ptr [fault_eip]", "offset page_b"
    PAGE page_b, P_P|P_W
    mov byte ptr [page_b], 0xc3
    call page_a_jnz
    EXPECT "there again", eax, 0
    /* the top page: page_c */
    mov eax, offset top_tab + P_P + P_W
    mov [page_dir + 1023 * 4], eax
    mov eax, offset page_c + P_P + P_W
    mov [top_tab + 1023 * 4], eax
    mov eax, cr3
    mov cr3, eax
    mov byte ptr [page_c + 4095], 0xc3
    mov eax, 0xffffffff
    mov ecx, 100
1:  call eax
    loop 1b
    EXPECT "ret in the last byte of all", ecx, 0
    mov dword ptr [page_c + 4092], 0x90909040 /* inc eax, then nops up to 4 GiB */
    mov word ptr [0], 0xc340                  /* and on from 0 */
    mov edx, 0xfffffffc
    mov ecx, 100
    xor eax, eax
1:  call edx
    loop 1b
    EXPECT "beyond 4 GiB comes 0", eax, 200
    mov word ptr [page_c + 4094], 0x02eb /* jmp short +2 */
    mov word ptr [2], 0xc340
    mov edx, 0xfffffffe
    mov ecx, 100
    xor eax, eax
1:  call edx
    loop 1b
    EXPECT "a jump beyond 4 GiB", eax, 100
    mov byte ptr [0x20], 0xe9 /* jmp back below 0 */
    mov dword ptr [0x21], 0xffffff00 - 0x25
    mov word ptr [page_c + 0xf00], 0xc340
    mov edx, 0x20
    mov ecx, 100
    xor eax, eax
1:  call edx
    loop 1b
    EXPECT "a jump below 0", eax, 100
    mov byte ptr [0x20], 0xe8 /* call below 0, from the page at 0 */
    mov byte ptr [0x25], 0xc3
    mov ecx, 100
    xor eax, eax
1:  call edx
    loop 1b
    EXPECT "a call below 0", eax, 100
    mov dword ptr [0x21], 0xffffe000 - 0x25
    FAULT_EXPECTED 7f
    call edx
7:  EXPECT_FAULT "a call below 0, unmapped", 14, 0
    EXPECT "a call below 0, unmapped: eip", "dword ptr [fault_eip]", 0xffffe000
    call paging_off
    mov esp, [saved]
    ret
deep_rel:
    dec ecx
    jz 1f
    call deep_rel
1:  inc ebx
    ret
deep_reg:
    dec ecx
    jz 1f
    call esi
1:  inc ebx
    ret
deep_mem:
    dec ecx
    jz 1f
    call dword ptr [deep_ptr]
1:  inc ebx
    ret
dive:
    dec ecx
    jz landing
    call dive
    ret
plain:
    mov eax, 0x1234
    ret
co_switch:
    mov eax, [co_other]
    mov [co_other], esp
    mov esp, eax
    ret
co_nested:
    call co_switch
    ret
co_two:
    add edx, 3
    call co_nested
    add edx, 11
    call co_switch
    jmp co_two
changes:
    cmp dword ptr [skip], 0
    je 1f
    add dword ptr [esp], 6
1:  ret
middle: .byte 0xb8, 0x83, 0xc0, 0x04, 0xc3 /* mov eax, ...; from its second byte: add eax, 4; ret */
    ret
    .set page_a_last, page_a + 4095
    .set page_a_jnz, page_a + 4094
    .data
    .align 4
saved: .long 0
jump_esp: .long 0
co_other: .long 0
skip: .long 0
target: .long 0
deep_ptr: .long deep_mem
    .section .pages
    .align 4096
top_tab: .skip 4096
