/* SPDX-License-Identifier: MIT */
/* int_gates.S - Interrupt and trap gates: IF, TF, NT, DPL checks for INT n, bad gates and their error codes, inner stacks. SDM vol. 3A, 6.12 and 6.13. */
#include "guest.inc"
    .text
    .globl test_main
test_main:
    GATE idt+0x40*8, SEL_CODE32, "offset h_flags", 0x8e
    GATE idt+0x41*8, SEL_CODE32, "offset h_flags", 0x8f
    GATE idt+0x42*8, SEL_CODE32, "offset h_flags", 0x0e   /* not present */
    GATE idt+0x43*8, 0, "offset h_flags", 0x8e            /* null */
    GATE idt+0x44*8, SEL_DATA32, "offset h_flags", 0x8e   /* not code */
    GATE idt+0x45*8, 0x28, "offset h_flags", 0x8e         /* DPL 3 code: less privileged */
    GATE idt+0x46*8, SEL_CODE32, "offset h_flags", 0x8c   /* a call gate */
    GATE idt+0x47*8, SEL_FREE0, "offset h_flags", 0x8e    /* code not present */
    GATE idt+0x48*8, SEL_CODE32, "offset h_flags", 0xee
    GATE idt+0x49*8, SEL_FREE1, "offset h_flags", 0xee    /* conforming code */
    GATE idt+0x4a*8, SEL_FREE2, 0x1000, 0x8e              /* beyond the limit */
    GATE idt+0x4b*8, SEL_CODE16, "offset h_16", 0x86      /* 16-bit gate */
    DESC SEL_FREE0, 0, 0xfffff, 0x1b, DESC_32G
    DESC SEL_FREE1, 0, 0xfffff, 0x9f, DESC_32G
    DESC SEL_FREE2, 0, 0xfff, 0x9b, DESC_32
    /* real interrupts stay away: mask the PICs */
    mov al, 0xff
    out 0x21, al
    out 0xa1, al
    mov ebx, esp
    SET_FLAGS 0x4202
    int 0x40
    EXPECT "interrupt gate: IF, NT clear", "dword ptr [flags_in]", 2
    EXPECT "interrupt gate: pushed flags", "dword ptr [flags_pushed]", 0x4202
    EXPECT_FLAGS "iret restores", 0x4200, 0x4200
    int 0x41
    EXPECT "trap gate: IF stays, NT clear", "dword ptr [flags_in]", 0x202
    SET_FLAGS 2
    EXPECT_ESP "esp", ebx
    FAULT "gate not present", 11, 0x42*8+2, int 0x42
    FAULT "gate with a null selector", 13, 0, int 0x43
    FAULT "gate to data", 13, SEL_DATA32, int 0x44
    FAULT "gate to less privileged code", 13, 0x28, int 0x45
    FAULT "a call gate in the IDT", 13, 0x46*8+2, int 0x46
    FAULT "gate to code not present", 11, SEL_FREE0, int 0x47
    FAULT "offset beyond the limit", 13, 0, int 0x4a
    EXPECT_ESP "esp after faults", ebx
    int 0x4b
back16:
    EXPECT "16-bit gate: 6 bytes", "dword ptr [depth16]", 6
    EXPECT_ESP "16-bit gate: esp", ebx
    mov dword ptr [short_idt + 2], offset idt
    lidt [short_idt]
    FAULT "beyond the IDT's limit", 13, 0x80*8+2, int 0x80
    lidt [idt_pointer]
    USER u_int40
    EXPECT_FAULT "INT from ring 3, DPL 0", 13, 0x40*8+2
    EXPECT "eip", "dword ptr [fault_eip]", "offset u_int40"
    USER u_int3
    EXPECT_FAULT "INT3 from ring 3, DPL 0", 13, 3*8+2
    USER u_into, 0x802
    EXPECT_FAULT "INTO from ring 3, DPL 0", 13, 4*8+2
    USER u_int1
    EXPECT_FAULT "INT1 needs no DPL", 1, 0
    USER u_bound
    EXPECT_FAULT "BOUND needs no DPL", 5, 0
    USER u_int48
    EXPECT_FAULT "INT from ring 3, DPL 3", 0x30, 0
    EXPECT "inner frame: ESP", "dword ptr [pushed_esp]", "offset user_stack_top"
    EXPECT "inner frame: SS", "dword ptr [pushed_ss]", SEL_UDATA32
    EXPECT "inner frame: 20 bytes", "dword ptr [handler_esp]", "offset stack0_top-20"
    USER u_int49
    EXPECT_FAULT "conforming handler: came back", 0x30, 0
    EXPECT "conforming handler runs in ring 3", "dword ptr [handler_cs]", SEL_FREE1+3
    EXPECT "conforming handler: outer stack", "dword ptr [handler_esp]", "offset user_stack_top-12"
    /* EXT bit: a fault while delivering an exception that is not INT n */
    GATE idt+6*8, SEL_CODE32, "offset h_flags", 0x0e
    FAULT "#UD gate not present: EXT set", 11, 6*8+3, ud2
    GATE idt+6*8, SEL_DATA32, "offset h_flags", 0x8e
    FAULT "#UD gate to data: EXT set", 13, SEL_DATA32+1, ud2
    ret
h_flags:
    mov [handler_esp], esp
    mov [handler_cs], cs
    pushfd
    pop dword ptr [flags_in]
    push eax
    mov eax, [esp + 12]
    mov [flags_pushed], eax
    mov eax, [esp + 16]
    mov [pushed_esp], eax
    mov eax, [esp + 20]
    mov [pushed_ss], eax
    pop eax
    iretd
    .data
    .align 4
flags_in: .long 0
flags_pushed: .long 0
handler_esp: .long 0
handler_cs: .long 0
pushed_esp: .long 0
pushed_ss: .long 0
short_idt: .word 0x80 * 8 - 1
    .long 0
    .section .user
u_int40: int 0x40
u_int3: int3
u_into: into
u_int1: .byte 0xf1
u_bound:
    mov eax, 5
    bound eax, [u_bounds]
u_bounds: .long 6, 7
u_int48: int 0x48
    USER_EXIT
u_int49: int 0x49
    USER_EXIT
    .section .low
    .code16
h_16:
    mov eax, ebx
    sub eax, esp
    mov [depth16], eax
    add esp, 6
    data32 jmp SEL_CODE32:back16
    .align 4
depth16: .long 0
    .code32
