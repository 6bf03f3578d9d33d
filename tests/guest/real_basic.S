/* SPDX-License-Identifier: MIT */
/* real_basic.S - Real mode: segments, interrupts through the IVT, limits, what is undefined there. SDM vol. 3B, chapter 21. */
#include "guest.inc"
    .text
    .globl test_main
test_main:
    /* IVT: 256 entries; a few handlers. */
    mov word ptr [0x21 * 4], offset r_int21
    mov word ptr [0x21 * 4 + 2], 0
    mov word ptr [13 * 4], offset r_gp
    mov word ptr [13 * 4 + 2], 0
    mov word ptr [12 * 4], offset r_ss
    mov word ptr [12 * 4 + 2], 0
    mov word ptr [6 * 4], offset r_ud
    mov word ptr [6 * 4 + 2], 0
    mov word ptr [0 * 4], offset r_de
    mov word ptr [0 * 4 + 2], 0
    mov word ptr [4 * 4], offset r_int21
    mov word ptr [4 * 4 + 2], 0
    xor eax, eax
    xor ecx, ecx
    REAL r_segments
    EXPECT "segment * 16 + offset", eax, 0x5aa5
    EXPECT "above 1 MiB with A20 on", ecx, 0x1badb002
    EXPECT16 "CS is a plain value", "word ptr [r_cs]", 0x10
    REAL r_ints
    EXPECT16 "int: IF and TF cleared inside", "word ptr [r_first]", 0x8d7
    EXPECT16 "int: pushed flags keep IF", "word ptr [r_first + 2]", 0xad7
    EXPECT16 "int: flags after iret", "word ptr [r_flags_after]", 0xad7
    EXPECT16 "int: SP inside", "word ptr [r_first + 4]", 0x6ff8
    EXPECT16 "into", "word ptr [r_count2]", 2
    REAL r_faults
    EXPECT16 "word at ffff: #GP", "word ptr [f_gp1]", 1
    EXPECT16 "dword at fffe: #GP", "word ptr [f_gp2]", 1
    EXPECT16 "word at fffe is fine", "word ptr [f_gp3]", 0
    EXPECT16 "32-bit offset beyond 64 KiB: #GP", "word ptr [f_gp4]", 1
    EXPECT16 "stack word at ffff: #SS", "word ptr [f_ss1]", 1
    EXPECT16 "#UD: lldt", "word ptr [f_ud1]", 1
    EXPECT16 "#UD: str", "word ptr [f_ud2]", 1
    EXPECT16 "#UD: verr", "word ptr [f_ud3]", 1
    EXPECT16 "#UD: arpl", "word ptr [f_ud4]", 1
    EXPECT16 "#UD: lar", "word ptr [f_ud5]", 1
    EXPECT16 "#DE: IP at the instruction", "word ptr [f_de]", 1
    EXPECT16 "IDT limit too small: #GP", "word ptr [f_idt]", 1
    EXPECT16 "push at SP 0 goes to fffe", "word ptr [f_wrap]", 0x1234
    EXPECT16 "SP after it", "word ptr [f_wrap_sp]", 0xfffe
    EXPECT16 "string wraps at DI 64 KiB", "word ptr [f_string_di]", 1
    EXPECT "PUSHFD and POPFD in real mode", "dword ptr [f_pushfd]", 0x200002
    EXPECT16 "smsw: PE is clear", "word ptr [f_smsw]", 0
    ret

    .section .low
    .code16
r_segments:
    mov bx, 0x0123
    mov es, bx
    mov word ptr es:[0x10], 0x5aa5
    mov ax, [0x1240]
    mov bx, 0xffff
    mov es, bx
    mov ecx, es:[0x10] /* 0x100000, the multiboot header */
    .byte 0xea         /* jmp 0x0010:r_far - 0x100 */
    .word r_far - 0x100, 0x10
r_far:
    mov [r_cs], cs
    .byte 0xea
    .word r_far2, 0
r_far2:
    ret
r_int21:
    mov [r_sp_in], sp
    pushf
    pop word ptr [r_flags_in]
    inc word ptr [r_count2]
    push bp
    mov bp, sp
    mov dx, [bp + 6]
    mov [r_flags_pushed], dx
    pop bp
    iret
