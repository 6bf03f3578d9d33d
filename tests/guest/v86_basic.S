/* SPDX-License-Identifier: MIT */
/* v86_basic.S - Virtual-8086 mode: entry and exit, IOPL 3 and 0, what faults, interrupt frames. SDM vol. 3B, chapter 21. */
#include "guest.inc"
    .text
    .globl test_main
test_main:
    V86 0, v_exit
    EXPECT_FAULT "int 30 in V86 with IOPL 0", 13, 0
    EXPECT "VM and RF are set in the frame", "dword ptr [fault_eflags]", 0x30002
    EXPECT "CS in the frame", "dword ptr [fault_cs]", 0
    EXPECT "EIP in the frame", "dword ptr [fault_eip]", "offset v_exit"
    EXPECT "SP in the frame", "dword ptr [fault_user_esp]", 0x7000
    mov ebx, [fault_frame]
    EXPECT "ES in the frame", "dword ptr [ebx + 20]", 0
    mov eax, ds
    V86 0, v_exit, 0x23002
    EXPECT_FAULT "int 30 in V86 with IOPL 3", 0x30, 0
    EXPECT "EIP behind it", "dword ptr [fault_eip]", "offset v_exit + 2"
    /* A gate with DPL < 3: #GP with the IDT error code. */
    V86 0, v_int31, 0x23002
    EXPECT_FAULT "int 31 in V86, DPL 0", 13, 0x31*8+2
    /* A handler in a segment with DPL > 0 cannot take interrupts from V86: #GP(selector). */
    GATE "idt + 0x32 * 8", 0x28, "offset v_back", 0xee
    V86 0, v_int32, 0x23002
    EXPECT_FAULT "handler at DPL 3", 13, 0x28
    /* Segments are base * 16; registers come back whole. */
    mov edx, 0xd0d0d0d0
    V86 0x100, v_seg, 0x23002
    EXPECT "segment arithmetic", eax, 0x4242
    EXPECT "CS in V86", ecx, 0x100
    EXPECT "edx kept", edx, 0xd0d0d0d0
    mov ebx, [fault_frame]
    EXPECT "DS in the frame", "dword ptr [ebx + 24]", 0x123
    EXPECT "GS in the frame", "dword ptr [ebx + 32]", 0xffff
    /* IOPL 3: CLI, STI, PUSHF, POPF, IRET work on the real IF. */
    V86 0, v_iopl3, 0x23002
    EXPECT16 "pushf shows IF after sti, IOPL 3", ax, 0x3202
    EXPECT16 "popf cannot change IOPL", cx, 0x3002
    EXPECT "iret in V86", esi, 0x1177
    EXPECT "popfd cannot clear VM", edi, 0x1
    /* IOPL 0: all six fault with #GP(0), EIP at the instruction. */
.macro V86_GP name, label, flags=0x20002
    V86 0, \label, \flags
    EXPECT_FAULT "\name", 13, 0
    EXPECT "\name: eip", "dword ptr [fault_eip]", "offset \label"
.endm
    V86_GP "cli", v_cli
    V86_GP "sti", v_sti
    V86_GP "pushf", v_pushf
    V86_GP "popf", v_popf
    V86_GP "iret", v_iret
    V86_GP "int n", v_int21
    V86_GP "hlt", v_hlt, 0x23002
    V86_GP "mov from cr0", v_cr0, 0x23002
    V86_GP "mov to dr7", v_dr7, 0x23002
    V86_GP "lgdt", v_lgdt, 0x23002
    V86_GP "lmsw", v_lmsw, 0x23002
    V86_GP "clts", v_clts, 0x23002
    V86_GP "in without permission, IOPL 3", v_in, 0x23002
    V86_GP "wrmsr", v_wrmsr, 0x23002
    V86_GP "word at ffff", v_limit
.macro V86_UD name, label
    V86 0, \label, 0x23002
    EXPECT_FAULT "\name", 6, 0
    EXPECT "\name: eip", "dword ptr [fault_eip]", "offset \label"
.endm
    V86_UD "lldt", v_lldt
    V86_UD "sldt", v_sldt
    V86_UD "ltr", v_ltr
    V86_UD "verw", v_verw
    V86_UD "arpl", v_arpl
    V86_UD "lsl", v_lsl
    V86 0, v_int3, 0x20002
    EXPECT_FAULT "int3 with IOPL 0 and gate DPL 0", 13, 3*8+2
    V86 0, v_de, 0x20002
    EXPECT_FAULT "#DE in V86", 0, 0
    V86 0, v_smsw, 0x20002
    EXPECT "smsw works in V86", esi, 1
    V86 0, v_stack, 0x23002
    EXPECT "SP wraps in V86", esi, 0xfffe
    ret
v_back: iretd

    .section .low
    .code16
v_exit: int 0x30
v_int31: int 0x31
v_int32: int 0x32
    .set v_seg, . - 0x1000
    mov word ptr [0x1240], 0x4242
    mov ax, 0x123
    mov ds, ax
    mov ax, 0xffff
    mov gs, ax
    mov ax, [0x10]
    movzx eax, ax
    mov ecx, cs
    int 0x30
v_iopl3:
    sti
    pushf
    pop ax
    cli
    pushw 0x0002
    popf
    pushf
    pop cx
    pushf
    push cs
    push offset 1f
    mov si, 0x1177
    movzx esi, si
    iret
    xor esi, esi
1:  pushd 0
    popfd
    mov ebx, cs /* still in V86? a selector 0 would fault in protected mode */
    mov edi, 1
    int 0x30
v_cli: cli
v_sti: sti
v_pushf: pushf
v_popf: popf
v_iret: iret
v_int21: int 0x21
v_hlt: hlt
v_cr0: mov eax, cr0
v_dr7: mov dr7, eax
v_lgdt: lgdt [0]
v_lmsw: lmsw ax
v_clts: clts
v_in: in al, 0x80
v_wrmsr: wrmsr
v_limit: mov ax, [0xffff]
v_lldt: .byte 0x0f, 0x00, 0xd0
v_sldt: .byte 0x0f, 0x00, 0xc0
v_ltr: .byte 0x0f, 0x00, 0xd8
v_verw: .byte 0x0f, 0x00, 0xe8
v_arpl: .byte 0x63, 0xc0
v_lsl: .byte 0x0f, 0x03, 0xc0
v_int3: int3
v_de:
    xor cx, cx
    div cx
v_smsw:
    smsw si
    and esi, 1
    int 0x30
v_stack:
    mov sp, 0
    pushw 5
    movzx esi, sp
    int 0x30
    .code32
