/* SPDX-License-Identifier: MIT */
/* v86_vme.S - CR4.VME: interrupt redirection bitmap, VIF and VIP at IOPL 0, POPF of TF; CR4.PVI at CPL 3. SDM vol. 3B, 21.3 and 21.4. */
#include "guest.inc"
    .text
    .globl test_main
test_main:
    mov eax, 1
    cpuid
    and edx, 2
    EXPECT "CPUID says VME", edx, 2
    /* A TSS with a redirection bitmap of 32 bytes right below the I/O map. */
    mov eax, offset vme_tss
    DESC SEL_FREE0, "offset vme_tss", 0x2ff, 0x89, 0
    mov ax, SEL_FREE0
    ltr ax
    mov eax, cr4
    or eax, 1
    mov cr4, eax
    mov word ptr [0x21 * 4], offset m_int21
    mov word ptr [0x21 * 4 + 2], 0
    /* Bit clear: through the V86 IVT; the pushed flags show VIF as IF and IOPL 3. */
    V86 0, m_int, 0x23202
    EXPECT_FAULT "redirected: came back by int 30", 13, 0
    EXPECT16 "redirected, IOPL 3: handler ran", "word ptr [m_ran]", 1
    EXPECT16 "redirected, IOPL 3: flags image", "word ptr [m_image]", 0x3202
    mov word ptr [m_ran], 0
    V86 0, m_int, 0xa0002
    EXPECT16 "redirected, IOPL 0: handler ran", "word ptr [m_ran]", 1
    EXPECT16 "redirected, IOPL 0: image has VIF as IF, IOPL 3", "word ptr [m_image]", 0x3202
    EXPECT16 "VIF cleared in the handler", "word ptr [m_inside]", 0x3002
    mov eax, [fault_eflags]
    and eax, 0xa0200
    EXPECT "iret restored VIF", eax, 0xa0000
    /* Bit set: IOPL 0 -> #GP, IOPL 3 -> the protected-mode IDT. */
    mov byte ptr [vme_bitmap + 4], 2
    V86 0, m_int, 0x20002
    EXPECT_FAULT "bit set, IOPL 0", 13, 0
    EXPECT "bit set, IOPL 0: eip", "dword ptr [fault_eip]", "offset m_int"
    mov byte ptr [idt + 0x21 * 8 + 5], 0xee
    V86 0, m_int, 0x23002
    EXPECT_FAULT "bit set, IOPL 3", 0x21, 0
    mov byte ptr [idt + 0x21 * 8 + 5], 0x8e
    mov byte ptr [vme_bitmap + 4], 0
    /* int3 is never redirected. */
    V86 0, m_int3, 0x20002
    EXPECT_FAULT "int3, gate DPL 0", 13, 3*8+2
    /* STI and CLI at IOPL 0 change VIF. */
    V86 0, m_sti, 0x20002
    mov eax, [fault_eflags]
    and eax, 0x80200
    EXPECT "sti sets VIF, not IF", eax, 0x80000
    V86 0, m_cli, 0xa0202
    mov eax, [fault_eflags]
    and eax, 0x80200
    EXPECT "cli clears VIF, not IF", eax, 0x200
    V86 0, m_sti, 0x120002
    EXPECT_FAULT "sti with VIP", 13, 0
    EXPECT "sti with VIP: eip", "dword ptr [fault_eip]", "offset m_sti"
    V86 0, m_cli, 0x1a0002
    mov eax, [fault_eflags]
    and eax, 0x180000
    EXPECT "cli with VIP", eax, 0x100000
    /* PUSHF, POPF of 16 bits work at IOPL 0; those of 32 bits fault. */
    V86 0, m_pushf, 0xa0002
    EXPECT "pushf: VIF as IF, IOPL 3", eax, 0x3202
    V86 0, m_popf_if, 0x20002
    mov eax, [fault_eflags]
    and eax, 0x83200
    EXPECT "popf with IF sets VIF", eax, 0x80000
    V86 0, m_popf_0, 0xa0002
    mov eax, [fault_eflags]
    and eax, 0x83200
    EXPECT "popf without IF clears VIF", eax, 0
    V86 0, m_popf_if, 0x120002
    EXPECT_FAULT "popf with IF and VIP", 13, 0
    EXPECT "popf with IF and VIP: eip", "dword ptr [fault_eip]", "offset m_popf_at"
    V86 0, m_popf_tf, 0x20002
    EXPECT_FAULT "popf with TF", 13, 0
    EXPECT "popf with TF: eip", "dword ptr [fault_eip]", "offset m_popf_tf_at"
    V86 0, m_pushfd, 0x20002
    EXPECT "pushfd faults: eip", "dword ptr [fault_eip]", "offset m_pushfd"
    V86 0, m_popfd, 0x20002
    EXPECT "popfd faults: eip", "dword ptr [fault_eip]", "offset m_popfd"
    /* PVI */
    mov eax, cr4
    or eax, 3
    mov cr4, eax
    USER u_sti
    EXPECT_FAULT "PVI: sti, cli at CPL 3", 0x30, 0
    mov eax, [fault_eflags]
    and eax, 0x80200
    EXPECT "PVI: VIF", eax, 0x80000
    USER u_sti, 0x100002
    EXPECT_FAULT "PVI: sti with VIP", 13, 0
    USER u_pushf, 0x80002
    and eax, 0x200
    EXPECT "PVI: pushf shows IF, not VIF", eax, 0
    mov eax, cr4
    and eax, ~3
    mov cr4, eax
    USER u_sti
    EXPECT_FAULT "without PVI: sti at CPL 3", 13, 0
    ret

    .data
    .align 4
vme_tss:
    .long 0, stack0_top, SEL_DATA32
    .fill 22, 4, 0
    .word 0, 0x100
    .fill 0xe0 - 0x68, 1, 0
vme_bitmap: .fill 32, 1, 0
    .fill 0x200, 1, 0xff

    .section .user
u_sti: sti
    cli
    sti
    USER_EXIT
u_pushf: pushfd
    pop eax
    USER_EXIT

    .section .low
    .code16
m_int:
    int 0x21
    .byte 0x0f, 0x20, 0xc0 /* mov eax, cr0: #GP(0) ends the run */
m_int21:
    pushf
    pop word ptr [m_inside]
    mov word ptr [m_ran], 1
    push bp
    mov bp, sp
    mov ax, [bp + 6]
    mov [m_image], ax
    pop bp
    iret
m_int3: int3
m_sti: sti
    mov eax, cr0
m_cli: cli
    mov eax, cr0
m_pushf:
    pushf
    pop ax
    movzx eax, ax
    mov ebx, cr0
m_popf_if:
    pushw 0x3202
m_popf_at:
    popf
    mov eax, cr0
m_popf_0:
    pushw 0x3002
    popf
    mov eax, cr0
m_popf_tf:
    pushw 0x102
m_popf_tf_at:
    popf
    mov eax, cr0
m_pushfd: pushfd
m_popfd: popfd
m_ran: .word 0
m_image: .word 0
m_inside: .word 0
    .code32
