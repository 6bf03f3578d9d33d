/* SPDX-License-Identifier: MIT */
/* task_switch.S - Task switches by JMP, CALL, task gates, INT and IRET: saved state, loaded state, busy bits, NT, link, TS, faults. SDM vol. 3A, chapter 8. */
#include "guest.inc"
    .text
    .globl test_main
test_main:
    DESC SEL_FREE0, "offset tss_a", 0x67, 0x89, 0
    DESC SEL_FREE1, "offset tss_b", 0x67, 0x89, 0
    GATE gdt+SEL_FREE2, SEL_FREE1, 0, 0x85
    DESC SEL_FREE3, "offset tss_b", 0x66, 0x89, 0 /* limit too small */
    DESC SEL_FREE4, "offset tss_b", 0x67, 0x09, 0 /* not present */
    GATE gdt+SEL_FREE5, SEL_FREE1, 0, 0x05        /* gate not present */
    GATE gdt+SEL_FREE6, SEL_DATA32, 0, 0x85       /* gate to data */
    DESC SEL_FREE7, "offset tss_bad", 0x67, 0x89, 0
    GATE idt+0x50*8, SEL_FREE1, 0, 0xe5
    clts
    mov ebx, esp
    mov esi, 0x12341234
    /* JMP there and back. */
    mov word ptr [tss_b], 0xaaaa
    jmp SEL_FREE1:0xdead
after_jmp:
    EXPECT "jmp: our esi is back", esi, 0x12341234
    EXPECT_ESP "jmp: our esp is back", ebx
    EXPECT "jmp: new task's registers came from its TSS", "dword ptr [seen_eax]", 0xa0a0a0a0
    EXPECT "jmp: edi", "dword ptr [seen_edi]", 0xd1d1d1d1
    EXPECT "jmp: esp", "dword ptr [seen_esp]", "offset b_stack"
    EXPECT "jmp: flags, NT clear", "dword ptr [seen_flags]", 0x8d7
    EXPECT "jmp: TR", "dword ptr [seen_tr]", SEL_FREE1
    EXPECT "jmp: CR0.TS is set", "dword ptr [seen_ts]", 8
    EXPECT16 "jmp: the new task was busy", "byte ptr [seen_busy_b]", 0x8b
    EXPECT16 "jmp: the old one not", "byte ptr [seen_busy_0]", 0x89
    EXPECT "jmp: EIP saved in the old TSS", "dword ptr [seen_saved_eip]", "offset after_jmp"
    EXPECT "jmp: ESI saved", "dword ptr [seen_saved_esi]", 0x12341234
    EXPECT16 "jmp: link not written", "word ptr [tss_b]", 0xaaaa
    EXPECT16 "jmp: now we are busy", "byte ptr [gdt + 0x38 + 5]", 0x8b
    EXPECT16 "jmp: and the other is not", "byte ptr [gdt + 0x50 + 5]", 0x89
    str eax
    EXPECT "jmp: TR is ours", eax, SEL_TSS
    EXPECT "saved EIP of the other task", "dword ptr [tss_b + 0x20]", "offset b_again"
    /* CALL through a task gate, IRET back: nested. */
    SET_FLAGS 0x8d7
    call SEL_FREE2:0
after_call:
    EXPECT_FLAGS "call: flags are back, NT clear", 0x48d5, 0x8d5
    SET_FLAGS 2
    EXPECT "call: NT in the new task", "dword ptr [seen_flags]", 0x4087
    EXPECT16 "call: link", "word ptr [tss_b]", SEL_TSS
    EXPECT16 "call: old task stays busy", "byte ptr [seen_busy_0]", 0x8b
    EXPECT16 "call: new task busy", "byte ptr [seen_busy_b]", 0x8b
    EXPECT16 "iret: the nested one is free again", "byte ptr [gdt + 0x50 + 5]", 0x89
    EXPECT "iret: NT saved clear in the nested TSS", "dword ptr [tss_b + 0x24]", 2
    /* INT through a task gate */
    int 0x50
