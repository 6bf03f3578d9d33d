/* SPDX-License-Identifier: MIT */
/* stack_insn.S - PUSH POP PUSHA POPA ENTER LEAVE, segment registers, POP to ESP-relative memory. SDM vol. 2. */
#include "guest.inc"
    .text
    .globl test_main
test_main:
    mov ebx, esp
    push esp
    pop eax
    EXPECT "push esp pushes the old value", eax, ebx
    push 0x12345678
    push esp
    pop esp
    pop eax
    EXPECT "pop esp", eax, 0x12345678
    pushw 0x1234
    mov eax, ebx
    sub eax, esp
    EXPECT "push imm16 takes 2 bytes", eax, 2
    pop ax
    EXPECT16 "pop ax", ax, 0x1234
    .byte 0x6a, 0x80
    pop eax
    EXPECT "push imm8 sign-extends", eax, 0xffffff80
    push 0
    push 0x55
    pop dword ptr [esp] /* the address is computed after ESP moved */
    pop eax
    EXPECT "pop [esp] writes above", eax, 0x55
    push dword ptr [esp - 4 + 4]
    pop eax
    push 0x77
    push dword ptr [esp]
    pop eax
    pop ecx
    EXPECT "push [esp] reads before", eax, 0x77
    mov dword ptr [esp - 4], 0xffffffff
    push ds
    mov eax, [esp]
    mov ecx, eax
    shr ecx, 16
    and eax, 0xffff
    EXPECT "push ds", eax, SEL_DATA32
    EXPECT "push ds leaves the upper half alone", ecx, 0xffff
    mov eax, ebx
    sub eax, esp
    EXPECT "push ds takes 4 bytes", eax, 4
    pop eax
    .byte 0x66, 0x1e /* pushw ds */
    mov eax, ebx
    sub eax, esp
    EXPECT "push ds, 16 bits", eax, 2
    .byte 0x66, 0x0f, 0xa1 /* popw fs */
    mov ax, fs
    EXPECT16 "pop fs, 16 bits", ax, SEL_DATA32
    mov eax, 0xffffffff
    mov eax, ds
    EXPECT "mov eax, ds zero-extends", eax, SEL_DATA32
    mov dword ptr [m], 0xffffffff
    mov [m], ds
    EXPECT "mov m, ds writes 16 bits", "dword ptr [m]", 0xffff0010
    /* PUSHA, POPA */
    mov eax, 0xa0a0a0a0
    mov ecx, 0xc0c0c0c0
    mov edx, 0xd0d0d0d0
    mov ebp, 0xb0b0b0b0
    mov esi, 0x51515151
    mov edi, 0xd1d1d1d1
    mov [saved_ebx], ebx
    mov [saved_esp], esp
    pushad
    mov ebx, [saved_esp]
    EXPECT "pusha: eax", "dword ptr [ebx - 4]", 0xa0a0a0a0
    EXPECT "pusha: ecx", "dword ptr [ebx - 8]", 0xc0c0c0c0
    EXPECT "pusha: edx", "dword ptr [ebx - 12]", 0xd0d0d0d0
    EXPECT "pusha: ebx", "dword ptr [ebx - 16]", "dword ptr [saved_ebx]"
    EXPECT "pusha: esp", "dword ptr [ebx - 20]", ebx
    EXPECT "pusha: ebp", "dword ptr [ebx - 24]", 0xb0b0b0b0
    EXPECT "pusha: esi", "dword ptr [ebx - 28]", 0x51515151
    EXPECT "pusha: edi", "dword ptr [ebx - 32]", 0xd1d1d1d1
    mov dword ptr [ebx - 20], 0x13131313 /* the ESP image is ignored */
    mov dword ptr [ebx - 28], 0x99999999
    popad
    EXPECT_ESP "popa: esp", "dword ptr [saved_esp]"
    EXPECT "popa: esi", esi, 0x99999999
    EXPECT "popa: edi", edi, 0xd1d1d1d1
    mov ecx, 0x1111cccc
    pushaw
    mov eax, [saved_esp]
    sub eax, esp
    EXPECT "pushaw takes 16 bytes", eax, 16
    mov ecx, 0x22220000
    popaw
    EXPECT "popaw keeps upper halves", ecx, 0x2222cccc
    /* ENTER, LEAVE */
    mov ebp, 0x1234
    enter 16, 0
    EXPECT "enter 0: saved ebp", "dword ptr [ebp]", 0x1234
    mov eax, [saved_esp]
    sub eax, 4
    EXPECT "enter 0: ebp", ebp, eax
    sub eax, 16
    EXPECT_ESP "enter 0: esp", eax
    leave
    EXPECT "leave: ebp", ebp, 0x1234
    EXPECT_ESP "leave: esp", "dword ptr [saved_esp]"
    mov ebp, offset frames + 12
    enter 8, 3
    mov eax, [saved_esp]
    sub eax, 4
    EXPECT "enter 3: ebp", ebp, eax
    EXPECT "enter 3: first display entry", "dword ptr [ebp - 4]", 0x2222
    EXPECT "enter 3: second display entry", "dword ptr [ebp - 8]", 0x1111
    EXPECT "enter 3: own frame", "dword ptr [ebp - 12]", ebp
    sub eax, 20
    EXPECT_ESP "enter 3: esp", eax
    leave
    enter 0, 33 /* the level is modulo 32 */
    EXPECT "enter 33: own frame", "dword ptr [ebp - 4]", ebp
    leave
    /* The flags image: PUSHF hides VM and RF. */
    push 0x10202 | 0x8d5
    popfd
    pushfd
    pop eax
    cli
    and eax, 0x30000
    EXPECT "popf does not set RF for pushf", eax, 0
    pushd 0x3000
    popfd
    pushfw
    pop ax
    EXPECT16 "pushfw", ax, 0x3002
    SET_FLAGS 2
    pushd 0x200000
    popfd
    pushfd
    pop eax
    EXPECT "ID can be set", eax, 0x200002
    pushw 0x0001
    popfw
    pushfd
    pop eax
    EXPECT "popfw keeps the upper half", eax, 0x200003
    SET_FLAGS 2
    /* RET imm, CALL forms */
    mov ebx, esp
    push 1
    push 2
    call 1f
    EXPECT_ESP "ret 8", ebx
    mov eax, offset 2f
    call eax
    EXPECT "call through a register", eax, 0x4321
    call dword ptr [target]
    EXPECT "call through memory", eax, 0x4321
    push offset 3f
    call dword ptr [esp] /* reads the target before the push */
3:  mov eax, ebx
    sub eax, esp
    EXPECT "call [esp]", eax, 8
    mov esp, ebx
    mov ecx, 3
    xor eax, eax
4:  inc eax
    loop 4b
    EXPECT "loop", eax, 3
    jecxz 5f
    mov eax, 0
5:  EXPECT "jecxz", eax, 3
    mov ecx, 0x10001
    .byte 0x67, 0xe2, 0x00 /* loop with CX */
    EXPECT "loop with CX", ecx, 0x10000
    .byte 0x67, 0xe3, 0x05 /* jcxz over a mov */
    mov eax, 99
    EXPECT "jcxz", eax, 3
    mov ecx, 5
    cmp ecx, ecx
6:  inc eax
    cmp eax, 5
    loopne 6b
    EXPECT "loopne", ecx, 3
    mov ebx, offset table
    mov eax, 0xffffff02
    xlatb
    EXPECT "xlat", eax, 0xffffff30
    ret
1:  ret 8
2:  mov eax, 0x4321
    ret
    .data
m: .long 0
saved_ebx: .long 0
saved_esp: .long 0
target: .long 2b
frames: .long 0, 0x1111, 0x2222, 0
table: .byte 0x10, 0x20, 0x30, 0x40
