/* SPDX-License-Identifier: MIT */
/* task_16_v86.S - 16-bit TSSs and mixed nesting; a VM86 task; the LDT of the new task; task switch from V86. SDM vol. 3A, 8.6 and 8.7. */
#include "guest.inc"
    .text
    .globl test_main
test_main:
    DESC SEL_FREE0, "offset tss_16", 0x2b, 0x81, 0
    DESC SEL_FREE1, "offset tss_v86", 0x67, 0x89, 0
    DESC SEL_FREE2, "offset tss_ldt", 0x67, 0x89, 0
    DESC SEL_LDT, "offset ldt", 15, 0x82, 0
    DESC SEL_FREE4, "offset tss_16", 0x2a, 0x81, 0
    GATE idt+0x51*8, SEL_FREE2, 0, 0xe5
    mov dword ptr [tss_ldt + 0x54], 0x0c
    mov dword ptr [ldt + 8], 0x0000ffff
    mov dword ptr [ldt + 12], 0x00cf9300
    mov ebx, esp
    mov edi, 0x77778888
    call SEL_FREE0:0
    EXPECT "back from the 16-bit task", "dword ptr [t_ax]", 0xa0a0
    EXPECT "16-bit task: link", "dword ptr [t_link]", SEL_TSS
    EXPECT "16-bit task: FS and GS are null", "dword ptr [t_fs]", 0
    EXPECT "16-bit task: SP", "dword ptr [t_sp]", 0x5000
    EXPECT16 "16-bit task: SI saved", "word ptr [tss_16 + 0x1e]", 0x4242
    EXPECT16 "16-bit task: busy 16-bit type cleared", "byte ptr [gdt + 0x48 + 5]", 0x81
    EXPECT_ESP "esp", ebx
    EXPECT "edi whole", edi, 0x77778888
    FAULT "16-bit TSS, limit too small", 10, SEL_FREE4, call SEL_FREE4:0
    /* LDT and a segment in it are loaded by the switch */
    call SEL_FREE2:0
    EXPECT "LDT of the new task", "dword ptr [l_ldt]", SEL_LDT
    EXPECT "DS from that LDT", "dword ptr [l_ds]", 0x0c
    sldt eax
    EXPECT "our LDT is back", eax, 0
    /* VM86 task */
    FAULT_EXPECTED 1f
    mov byte ptr [idt + 0x30 * 8 + 5], 0xee
    call SEL_FREE1:0
1:  EXPECT_FAULT "VM86 task", 0x30, 0
    mov eax, [fault_eflags]
    and eax, 0x27000
    EXPECT "VM86 task: VM, NT, IOPL 3", eax, 0x27000
    EXPECT "VM86 task: ran with real segments", eax, 0x27000
    EXPECT16 "VM86 task: ES * 16", "word ptr [v_es]", 0x4711
    str eax
    EXPECT "TR", eax, SEL_FREE1
    mov byte ptr [gdt + SEL_TSS + 5], 0x89
    mov ax, SEL_TSS
    ltr ax
    SET_FLAGS 2
    mov eax, SEL_DATA32
    mov ds, eax
    mov es, eax
    /* from V86 by a task gate and back */
    mov dword ptr [tss_ldt + 0x20], offset l_main
    V86 0, v_int51, 0x23002
    EXPECT_FAULT "V86, task gate, back in V86", 0x30, 0
    EXPECT "its registers", esi, 0x5678
    EXPECT "saved flags had VM", "dword ptr [tss + 0x24]", 0x23002
    EXPECT "saved CS is the V86 one", "dword ptr [tss + 0x4c]", 0
    mov eax, [fault_eflags]
    and eax, 0x20000
    EXPECT "VM", eax, 0x20000
    ret
l_main:
    sldt eax
    mov es:[l_ldt], eax
    mov eax, ds
    mov [l_ds], eax
    iretd
    jmp l_main
    .data
    .align 4
l_ldt: .long 0
l_ds: .long 0
#include "task.inc"
    TSS16 tss_16, t_main, 0x5000
    TSS32 tss_v86, v_main, 0x6800, 0x23002, 0, 0
    TSS32 tss_ldt, l_main, stack0_top, 2, 0x08, 0x10, 0, SEL_LDT
    .text
    .section .low
    .code16
t_main:
    movzx eax, ax
    mov [t_ax], eax
    mov ax, fs
    mov [t_fs], ax
    mov [t_sp], sp
    push eax
    mov eax, offset tss_16
    mov ax, [eax]
    mov [t_link], ax
    pop eax
    mov si, 0x4242
    iret
v_main:
    mov ax, 0x700
    mov es, ax
    mov word ptr es:[0], 0x4711
    mov ax, [0x7000]
    mov [v_es], ax
    int 0x30
v_int51:
    mov esi, 0x5678
    int 0x51
    int 0x30
    .align 4
t_ax: .long 0
t_fs: .long 0xffff
t_sp: .long 0
t_link: .long 0
v_es: .word 0
    .code32
