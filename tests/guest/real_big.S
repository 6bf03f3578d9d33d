/* SPDX-License-Identifier: MIT */
/* real_big.S - Big real mode: segment limits and attributes survive the switch of PE, also big stacks. SDM vol. 3A, 10.9.2. */
#include "guest.inc"
    .text
    .globl test_main
test_main:
    /* The CPU keeps the descriptor caches: REAL loads 64-KiB data, so go by hand with flat DS and a flat big SS. */
    mov word ptr [13 * 4], offset b_gp
    mov word ptr [13 * 4 + 2], 0
    mov dword ptr [b_result], 0
    mov dword ptr [0x200000], 0x600dcafe
    mov [b_esp], esp
    lidt [real_idt]
    jmp SEL_CODE16:b_enter
b_back:
    lidt [idt_pointer]
    mov esp, [b_esp]
    EXPECT "4 GiB limit through DS", "dword ptr [b_result]", 0x600dcafe
    EXPECT "still after DS is loaded in real mode", "dword ptr [b_result2]", 0x600dcafe
    EXPECT "base changes, limit stays", "dword ptr [b_result3]", 0x600dcafe
    EXPECT "write beyond 64 KiB", "dword ptr [0x200010]", 0x12344321
    EXPECT "big SS: ESP above 64 KiB is used whole", "dword ptr [0x20fffc]", 0x77665544
    EXPECT "#GP with a 64-KiB segment again", "dword ptr [b_result5]", 1
    ret
    .section .low
    .code16
b_enter: /* DS, ES, SS are still the flat 32-bit ones */
    mov eax, cr0
    and al, 0xfe
    mov cr0, eax
    .byte 0xea
    .word b_real, 0
b_real:
    mov ebx, 0x200000
    mov eax, [ebx]
    mov ecx, eax
    xor ax, ax
    mov ds, ax
    mov [b_result], ecx
    mov eax, [ebx]
    mov [b_result2], eax
    mov ax, 0x1000
    mov ds, ax
    mov eax, [ebx - 0x10000]
    mov cx, 0
    mov ds, cx
    mov [b_result3], eax
    mov dword ptr [ebx + 16], 0x12344321
    /* SS keeps B = 1 */
    mov ss, cx
    mov esp, 0x210000
    pushd 0x77665544
    mov esp, 0x7000
    /* back to ordinary limits */
    mov eax, cr0
    or al, 1
    mov cr0, eax
    mov ax, SEL_DATA16
    mov ds, ax
    mov eax, cr0
    and al, 0xfe
    mov cr0, eax
    xor ax, ax
    mov ds, ax
    mov word ptr [b_resume], offset 1f
    mov eax, [ebx]
1:  mov eax, cr0
    or al, 1
    mov cr0, eax
    mov ax, SEL_DATA32
    mov ds, ax
    mov es, ax
    mov fs, ax
    mov gs, ax
    mov ss, ax
    data32 jmp SEL_CODE32:b_back
b_gp:
    inc dword ptr [b_result5]
    mov eax, [b_resume]
    add esp, 6
    pushf
    push cs
    push ax
    iret
    .align 4
b_result: .long 0
b_result2: .long 0
b_result3: .long 0
b_result5: .long 0
b_resume: .long 0
b_esp: .long 0
    .code32
