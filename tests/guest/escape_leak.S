/* SPDX-License-Identifier: MIT */
/* escape_leak.S - What code at CPL 3 can read without leave: tables, selectors, flags, upper halves of registers, the FPU's pointers, far pointers. All of it is the guest's, nothing the host's. SDM vol. 3A, 5.9; vol. 1, 8.1.8. */
#include "guest.inc"
    .text
    .globl test_main
test_main:
    xor eax, eax
    lldt ax
    FAULT_EXPECTED 76f
    push SEL_UDATA32
    push offset user_stack_top
    push 2
    push SEL_UCODE32
    push offset u_all
    call enter_user
76: EXPECT "came back", "dword ptr [fault_vector]", 0x30
    EXPECT16 "SGDT: limit", "word ptr [r_gdt]", 0xc7
    EXPECT "SGDT: base", "dword ptr [r_gdt+2]", "offset gdt"
    EXPECT16 "SIDT: limit", "word ptr [r_idt]", 0x7ff
    EXPECT "SIDT: base", "dword ptr [r_idt+2]", "offset idt"
    EXPECT "SLDT", "dword ptr [r_sldt]", 0
    EXPECT "STR", "dword ptr [r_str]", SEL_TSS
    mov eax, cr0
    EXPECT "SMSW r32", "dword ptr [r_smsw]", eax
    EXPECT "CS", "dword ptr [r_sel]", SEL_UCODE32
    EXPECT "SS", "dword ptr [r_sel+4]", SEL_UDATA32
    EXPECT "DS", "dword ptr [r_sel+8]", SEL_UDATA32
    EXPECT "ES", "dword ptr [r_sel+12]", SEL_UDATA32
    EXPECT "FS at CPL 3", "dword ptr [r_sel+16]", 0
    EXPECT "GS at CPL 3", "dword ptr [r_sel+20]", 0
    EXPECT "PUSHF", "dword ptr [r_flags]", 2
    EXPECT "POPF changed neither IOPL, IF, VM nor RF", "dword ptr [r_flags+4]", 0x244ed7&~0x3200
    EXPECT "LAR of the kernel's code: ZF", "dword ptr [r_lar]", 0
    EXPECT "LSL of the host's 64-bit code selector: ZF", "dword ptr [r_lar+4]", 0
    EXPECT "VERR of it", "dword ptr [r_lar+8]", 0
    EXPECT "FNSTENV: EIP", "dword ptr [r_env+12]", "offset u_fpu"
    EXPECT "FNSTENV: CS and opcode", "dword ptr [r_env+16]", SEL_UCODE32+0x1050000
    EXPECT "FNSTENV: data", "dword ptr [r_env+20]", "offset u_float"
    EXPECT "FNSTENV: data's selector", "dword ptr [r_env+24]", 0xffff0000+SEL_UDATA32
    EXPECT "FXSAVE: EIP", "dword ptr [r_fx+8]", "offset u_fpu"
    EXPECT "FXSAVE: CS", "dword ptr [r_fx+12]", SEL_UCODE32
    EXPECT "FXSAVE: data", "dword ptr [r_fx+16]", "offset u_float"
    EXPECT "FXSAVE: DS", "dword ptr [r_fx+20]", SEL_UDATA32
    /* XMM8-15 and the reserved area: 32-bit code does not reach them */
    mov esi, offset r_fx + 288
    mov ecx, (512-288)/4
1:  cmp dword ptr [esi], 0x5a5a5a5a
    jne 2f
    add esi, 4
    loop 1b
2:  EXPECT "FXSAVE leaves bytes 288 to 511 alone", ecx, 0
    /* the pushes of a far call and of an exception: zero or the guest's above each selector */
    EXPECT "far call: CS", "dword ptr [r_far+4]", SEL_UCODE32
    EXPECT "far call: EIP", "dword ptr [r_far]", "offset u_far_back"
    EXPECT "UD2 at CPL 3", "dword ptr [fault_cs]", SEL_UCODE32
    EXPECT "its SS", "dword ptr [fault_user_ss]", SEL_UDATA32
    /* selectors that name something on the host name nothing here */
.macro HOST_SEL name, sel
    FAULT_EXPECTED 76f
    push SEL_UDATA32
    push offset user_stack_top
    push 2
    push SEL_UCODE32
    push offset u_load
    mov eax, \sel
    call enter_user
76: EXPECT_FAULT "\name", 13, \sel&0xfffc
.endm
    HOST_SEL "load of a selector beyond the GDT", 0x1003
    HOST_SEL "load of a selector of the LDT, without LDT", 0x0f
    HOST_SEL "load of a free slot", 0xc3
    /* instructions that would read what the host has */
.macro NOT_HERE name, vector, label
    USER \label
    EXPECT_FAULT "\name", \vector, 0
    EXPECT "\name: eip", "dword ptr [fault_eip]", "offset \label"
