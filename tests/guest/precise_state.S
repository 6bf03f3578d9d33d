/* SPDX-License-Identifier: MIT */
/* precise_state.S - Faults of every class in the middle of runs of pushes and pops: registers, ESP, flags, EIP, error code and CR2 as the SDM says, and the instruction can run again. SDM vol. 3A, 6.5, 6.6 and 6.15. */
#include "guest.inc"
#include "paging.inc"
    .text
    .globl test_main
test_main:
    mov [saved], esp
    xor eax, eax
    lldt ax
    call paging_on
    PAGE page_b, 0
    mov eax, cr0
    or eax, 0x10020 /* WP, NE */
    and eax, ~4
    mov cr0, eax
    mov eax, cr4
    or eax, 0x600
    mov cr4, eax
    /* PRE is what runs before, in one unit with the instruction; it ends with ESP at saved-delta; the fault's EIP must be
     * the instruction's and every register and flag as PRE left it. */
.macro SEQ name, vector, error, delta, insn:vararg
    mov dword ptr [fault_cr2], 0
    xor eax, eax
    mov cr2, eax
    mov eax, 0x11111111
    mov ecx, 0x22222222
    mov edx, offset page_b + 0x100
    mov ebx, 0x44444444
    mov ebp, offset page_a + 0x800
    mov esi, offset page_b + 0x200
    mov edi, offset page_b + 0x300
    FAULT_EXPECTED 79f
    push offset 80f /* a call, so that the return stack has something to predict */
    call 81f
80: jmp 79f
81: push 0x8d7
    popfd
    push eax
    push ecx
    push 0x77
    pop ecx
    push edx
    push 5
78: \insn
    .byte 0x0f, 0x0b
79: pushad
    mov [got_regs], esp
    EXPECT_FAULT "\name", \vector, \error
    EXPECT "\name: eip", "dword ptr [fault_eip]", "offset 78b"
    mov eax, [fault_frame]
    add eax, 12
    mov edx, [saved]
    sub edx, eax
    EXPECT "\name: esp", edx, 24+(\delta)
    mov eax, [fault_eflags]
    and eax, 0xcd5
    EXPECT "\name: flags", eax, 0x8d5
    mov ebx, [got_regs]
    EXPECT "\name: eax", "dword ptr [ebx+28]", 0x11111111
    EXPECT "\name: ecx", "dword ptr [ebx+24]", 0x77
    EXPECT "\name: edx", "dword ptr [ebx+20]", "offset page_b+0x100"
    EXPECT "\name: ebx", "dword ptr [ebx+16]", 0x44444444
    EXPECT "\name: ebp", "dword ptr [ebx+8]", "offset page_a+0x800"
    EXPECT "\name: esi", "dword ptr [ebx+4]", "offset page_b+0x200"
    EXPECT "\name: edi", "dword ptr [ebx]", "offset page_b+0x300"
    mov esp, [saved]
.endm
.macro SEQ_PF name, error, cr2, insn:vararg
    SEQ "\name", 14, \error, 0, \insn
    EXPECT "\name: cr2", "dword ptr [fault_cr2]", "offset \cr2"