after_int:
    EXPECT "int: NT in the new task", "dword ptr [seen_flags]", 0x4002
    EXPECT "int: EIP saved", "dword ptr [seen_saved_eip]", "offset after_int"
    EXPECT_ESP "int: esp", ebx
    /* Faults in our own context, nothing changed. */
    FAULT "limit too small", 10, SEL_FREE3, jmp SEL_FREE3:0
    FAULT "TSS not present", 11, SEL_FREE4, jmp SEL_FREE4:0
    FAULT "gate not present", 11, SEL_FREE5, call SEL_FREE5:0
    FAULT "gate to data", 13, SEL_DATA32, call SEL_FREE6:0
    FAULT "call to ourselves, busy", 13, SEL_TSS, call SEL_TSS:0
    FAULT "RPL 3 of a DPL 0 TSS", 13, SEL_FREE1, call 0x53:0
    str eax
    EXPECT "TR after faults", eax, SEL_TSS
    EXPECT16 "not busy after faults", "byte ptr [gdt + 0x60 + 5]", 0x89
    SET_FLAGS 0x4002
    mov word ptr [tss], SEL_FREE1 /* a TSS which is not busy */
    FAULT "iret with NT to a TSS not busy", 10, SEL_FREE1, iretd
    SET_FLAGS 0x4002
    mov word ptr [tss], SEL_DATA32
    FAULT "iret with NT to data", 10, SEL_DATA32, iretd
    SET_FLAGS 0x4002
    mov word ptr [tss], 0x7ff8
    FAULT "iret with NT beyond the table", 10, 0x7ff8, iretd
    SET_FLAGS 2
    /* A bad segment in the new TSS: #TS in the new task's context. */
    mov dword ptr [tss_bad + 0x54], 0x7ff8 /* DS */
    FAULT_EXPECTED 1f
    call SEL_FREE7:0
1:  EXPECT_FAULT "bad DS in the new TSS", 10, 0x7ff8
    EXPECT "its EIP is the new task's", "dword ptr [fault_eip]", "offset b_main"
    str eax
    EXPECT "TR is the new task's", eax, SEL_FREE7
    EXPECT16 "new TSS busy", "byte ptr [gdt + 0x80 + 5]", 0x8b
    /* back to the first task: it is still busy (nested call) */
    mov byte ptr [gdt + 0x38 + 5], 0x89
    mov ax, SEL_TSS
    ltr ax
    SET_FLAGS 2
    mov eax, SEL_DATA32
    mov ds, eax
    mov es, eax
    mov fs, eax
    mov gs, eax
    /* User: INT with DPL 0 task gate; task gate of DPL 3 works. */
    mov dword ptr [tss_b + 0x20], offset b_main
    mov byte ptr [idt + 0x50 * 8 + 5], 0x85
    USER u_int
    EXPECT_FAULT "task gate of DPL 0 from ring 3", 13, 0x50*8+2
    mov byte ptr [idt + 0x50 * 8 + 5], 0xe5
    mov dword ptr [tss_b + 0x20], offset b_nested
    USER u_int
    EXPECT_FAULT "task gate of DPL 3 from ring 3: back", 0x30, 0
    EXPECT "esp saved", "dword ptr [tss + 0x38]", "offset user_stack_top"
    EXPECT "cs saved", "dword ptr [tss + 0x4c]", SEL_UCODE32
    mov eax, 0
    mov dr7, eax
    /* the T bit: #DB before the first instruction of the new task */
    mov word ptr [tss_b + 0x64], 1
    mov dword ptr [tss_b + 0x20], offset b_nested
    FAULT_EXPECTED 1f
    call SEL_FREE1:0
1:  EXPECT_FAULT "T bit", 1, 0
    EXPECT "T bit: eip", "dword ptr [fault_eip]", "offset b_nested"
    mov eax, dr6
    and eax, 0xf00f
    EXPECT "T bit: DR6.BT", eax, 0x8000
    ret
b_main:
    call b_look
    mov esp, offset b_stack
    jmp SEL_TSS:0
b_again: /* resumed by CALL */
    mov word ptr [tss_b + 0x64], 0
    call b_look
    iretd
    call b_look /* resumed by INT */
    iretd
b_nested:
    call b_look
    iretd
    jmp b_nested
b_look:
    mov [seen_eax], eax
    mov [seen_edi], edi
    lea eax, [esp + 4]
    mov [seen_esp], eax
    pushfd
    pop dword ptr [seen_flags]
    str eax
    mov [seen_tr], eax
    mov eax, cr0
    and eax, 8
    mov [seen_ts], eax
    mov al, [gdt + SEL_FREE1 + 5]
    mov [seen_busy_b], al
    mov al, [gdt + SEL_TSS + 5]
    mov [seen_busy_0], al
    mov eax, [tss + 0x20]
    mov [seen_saved_eip], eax
    mov eax, [tss + 0x40]
    mov [seen_saved_esi], eax
    mov eax, 0xa0a0a0a0
    push 2
    popfd
    cmp dword ptr [seen_flags], 0x4000
    jb 1f
    push 0x4002
    popfd
1:  ret
    .data
    .align 4
seen_eax: .long 0
seen_edi: .long 0
seen_esp: .long 0
seen_flags: .long 0
seen_tr: .long 0
seen_ts: .long 0
seen_saved_eip: .long 0
seen_saved_esi: .long 0
seen_busy_b: .byte 0
seen_busy_0: .byte 0
#include "task.inc"
    TSS32 tss_a, b_main, b_stack
    TSS32 tss_b, b_main, b_stack, 0x8d7
    TSS32 tss_bad, b_main, b_stack
    .bss
    .skip 2048
b_stack:
    .section .user
u_int: int 0x50
    USER_EXIT