.endm
    NOT_HERE "XSAVE", 6, u_xsave
    NOT_HERE "XGETBV", 6, u_xgetbv
    NOT_HERE "RDFSBASE", 6, u_rdfsbase
    NOT_HERE "RDPMC", 13, u_rdpmc
    NOT_HERE "RDMSR", 13, u_rdmsr
    NOT_HERE "MOV from CR3", 13, u_cr3
    NOT_HERE "MOV from DR7", 13, u_dr7
    NOT_HERE "VEX prefix", 6, u_vex
    NOT_HERE "SYSCALL", 6, u_syscall
    NOT_HERE "RDPKRU", 6, u_rdpkru
    NOT_HERE "IN", 13, u_in
    NOT_HERE "far jump to the kernel's 64-bit code", 13, u_ljmp
    /* 67, 66 and REX-like bytes: INC and DEC here, never an upper half */
    USER u_rex
    EXPECT "48 is DEC EAX", eax, 0xfffffffe
    EXPECT "4f is DEC EDI", edi, 0xffffffff
    EXPECT "41 is INC ECX", ecx, 1
    /* upper halves: arithmetic that carries out of 32 bits, then an address from it */
    USER u_upper
    EXPECT "wrapped sum as an address", eax, 0x600df00d
    EXPECT "wrapped index as an address", ecx, 0x600df00d
    EXPECT "negative index", edx, 0x600df00d
    EXPECT "16-bit results keep the middle only", esi, 0xffff0000
    ret
    .section .user
u_all:
    sgdt [r_gdt]
    sidt [r_idt]
    mov eax, -1
    sldt eax
    mov [r_sldt], eax
    mov eax, -1
    str eax
    mov [r_str], eax
    mov eax, -1
    smsw eax
    mov [r_smsw], eax
    mov edi, offset r_sel
    .irp reg, cs, ss, ds, es, fs, gs
    mov eax, -1
    mov eax, \reg
    mov [edi], eax
    add edi, 4
    .endr
    pushfd
    pop dword ptr [r_flags]
    push 0x277ed7 /* what may be changed, IOPL, IF, VM, RF */
    and dword ptr [esp], ~0x100
    popfd
    pushfd
    pop dword ptr [r_flags + 4]
    push 2
    popfd
    mov edi, offset r_lar
    mov ecx, SEL_CODE32
    lar eax, ecx
    setz al
    movzx eax, al
    mov [edi], eax
    mov ecx, 0x33 + 0x1000
    lsl eax, ecx
    setz al
    movzx eax, al
    mov [edi + 4], eax
    verr cx
    setz al
    movzx eax, al
    mov [edi + 8], eax
    fninit
u_fpu: fld dword ptr [u_float]
    mov edi, offset r_fx
    mov eax, 0x5a5a5a5a
    mov ecx, 128
    cld
    rep stosd
    fxsave [r_fx]
    fnstenv [r_env]
    .byte 0x9a
    .long u_far
    .word SEL_UCODE32
u_far_back:
    USER_EXIT
u_far:
    mov eax, [esp]
    mov [r_far], eax
    mov eax, [esp + 4]
    mov [r_far + 4], eax
    retf
u_load: mov fs, eax
u_xsave: .byte 0x0f, 0xae, 0x25
    .long r_fx
u_xgetbv: .byte 0x0f, 0x01, 0xd0
u_rdfsbase: .byte 0xf3, 0x0f, 0xae, 0xc0
u_rdpmc: rdpmc
u_rdmsr: rdmsr
u_cr3: mov eax, cr3
u_dr7: mov eax, dr7
u_vex: .byte 0xc4, 0xe2, 0x78, 0xf2, 0xc1 /* ANDN: mod of LES is 3 */
u_syscall: .byte 0x0f, 0x05
u_rdpkru: .byte 0x0f, 0x01, 0xee
u_in: in al, dx
u_ljmp: .byte 0xea
    .long 0x1000
    .word 0x0000
u_rex:
    mov eax, -1
    xor ecx, ecx
    xor edi, edi
    .byte 0x48
    .byte 0x4f
    .byte 0x41
    USER_EXIT
u_upper:
    mov eax, 0xfffffff0
    mov ebx, offset u_mark + 16
    add ebx, eax
    mov eax, [ebx]
    mov ecx, 0x80000000
    mov edi, offset u_mark
    mov ecx, [edi + ecx * 2]
    mov edx, -1
    mov edx, [edi + edx * 8 + 8]
    mov esi, 0xffffffff
    add si, 1
    USER_EXIT
    .align 16
u_mark: .long 0x600df00d
u_float: .long 0x3f800000
r_gdt: .long 0, 0
r_idt: .long 0, 0
r_sldt: .long 0
r_str: .long 0
r_smsw: .long 0
r_sel: .long 0, 0, 0, 0, 0, 0
r_flags: .long 0, 0
r_lar: .long 0, 0, 0
r_env: .skip 28
r_far: .long 0, 0
    .align 16
r_fx: .skip 512