r_ints:
    mov word ptr [r_count2], 0
    pushw 0xad7
    popf
    int 0x21
    pushf
    cli
    pop word ptr [r_flags_after]
    mov eax, [r_flags_in]
    mov [r_first], eax
    mov ax, [r_sp_in]
    mov [r_first + 4], ax
    pushw 0x802
    popf
    into
    ret
r_gp:
    inc word ptr [r_seen_gp]
    jmp r_skip
r_ss:
    inc word ptr [r_seen_ss]
    jmp r_skip
r_ud:
    inc word ptr [r_seen_ud]
    jmp r_skip
r_de:
    inc word ptr [r_seen_de]
r_skip: /* go on at r_resume; the frame has three words and no error code */
    push bp
    mov bp, sp
    push ax
    mov ax, [bp + 2]
    cmp ax, [r_expect_ip]
    je 1f
    mov word ptr [r_seen_gp], 0x99
    mov word ptr [r_seen_ss], 0x99
    mov word ptr [r_seen_ud], 0x99
    mov word ptr [r_seen_de], 0x99
1:  mov ax, [r_resume]
    mov [bp + 2], ax
    pop ax
    pop bp
    iret
.macro RFAULT seen, result, insn:vararg
    mov word ptr [r_expect_ip], offset 78f
    mov word ptr [r_resume], offset 79f
    mov word ptr [\seen], 0
78: \insn
79: mov ax, [\seen]
    mov [\result], ax
.endm
r_faults:
    mov bx, 0xffff
    RFAULT r_seen_gp, f_gp1, mov ax, [bx]
    mov bx, 0xfffe
    RFAULT r_seen_gp, f_gp2, mov eax, [bx]
    RFAULT r_seen_gp, f_gp3, mov ax, [bx]
    mov ebx, 0x10000
    RFAULT r_seen_gp, f_gp4, mov al, [ebx]
    mov bp, 0xffff
    RFAULT r_seen_ss, f_ss1, mov ax, [bp]
    RFAULT r_seen_ud, f_ud1, .byte 0x0f, 0x00, 0xd0
    RFAULT r_seen_ud, f_ud2, .byte 0x0f, 0x00, 0xc8
    RFAULT r_seen_ud, f_ud3, .byte 0x0f, 0x00, 0xe0
    RFAULT r_seen_ud, f_ud4, .byte 0x63, 0xc0
    RFAULT r_seen_ud, f_ud5, .byte 0x0f, 0x02, 0xc0
    xor cx, cx
    RFAULT r_seen_de, f_de, div cx
    data32 lidt [r_short_idt]
    RFAULT r_seen_gp, f_idt, int 0x80
    data32 lidt [real_idt]
    mov bx, sp
    mov sp, 0
    push 0x1234
    mov [f_wrap_sp], sp
    pop ax
    mov [f_wrap], ax
    mov sp, bx
    mov di, 0xffff
    mov bl, [di]
    xor ax, ax
    stosb
    mov [di - 1], bl
    mov cx, 2
    mov di, 0xffff
    mov si, 0x7800
    mov bl, [di]
    mov bh, [0]
    mov [si], bx
    rep movsb
    mov [f_string_di], di
    pushd 0x200002
    popfd
    pushfd
    pop dword ptr [f_pushfd]
    pushd 2
    popfd
    smsw ax
    and ax, 1
    mov [f_smsw], ax
    ret
    .align 4
r_short_idt: .word 0x1ff
    .long 0
f_pushfd: .long 0
r_cs: .word 0
r_count2: .word 0
r_flags_in: .word 0
r_flags_pushed: .word 0
r_flags_after: .word 0
r_first: .word 0, 0, 0
r_sp_in: .word 0
r_resume: .word 0
r_expect_ip: .word 0
r_seen_gp: .word 0
r_seen_ss: .word 0
r_seen_ud: .word 0
r_seen_de: .word 0
f_gp1: .word 0
f_gp2: .word 0
f_gp3: .word 0
f_gp4: .word 0
f_ss1: .word 0
f_ud1: .word 0
f_ud2: .word 0
f_ud3: .word 0
f_ud4: .word 0
f_ud5: .word 0
f_de: .word 0
f_idt: .word 0
f_wrap: .word 0
f_wrap_sp: .word 0
f_string_di: .word 0
f_smsw: .word 0
    .code32
