/* SPDX-License-Identifier: MIT */
/* seg_limit.S - Segment limits at their edges: every access size, expand-up and -down, byte and page granularity, #SS. SDM vol. 3A, 5.3. */
#include "guest.inc"
    .text
    .globl test_main
test_main:
    DESC SEL_FREE0, "offset area", 15, 0x93, DESC_32         /* 16 bytes, up */
    DESC SEL_FREE1, "offset area", 15, 0x97, DESC_32         /* down: valid from 16 on */
    DESC SEL_FREE2, "offset area", 0, 0x93, DESC_32G         /* one page */
    DESC SEL_FREE3, "offset area", 15, 0x97, DESC_16         /* down, 64 KiB on top */
    DESC SEL_FREE4, 0, 0xfffff, 0x93, DESC_32G               /* flat: wraps of offsets */
    DESC SEL_FREE5, 0, 0xffffe, 0x93, DESC_32G               /* all but the last page */
    mov ax, SEL_FREE0
    mov fs, ax
    NOFAULT "byte 15", mov al, fs:[15]
    FAULT "byte 16", 13, 0, mov al, fs:[16]
    NOFAULT "word 14", mov ax, fs:[14]
    FAULT "word 15", 13, 0, mov ax, fs:[15]
    NOFAULT "dword 12", mov eax, fs:[12]
    FAULT "dword 13", 13, 0, mov eax, fs:[13]
    FAULT "dword 16", 13, 0, mov fs:[16], eax
    FAULT "dword at ffffffff", 13, 0, mov eax, fs:[0xffffffff]
    NOFAULT "qword 8", fild qword ptr fs:[8]
    fstp st(0)
    FAULT "qword 9", 13, 0, fild qword ptr fs:[9]
    NOFAULT "tbyte 6", fld tbyte ptr fs:[6]
    fstp st(0)
    FAULT "tbyte 7", 13, 0, fld tbyte ptr fs:[7]
    mov eax, 0
    mov edx, 0
    NOFAULT "cmpxchg8b 8", cmpxchg8b fs:[8]
    FAULT "cmpxchg8b 12", 13, 0, cmpxchg8b fs:[12]
    FAULT "lfs 11", 13, 0, lfs eax, fs:[11]
    FAULT "lgs 11", 13, 0, lgs eax, fs:[11]
    FAULT "bound 12", 13, 0, bound eax, fs:[12]
    FAULT "lgdt 11", 13, 0, lgdt fs:[11]
    FAULT "sgdt 11", 13, 0, sgdt fs:[11]
    NOFAULT "lea does not check", .byte 0x64, 0x8d, 0x05, 0x78, 0x56, 0x34, 0x12
    FAULT "read-modify-write", 13, 0, add dword ptr fs:[14], 1
    FAULT "push mem", 13, 0, push dword ptr fs:[14]
    FAULT "call mem", 13, 0, call dword ptr fs:[14]
    FAULT "jmp far mem", 13, 0, jmp fword ptr fs:[11]
    mov ax, SEL_FREE1
    mov fs, ax
    FAULT "expand-down: byte 15", 13, 0, mov al, fs:[15]
    NOFAULT "expand-down: byte 16", mov al, fs:[16]
    FAULT "expand-down: word 15", 13, 0, mov ax, fs:[15]
    NOFAULT "expand-down: dword 16", mov eax, fs:[16]
    NOFAULT "expand-down, B=1: byte at 10000", mov al, fs:[0x10000]
    mov ax, SEL_FREE3
    mov fs, ax
    NOFAULT "expand-down, B=0: byte at ffff", mov al, fs:[0xffff]
    FAULT "expand-down, B=0: byte at 10000", 13, 0, mov al, fs:[0x10000]
    FAULT "expand-down, B=0: word at ffff", 13, 0, mov ax, fs:[0xffff]
    mov ax, SEL_FREE2
    mov fs, ax
    NOFAULT "page granular: dword ffc", mov eax, fs:[0xffc]
    FAULT "page granular: dword ffd", 13, 0, mov eax, fs:[0xffd]
    mov ax, SEL_FREE5
    mov fs, ax
    FAULT "all but the last page", 13, 0, mov eax, fs:[0xfffff000]
    /* Stacks: SS faults are #SS(0), also through EBP and ESP addressing. */
    /* #SS handlers need a good stack, so this runs at CPL 3. */
    DESC SEL_FREE6, "offset area", 15, 0xf3, DESC_32
.macro USER_SS name, label, esp, vector, error, at
    FAULT_EXPECTED 76f
    push SEL_FREE6 + 3
    push \esp
    push 2
    push SEL_UCODE32
    push offset \label
    call enter_user
76: EXPECT_FAULT "\name", \vector, \error
    EXPECT "\name: eip", "dword ptr [fault_eip]", "offset \at"
    EXPECT "\name: esp", "dword ptr [fault_user_esp]", \esp
.endm
    USER_SS "push within", u_push_ok, 8, 0x30, 0, u_push_ok+4
    USER_SS "push at 0 (below)", u_push, 0, 12, 0, u_push
    USER_SS "push at 2", u_push, 2, 12, 0, u_push
    USER_SS "push above", u_push, 21, 12, 0, u_push
    USER_SS "pop above", u_pop, 13, 12, 0, u_pop
    USER_SS "pop at 12 is the last", u_pop_ok, 12, 0x30, 0, u_pop_ok_end
    USER_SS "pusha, 8 dwords in 16 bytes", u_pusha, 16, 12, 0, u_pusha
    USER_SS "popa", u_popa, 0, 12, 0, u_popa
    USER_SS "[esp] addressing", u_esp_mem, 13, 12, 0, u_esp_mem
    USER_SS "call near", u_call, 0, 12, 0, u_call
    USER_SS "ret near", u_ret, 13, 12, 0, u_ret
    USER_SS "enter", u_enter, 6, 12, 0, u_enter
    USER_SS "fs: of a null selector is #GP", u_fs_mem, 13, 13, 0, u_fs_mem
    ret
    .data
    .align 4096
area: .skip 4096
    .skip 65536 - 4096 + 64
    .section .user
u_push_ok:
    push eax
    pop eax
    .byte 0xcd, 0x30
u_push: push eax
u_pop: pop eax
u_pop_ok: pop eax
    sub esp, 4
    .byte 0xcd, 0x30
u_pop_ok_end:
u_pusha: pushad
u_popa: popad
u_esp_mem: mov eax, [esp]
u_call: call u_push
u_ret: ret
u_enter: enter 4, 0
u_fs_mem: mov eax, fs:[0]
