/* SPDX-License-Identifier: MIT */
/*
 * null_rpl.S - null selectors 1, 2 and 3: MOV, POP and LDS load them, and they stay what they are while others use the CPU. An IRET to an outer ring,
 * which is how a host comes back from its own interrupts, makes 0 of them. SDM vol. 2, MOV and IRET; vol. 3A, 3.4.2.
 */
#include "guest.inc"
    .text
    .globl test_main
test_main:
    USER user_loads, 0x202
    mov ebx, eax
    call reload
    EXPECT "program: DS, after a page was touched", "dword ptr [got]", 1
    EXPECT "program: ES", "dword ptr [got + 4]", 2
    EXPECT "program: FS", "dword ptr [got + 8]", 3
    EXPECT "program: GS", "dword ptr [got + 12]", 1
    EXPECT "program: DS popped, ES of LES", ebx, 0x00020003
    USER user_waits, 0x202
    mov ebx, eax
    call reload
    EXPECT "program: DS, after a while", ebx, 3
    xor ebx, ebx
    mov ecx, 100
1:  push ecx
    mov eax, 3
    mov ds, eax
    dec eax
    mov es, eax
    mov fs, eax
    dec eax
    mov gs, eax
    mov ecx, offset fresh + 0x4000
    call kernel_reads
    call reload
    pop ecx
    xor eax, 0x3221
    or ebx, eax
    dec ecx
    jnz 1b
    EXPECT "kernel: all four stay", ebx, 0
    ret
reload:
    mov edx, SEL_DATA32
    mov ds, edx
    mov es, edx
    mov fs, edx
    mov gs, edx
    ret

/* A page that loads no segment register. ECX: a page that is touched. EAX: the selectors, DS highest. */
    .p2align 12
kernel_reads:
    mov eax, 300
1:  mov ss:[ecx], eax
    dec eax
    jnz 1b
    .irp s, ds, es, fs, gs
    mov edx, \s
    shl eax, 4
    or eax, edx
    .endr
    ret
    .p2align 12

    .section .user
    .p2align 12
user_loads:
    mov eax, 1
    mov ds, eax
    mov ss:[fresh], eax
    mov eax, ds
    mov ss:[got], eax
    mov eax, 2
    mov es, eax
    mov ss:[fresh + 0x1000], eax
    mov eax, es
    mov ss:[got + 4], eax
    mov eax, 3
    mov fs, eax
    mov ss:[fresh + 0x2000], eax
    mov eax, fs
    mov ss:[got + 8], eax
    mov eax, 1
    mov gs, eax
    mov ss:[fresh + 0x3000], eax
    mov eax, gs
    mov ss:[got + 12], eax
    push 3
    pop ds
    les eax, ss:[far_2]
    mov ss:[fresh + 0x5000], eax
    mov eax, es
    shl eax, 16
    mov ax, ds
    USER_EXIT
    .p2align 12
user_waits: /* until the host's timer has come; no refused page */
    mov ecx, 200
1:  mov eax, 3
    mov ds, eax
    mov edx, 200
2:  dec edx
    jnz 2b
    mov eax, ds
    cmp eax, 3
    jne 3f
    dec ecx
    jnz 1b
3:  USER_EXIT

    .data
    .align 4
far_2: .long 0x1234
    .short 2, 0
    .bss
    .align 4096
fresh: .skip 0x6000 /* a window has each page only after a host trap */
got: .skip 16