.endm
    SEQ_PF "push m", 0, page_b+0x100, push dword ptr [edx]
    SEQ_PF "pop m", 2, page_b+0x100, pop dword ptr [edx]
    SEQ_PF "mov m, esp", 2, page_b+0x100, mov [edx], esp
    SEQ_PF "mov esp, m", 0, page_b+0x100, mov esp, [edx]
    SEQ_PF "add esp, m", 0, page_b+0x100, add esp, [edx]
    SEQ_PF "add m, esp", 2, page_b+0x100, add [edx], esp
    SEQ_PF "call m", 0, page_b+0x100, call dword ptr [edx]
    SEQ_PF "jmp m", 0, page_b+0x100, jmp dword ptr [edx]
    SEQ_PF "call far m", 0, page_b+0x100, call fword ptr [edx]
    SEQ_PF "les", 0, page_b+0x100, les eax, [edx]
    SEQ_PF "xchg", 2, page_b+0x100, xchg eax, [edx]
    SEQ_PF "cmpxchg", 2, page_b+0x100, cmpxchg [edx], ebx
    SEQ_PF "lock cmpxchg8b", 2, page_b+0x100, lock cmpxchg8b [edx]
    SEQ_PF "xadd", 2, page_b+0x100, xadd [edx], eax
    SEQ_PF "adc", 2, page_b+0x100, adc [edx], eax
    SEQ_PF "rcl", 2, page_b+0x100, rcl dword ptr [edx], 3
    SEQ_PF "shld", 2, page_b+0x100, shld [edx], eax, cl
    SEQ_PF "bts, bit string", 2, page_b+0x10c, bts [edx], ecx
    SEQ_PF "mul", 0, page_b+0x100, mul dword ptr [edx]
    SEQ_PF "div", 0, page_b+0x100, div dword ptr [edx]
    SEQ_PF "movsd", 0, page_b+0x200, movsd
    SEQ_PF "stosb", 2, page_b+0x300, stosb
    SEQ_PF "lodsd", 0, page_b+0x200, lodsd
    SEQ_PF "scasd", 0, page_b+0x300, scasd
    SEQ "cmpsd", 14, 0, 0, cmpsd
    SEQ_PF "rep movsd", 0, page_b+0x200, rep movsd
    SEQ_PF "rep stosd", 2, page_b+0x300, rep stosd
    SEQ_PF "repne scasb", 0, page_b+0x300, repne scasb
    SEQ "repe cmpsb", 14, 0, 0, repe cmpsb
    SEQ_PF "xlat", 0, 0x44444455, xlatb
    SEQ_PF "fld", 0, page_b+0x100, fld qword ptr [edx]
    SEQ_PF "fstp", 2, page_b+0x100, fstp tbyte ptr [edx]
    SEQ_PF "movups", 2, page_b+0x100, movups [edx], xmm0
    SEQ_PF "fxsave", 2, page_b+0x100, fxsave [edx]
    SEQ "div by 0", 0, 0, 0, div dword ptr [zero]
    SEQ "idiv by 0", 0, 0, 0, idiv byte ptr [zero]
    SEQ "aam 0", 0, 0, 0, aam 0
    SEQ "ud2", 6, 0, 0, ud2
    SEQ "lock on a register", 6, 0, 0, .byte 0xf0, 0x01, 0xc0
    SEQ "movaps misaligned", 13, 0, 0, movaps xmm0, [zero+4]
    SEQ "mov ds, bad", 13, 0xfffc, 0, mov ds, word ptr [bad_sel]
    SEQ "pop ds, bad", 13, 0x0004, 0, pop ds
    SEQ "wrmsr of nothing", 13, 0, 0, wrmsr
    SEQ "mov cr1", 6, 0, 0, .byte 0x0f, 0x22, 0xc8
    /* #MF at the next waiting instruction, #XM */
    fninit
    fldcw [cw_all]
    fld1
    fldz
    fdivp st(1), st /* pending */
    SEQ "fld with an error pending", 16, 0, 0, fld dword ptr [zero]
    SEQ "fwait with an error pending", 16, 0, 0, fwait
    SEQ "fistp to no page: #MF comes first", 16, 0, 0, fistp dword ptr [edx]
    fninit
    mov dword ptr [mxcsr], 0x1d80 /* ZE unmasked */
    ldmxcsr [mxcsr]
    movaps xmm0, [ones_zero]
    SEQ "divps by 0", 19, 0, 0, divps xmm0, [zero]
    mov dword ptr [mxcsr], 0x1f80
    ldmxcsr [mxcsr]
    /* instructions whose stack access faults: ESP points into the missing page or at its edge */
.macro STK name, esp, error, cr2, want_esp, pre, insn:vararg
    mov eax, 0x11111111
    mov ecx, 0x22222222
    mov ebx, 0x44444444
    mov ebp, offset page_a + 0x800
    mov edi, 0x66666666
    FAULT_EXPECTED 76f
    push SEL_UDATA32
    push offset \esp
    push 0x8d7
    push SEL_UCODE32
    push offset 77f
    jmp enter_user_here
    .pushsection .user
77: \pre
78: \insn
    USER_EXIT
    .popsection
