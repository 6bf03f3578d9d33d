/* SPDX-License-Identifier: MIT */
/* sysregs.S - SGDT SIDT SLDT STR SMSW LMSW CLTS at both levels, UMIP, LGDT operand sizes. SDM vol. 2; vol. 3A, 2.5. */
#include "guest.inc"
    .text
    .globl test_main
test_main:
    sgdt [box]
    EXPECT16 "sgdt: limit", "word ptr [box]", 199
    EXPECT "sgdt: base", "dword ptr [box + 2]", "offset gdt"
    sidt [box]
    EXPECT16 "sidt: limit", "word ptr [box]", 0x7ff
    EXPECT "sidt: base", "dword ptr [box + 2]", "offset idt"
    mov dword ptr [box], 0x04560123
    mov dword ptr [box + 4], 0xff789a00
    mov dword ptr [box + 2], 0x12345678
    .byte 0x66, 0x0f, 0x01, 0x1d /* lidt with a 16-bit operand: 24-bit base */
    .long box
    sidt [box]
    lidt [idt_pointer]
    EXPECT "lidt16 takes 24 bits of base", "dword ptr [box + 2]", 0x00345678
    mov eax, 0xffffffff
    str eax
    EXPECT "str r32 zero-extends", eax, SEL_TSS
    mov eax, 0xffffffff
    .byte 0x66, 0x0f, 0x00, 0xc8
    EXPECT "str r16", eax, 0xffff0038
    mov dword ptr [box], 0xffffffff
    str word ptr [box]
    EXPECT "str m16", "dword ptr [box]", 0xffff0038
    mov dword ptr [box], 0xffffffff
    sldt word ptr [box]
    EXPECT "sldt m16", "dword ptr [box]", 0xffff0000
    mov eax, cr0
    mov ecx, eax
    smsw edx
    EXPECT "smsw r32 is CR0", edx, eax
    mov dword ptr [box], 0
    smsw word ptr [box]
    and eax, 0xffff
    EXPECT "smsw m16", "dword ptr [box]", eax
    mov eax, ecx
    or eax, 0xe
    lmsw ax
    mov edx, cr0
    and edx, 0xf
    EXPECT "lmsw sets MP, EM, TS", edx, 0xf
    mov eax, 0
    lmsw ax
    mov edx, cr0
    and edx, 0xf
    EXPECT "lmsw does not clear PE", edx, 1
    mov eax, cr0
    or eax, 8
    mov cr0, eax
    clts
    mov edx, cr0
    and edx, 8
    EXPECT "clts", edx, 0
    mov cr0, ecx
    /* CPL 3 */
    mov eax, cr4
    and eax, 0x800
    EXPECT "UMIP off at first", eax, 0
    USER u_sgdt
    EXPECT_FAULT "the five at CPL 3 without UMIP", 0x30, 0
    EXPECT "sgdt at CPL 3", "dword ptr [u_box + 2]", "offset gdt"
    mov eax, cr4
    or eax, 0x800
    mov cr4, eax
.macro U_GP name, label
    USER \label
    EXPECT_FAULT "\name", 13, 0
    EXPECT "\name: eip", "dword ptr [fault_eip]", "offset \label"
.endm
    U_GP "UMIP: sgdt", u_sgdt
    U_GP "UMIP: sidt", u_sidt
    U_GP "UMIP: sldt", u_sldt
    U_GP "UMIP: str", u_str
    U_GP "UMIP: smsw", u_smsw
    NOFAULT "UMIP: CPL 0 is free", sgdt [box]
    mov eax, cr4
    and eax, ~0x800
    mov cr4, eax
    U_GP "lgdt", u_lgdt
    U_GP "lidt", u_lidt
    U_GP "lldt", u_lldt
    U_GP "ltr", u_ltr
    U_GP "lmsw", u_lmsw
    U_GP "clts", u_clts
    U_GP "hlt", u_hlt
    U_GP "cli", u_cli
    U_GP "sti", u_sti
    U_GP "in", u_in
    U_GP "out dx", u_out
    U_GP "insb", u_insb
    U_GP "mov cr0", u_mov_cr0
    U_GP "mov from cr3", u_mov_cr3
    U_GP "mov dr7", u_mov_dr7
    U_GP "rdmsr", u_rdmsr
    U_GP "wrmsr", u_wrmsr
    U_GP "invd", u_invd
    U_GP "wbinvd", u_wbinvd
    U_GP "invlpg", u_invlpg
    USER u_iopl3, 0x3002
    EXPECT_FAULT "IOPL 3: cli, sti, in, out", 0x30, 0
    ret
    .data
    .align 4
    .word 0
box: .long 0, 0
    .section .user
u_sgdt: sgdt [u_box]
u_sidt: sidt [u_box + 8]
u_sldt: sldt ax
u_str: str ax
u_smsw: smsw ax
    USER_EXIT
u_lgdt: lgdt [gdt_pointer]
u_lidt: lidt [idt_pointer]
u_lldt: lldt ax
u_ltr: ltr ax
u_lmsw: lmsw ax
u_clts: clts
u_hlt: hlt
u_cli: cli
u_sti: sti
u_in: in al, 0x80
u_out: out dx, eax
u_insb: insb
u_mov_cr0: mov cr0, eax
u_mov_cr3: mov eax, cr3
u_mov_dr7: mov dr7, eax
u_rdmsr: rdmsr
u_wrmsr: wrmsr
u_invd: invd
u_wbinvd: wbinvd
u_invlpg: invlpg [eax]
u_iopl3:
    cli
    sti
    cli
    in al, 0x80
    out 0x80, al
    USER_EXIT
    .align 4
    .word 0
u_box: .long 0, 0, 0, 0
