/* SPDX-License-Identifier: MIT */
/*
 * nano.S - the guest of bench/metal.py: seven single things that a kernel does, and two programs at CPL 3, each timed by the
 * guest's time-stamp counter. With QEMU's -icount that counts instructions of the machine below, bare and under ring1.
 *
 * OUT        Lines "nano NAME TICKS ROUNDS" (hexadecimal) on COM1: of the second of two runs.
 * How        Nothing waits, so that nothing but instructions passes time. What is timed is in pages of its own, without RDTSC or IRET: they run directly where the monitor lets them.
 */
#include "guest.inc"
#include "paging.inc"
#define ROUNDS 1000
#define PROGRAM_ROUNDS 300000
#define BESIDE_ROUNDS 2000
#define VECTOR_BACK 0x31
#define SEL_UCODE (SEL_FREE2 + 3)
#define SEL_UDATA (SEL_FREE3 + 3)

/* Times ECX rounds at `entry`, which ends with RET. */
.macro NANO name:req, entry:req, rounds=ROUNDS
    push \rounds
    push offset \entry
    call 80f
    .asciz "\name"
80: call time
.endm

    .text
    .globl test_main
test_main:
    DESC SEL_FREE0, 0, 0xfffff, 0x9b, DESC_32G
    DESC SEL_FREE1, 0, 0xfffff, 0x93, DESC_32G
    DESC SEL_FREE2, 0, 0xfffff, 0xfb, DESC_32G
    DESC SEL_FREE3, 0, 0xfffff, 0xf3, DESC_32G
    GATE idt+0, SEL_CODE32, "offset divided", 0x8e
    GATE idt+14*8, SEL_CODE32, "offset faulted", 0x8e
    GATE idt+VECTOR_BACK*8, SEL_CODE32, "offset back", 0xee
    xor edx, edx
    mov ecx, 0x174
    mov eax, SEL_FREE0
    wrmsr
    mov ecx, 0x175
    mov eax, offset enter_stack
    wrmsr
    mov ecx, 0x176
    mov eax, offset entered
    wrmsr
    call paging_build
    call paging_on
    NANO loop, nano_loop
    NANO syscall, nano_syscall
    NANO in, nano_in
    NANO cr0-write, nano_cr
    NANO call-ret, nano_call
    NANO page-fault, nano_fault
    NANO divide-error, nano_divide
    NANO pte-write, nano_pte
    NANO program, nano_program, PROGRAM_ROUNDS
    NANO beside-cpuid, nano_beside, BESIDE_ROUNDS
    ret

/* IN: name, entry, rounds on the stack. */
time:
    pop [time_back]
    pop [time_name]
    pop [time_entry]
    pop [time_rounds]
    mov ebp, 2
1:  mov ecx, [time_rounds]
    rdtsc
    mov [time_start], eax
    push ebp
    call [time_entry]
    pop ebp
    rdtsc
    sub eax, [time_start]
    dec ebp
    jnz 1b
    mov ebx, eax
    mov esi, offset text_nano
    call say
    mov esi, [time_name]
    call say
    call say_hex
    mov ebx, [time_rounds]
    call say_hex
    mov al, 10
    call say_byte
    push [time_back]
    ret

say:
    lodsb
    test al, al
    jz 1f
    call say_byte
    jmp say
1:  ret

say_byte:
    push eax
    mov edx, 0x3fd
1:  in al, dx
    test al, 0x20
    jz 1b
    pop eax
    mov edx, 0x3f8
    out dx, al
    ret

/* A blank, and EBX. */
say_hex:
    mov al, ' '
    call say_byte
    mov ecx, 8
1:  rol ebx, 4
    mov eax, ebx
    and eax, 15
    mov al, [digits + eax]
    call say_byte
    loop 1b
    ret

/* Handlers that go on behind the instruction. */
divided:
    add dword ptr [esp], 2
    iretd
faulted:
    add esp, 4
    add dword ptr [esp], 5
    iretd

/* CPL 3 at ESI with ECX rounds, and back by VECTOR_BACK. */
to_user:
    mov [user_back], esp
    push SEL_UDATA
    push offset user_stack_top
    push 0x202
    push SEL_UCODE
    push esi
    mov eax, SEL_UDATA
    mov ds, eax
    mov es, eax
    iretd
back:
    mov eax, SEL_DATA32
    mov ds, eax
    mov es, eax
    mov esp, [user_back]
    ret

nano_syscall:
    mov esi, offset user_syscall
    jmp to_user
nano_program:
    mov esi, offset user_program
    jmp to_user
nano_beside:
    mov esi, offset user_beside
    jmp to_user

    .balign 4096
/* ---- timed: nothing here reads or writes the machine's state without a trap ---- */
nano_loop:
    dec ecx
    jnz nano_loop
    ret
nano_in:
    in al, 0x80
    dec ecx
    jnz nano_in
    ret
nano_cr:
    mov ebx, cr0
1:  mov cr0, ebx
    dec ecx
    jnz 1b
    ret
nano_call:
    call 1f
    dec ecx
    jnz nano_call
1:  ret
nano_fault:
    mov eax, ds:[0x900000]
    dec ecx
    jnz nano_fault
    ret
nano_divide:
    xor ebx, ebx
1:  mov eax, 1
    div ebx
    dec ecx
    jnz 1b
    ret
nano_pte:
    xor dword ptr [page_tab + 0x600000 / 4096 * 4], 0x200
    dec ecx
    jnz nano_pte
    ret
entered:
    sysexit
    .balign 4096

    .data
digits: .ascii "0123456789abcdef"
text_nano: .asciz "nano "
    .align 4
time_back: .long 0
time_name: .long 0
time_entry: .long 0
time_rounds: .long 0
time_start: .long 0
user_back: .long 0
    .bss
    .skip 256
enter_stack:

    .section .user, "awx"
user_syscall:
    mov ebp, ecx
1:  mov ecx, esp
    mov edx, offset 2f
    sysenter
2:  dec ebp
    jnz 1b
    int VECTOR_BACK
/* A program that computes: calls, loads, stores, branches. */
user_program:
    xor ebx, ebx
1:  mov eax, ecx
    call 2f
    add ebx, eax
    test bl, 1
    jz 3f
    xor ebx, 0x5a5a
3:  dec ecx
    jnz 1b
    int VECTOR_BACK
2:  push eax
    imul eax, eax, 1103515245
    add eax, [esp]
    pop edx
    ret
/* Loops over two pages: what it calls has a page in which a CPUID stands, not executed, that no monitor lets run directly. */
    .balign 4096
user_beside:
    call user_unclean
    dec ecx
    jnz user_beside
    int VECTOR_BACK
    .balign 4096
user_unclean:
    ret
    cpuid
    .balign 4096
    .section .note.GNU-stack, "", @progbits
