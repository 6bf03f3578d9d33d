/* SPDX-License-Identifier: MIT */
/*
 * enter.S - program entry for both worlds, and the way into and out of one test case.
 *
 * ASSUMES    exit_* may run with any register, flag and segment register but CS and SS; they write through SS.
 */
#include "user.h"
    .intel_syntax noprefix

    .section .multiboot, "ax"
    .align 4
    .long 0x1badb002, 0, -0x1badb002

    .text
    .globl start
start:
    cmp eax, MB_HANDOVER
    je bare_start
    mov eax, esp
    mov esp, offset stack_top
    push eax
    call native_setup
    call user_main

/* void enter_case(void) */
    .globl enter_case
enter_case:
    pushad
    pushfd
    mov [saved_esp], esp
    xor eax, eax
    mov [out_path], eax
    mov [fault], eax
    mov [fault + 4], eax
    mov [fault + 8], eax
    mov [fault + 12], eax
    cmp [use_fx], eax
    je 1f
    fxrstor [in_fx]
1:  mov esp, offset in
    popad
    popfd
    mov esp, [esp]
    jmp dword ptr [code_ptr]

    .globl exit_next, exit_taken, exit_fault
exit_fault:
    mov dword ptr ss:[out_path], PATH_FAULT
    jmp exit_next
exit_taken:
    mov dword ptr ss:[out_path], PATH_TAKEN
exit_next:
    mov ss:[out + 36], esp
    mov esp, offset out + 36
    pushfd
    pushad
    mov esp, ss:[saved_esp]
    popfd
    mov ss:[out_seg], ds
    mov ss:[out_seg + 4], es
    mov ss:[out_seg + 8], fs
    mov ss:[out_seg + 12], gs
    mov eax, SEL_UDATA
    mov ds, eax
    mov es, eax
    mov fs, [sel_fs]
    mov gs, [sel_gs]
    cmp dword ptr [use_fx], 0
    je 1f
    fxsave [out_fx]
1:  popad
    ret

    .globl sig_return, syscall3, syscall6
sig_return:
    mov eax, 173
    int 0x80

syscall3: /* number, a, b, c */
    push ebx
    mov eax, [esp + 8]
    mov ebx, [esp + 12]
    mov ecx, [esp + 16]
    mov edx, [esp + 20]
    int 0x80
    pop ebx
    ret

syscall6: /* number, a, b, c, d, e; the sixth argument is 0 */
    push ebx
    push esi
    push edi
    push ebp
    mov eax, [esp + 20]
    mov ebx, [esp + 24]
    mov ecx, [esp + 28]
    mov edx, [esp + 32]
    mov esi, [esp + 36]
    mov edi, [esp + 40]
    xor ebp, ebp
    int 0x80
    pop ebp
    pop edi
    pop esi
    pop ebx
    ret

    .data
    .globl sel_fs, sel_gs
sel_fs: .long SEL_FS     /* setup.c has others under qemu-i386 */
sel_gs: .long SEL_GS

    .bss
    .globl in, out, in_fx, out_fx, out_seg, out_path, use_fx, code_ptr, fault, stack_top, signal_stack
    .align 16
in_fx: .skip FX_LEN
out_fx: .skip FX_LEN
in: .skip 40
out: .skip 40
out_seg: .skip 16
out_path: .skip 4
use_fx: .skip 4
code_ptr: .skip 4
saved_esp: .skip 4
fault: .skip 16
    .align 16
    .skip 65536
stack_top:
signal_stack: .skip 65536

    .section .note.GNU-stack, "", @progbits
