/* SPDX-License-Identifier: MIT */
/* prot16.S - 16-bit protected mode: IP and SP wrap, operand sizes, stacks of the other size, calls between sizes. SDM vol. 1, 6.2. */
#include "guest.inc"
    .text
    .globl test_main
test_main:
    DESC SEL_FREE0, 0x20000, 0xffff, 0x93, DESC_16 /* a 16-bit stack */
    DESC SEL_FREE1, 0x20000, 0xf, 0x93, DESC_32G   /* its memory, 32 bits */
    DESC SEL_FREE2, 0x30000, 0xffff, 0x9b, DESC_16 /* 16-bit code at 0x30000 */
    mov [saved_esp], esp
    mov ax, SEL_FREE0
    /* A 16-bit stack under 32-bit code: SP wraps, the upper half of ESP is kept. */
    mov esp, 0x12340002
    mov ss, ax
    push ax
    push ax
    mov ecx, esp
    push eax
    mov edx, esp
    mov ax, SEL_DATA32
    mov ss, ax
    mov esp, [saved_esp]
    EXPECT "SP wraps", ecx, 0x1234fffe
    EXPECT "push dword below it", edx, 0x1234fffa
    EXPECT16 "word at SP 0", "word ptr [0x20000]", SEL_FREE0
    EXPECT16 "word at SP fffe", "word ptr [0x2fffe]", SEL_FREE0
    mov ax, SEL_FREE0
    mov esp, 0x55550000
    mov ss, ax
    pusha
    mov ecx, esp
    popa
    mov ecx, esp
    mov ebp, 0x7777fff0
    leave
    mov edx, esp
    mov ax, SEL_DATA32
    mov ss, ax
    mov esp, [saved_esp]
    EXPECT "pusha and popa on a 16-bit stack", ecx, 0x55550000
    EXPECT "leave copies BP to SP only", edx, 0x5555fff4
    mov ax, SEL_FREE0
    mov esp, 0x55550100
    mov ss, ax
    mov ebp, 0x99990000
    enter 8, 0
    mov ecx, esp
    mov edx, ebp
    mov ax, SEL_DATA32
    mov ss, ax
    mov esp, [saved_esp]
    EXPECT "enter on a 16-bit stack: esp", ecx, 0x555500f4
    /* BP is written with operand size... 32 bits: frame pointer of the 16-bit stack */
    and edx, 0xffff
    EXPECT "enter on a 16-bit stack: bp", edx, 0xfc
    /* 16-bit code on the 32-bit stack. */
    call SEL_CODE16:p_sizes
    EXPECT "16-bit code: call near takes 2 bytes", "dword ptr [p_near]", 2
    EXPECT "16-bit code, 66: call near takes 4", "dword ptr [p_near32]", 4
    EXPECT "16-bit code: push takes 2 on a 32-bit stack, whole ESP", "dword ptr [p_push]", 2
    EXPECT "16-bit code: mov ax, imm16", "dword ptr [p_imm]", 0x1234
    EXPECT "16-bit code: addr32 prefix", "dword ptr [p_a32]", 0x1badb002
    EXPECT "16-bit code: jmp short within 64 KiB", "dword ptr [p_ok]", 1
    /* 16-bit operand in 32-bit code truncates EIP: target beyond the limit of this 1 MiB+ code would be low memory. */
    mov byte ptr [0x9000 + 0x2000], 0xc3 /* ret at 0xb000 */
    mov ecx, esp
    push offset 1f
    mov ax, 0xb000
    .byte 0x66, 0xff, 0xe0 /* jmp ax: EIP = 0xb000, then RET */
1:  EXPECT_ESP "jmp r16 in 32-bit code", ecx
    /* IP of 16-bit code wraps at 64 KiB: a jump over the end comes out at the start. */
    mov byte ptr [0x3fff0], 0xeb  /* jmp +0x1e: 0xfff2 + 0x1e = 0x0010 */
    mov byte ptr [0x3fff1], 0x1e
    mov dword ptr [0x30010], 0x0000cb66 /* 32-bit retf */
    call SEL_FREE2:0xfff0
    EXPECT_ESP "16-bit relative jump wraps", ecx
    /* Sequential execution does not wrap: #GP at 0x10000. */
    mov byte ptr [0x3ffff], 0x90
    FAULT_EXPECTED 2f
    jmp SEL_FREE2:0xffff
2:  EXPECT_FAULT "running over the end of the code segment", 13, 0
    EXPECT "EIP behind the end", "dword ptr [fault_eip]", 0x10000
    mov byte ptr [0x3fffe], 0xb8 /* mov ax, imm16 across the end */
    FAULT_EXPECTED 3f
    jmp SEL_FREE2:0xfffe
3:  EXPECT_FAULT "instruction across the end", 13, 0
    EXPECT "EIP at the instruction", "dword ptr [fault_eip]", 0xfffe
    ret
    .data
saved_esp: .long 0
    .section .low
    .code16
p_sizes:
    mov ebx, esp
    call p_sub
p_ret1:
    data32 call p_sub32
    pushw 5
    mov eax, ebx
    sub eax, esp
    mov [p_push], eax
    pop cx
    mov eax, 0
    .byte 0xb8, 0x34, 0x12
    mov [p_imm], eax
    mov ecx, 0x100000
    mov eax, [ecx]
    mov [p_a32], eax
    jmp 1f
    mov dword ptr [p_ok], 0
1:  data32 retf
p_sub:
    mov eax, ebx
    sub eax, esp
    mov [p_near], eax
    ret
p_sub32:
    mov eax, ebx
    sub eax, esp
    mov [p_near32], eax
    data32 ret
    .align 4
p_near: .long 0
p_near32: .long 0
p_push: .long 0
p_imm: .long 0
p_a32: .long 0
p_ok: .long 1
    .code32