76: EXPECT_FAULT "\name", 14, \error
    EXPECT "\name: eip", "dword ptr [fault_eip]", "offset 78b"
    EXPECT "\name: cr2", "dword ptr [fault_cr2]", "offset \cr2"
    EXPECT "\name: esp", "dword ptr [fault_user_esp]", "offset \want_esp"
    EXPECT "\name: eax", eax, 0x11111111
    EXPECT "\name: ecx", ecx, 0x22222222
    EXPECT "\name: ebx", ebx, 0x44444444
    EXPECT "\name: edi", edi, 0x66666666
    EXPECT "\name: ebp", ebp, "offset page_a+0x800"
    mov eax, [fault_eflags]
    and eax, 0xcd5
    EXPECT "\name: flags", eax, 0x8d5
.endm
    PAGE page_a, P_P|P_W|P_U
    PAGE page_c, P_P|P_W|P_U
    mov dword ptr [page_a + 4092], 0x11111111
    mov dword ptr [page_a + 4088], 0x11111111
    mov dword ptr [page_c], 0x22222222
    STK "third push", page_c+8, 6, page_b+0xffc, page_c, "push eax; push ecx", push ebx
    STK "push imm", page_c+8, 6, page_b+0xffc, page_c, "push eax; push ecx", push 5
    STK "push esp", page_c+8, 6, page_b+0xffc, page_c, "push eax; push ecx", push esp
    STK "pushfd", page_c+8, 6, page_b+0xffc, page_c, "push eax; push ecx", pushfd
    STK "push ds", page_c+8, 6, page_b+0xffc, page_c, "push eax; push ecx", push ds
    STK "push m", page_c+8, 6, page_b+0xffc, page_c, "push eax; push ecx", push dword ptr [page_c]
    STK "call", page_c+8, 6, page_b+0xffc, page_c, "push eax; push ecx", call u_nowhere
    STK "call r", page_c+8, 6, page_b+0xffc, page_c, "push eax; push ecx", call eax
    STK "call m", page_c+8, 6, page_b+0xffc, page_c, "push eax; push ecx", call dword ptr [page_c+64]
    STK "pushad", page_c+8, 6, page_b+0xffc, page_c, "push eax; push ecx", pushad
    STK "enter", page_c+8, 6, page_b+0xffc, page_c, "push eax; push ecx", enter 8, 0
    STK "enter, locals over the edge", page_c+16, 6, page_b+0xff0, page_c+8, "push eax; push ecx", enter 20, 0
    STK "third pop", page_a+4088, 4, page_b, page_b, "pop eax; pop eax", pop ecx
    STK "pop m", page_a+4088, 4, page_b, page_b, "pop eax; pop eax", pop dword ptr [page_c]
    STK "popfd", page_a+4088, 4, page_b, page_b, "pop eax; pop eax", popfd
    STK "pop ds", page_a+4088, 4, page_b, page_b, "pop eax; pop eax", pop ds
    STK "ret", page_a+4088, 4, page_b, page_b, "pop eax; pop eax", ret
    STK "ret n", page_a+4088, 4, page_b, page_b, "pop eax; pop eax", ret 8
    STK "retf", page_a+4088, 4, page_b, page_b, "pop eax; pop eax", retf
    STK "iret", page_a+4088, 4, page_b, page_b, "pop eax; pop eax", iretd
    STK "popad", page_a+4088, 4, page_b, page_a+4092, "pop eax", popad
    STK "ret over the edge", page_a+4086, 4, page_b, page_a+4094, "lea esp, [esp+8]", ret
    STK "push over the edge", page_c+8, 6, page_b+0xffe, page_c+2, "lea esp, [esp-6]", push eax
    call paging_off
    mov esp, [saved]
    ret
enter_user_here:
    push eax
    mov ax, SEL_UDATA32
    mov ds, eax
    mov es, eax
    pop eax
    iretd
    .data
    .align 16
ones_zero: .long 0x3f800000, 0, 0x3f800000, 0
    .align 16
zero: .long 0, 0, 0, 0
saved: .long 0
got_regs: .long 0
mxcsr: .long 0
cw_all: .word 0x0340
bad_sel: .word 0xfffc
    .section .user
    .align 4
u_nowhere: ret
