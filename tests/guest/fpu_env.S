/* SPDX-License-Identifier: MIT */
/* fpu_env.S - FNSTENV, FNSAVE, FLDENV, FRSTOR in their four formats; pointers; tags; FXSAVE and FXRSTOR. SDM vol. 1, 8.1.10, 10.5. */
#include "guest.inc"
    .text
    .globl test_main
test_main:
    fninit
    fnstenv [env]
    EXPECT16 "after fninit: control", "word ptr [env]", 0x37f
    EXPECT16 "status", "word ptr [env + 4]", 0
    EXPECT16 "tags", "word ptr [env + 8]", 0xffff
    EXPECT "FIP", "dword ptr [env + 12]", 0
    fld1
    fldz
    fld qword ptr [nan]
fip_at:
    fld dword ptr [value]
    fnstenv [env]
    EXPECT16 "tags: valid, special, zero, valid", "word ptr [env + 8]", 0x18ff
    EXPECT16 "top is 4", "word ptr [env + 4]", 0x2000
    EXPECT "FIP is the last instruction", "dword ptr [env + 12]", "offset fip_at"
    EXPECT16 "FCS", "word ptr [env + 16]", SEL_CODE32
    EXPECT "FDP is its operand", "dword ptr [env + 20]", "offset value"
    EXPECT16 "FDS", "word ptr [env + 24]", SEL_DATA32
    EXPECT16 "FNSTENV masks all", "word ptr [env]", 0x37f
    /* 16-bit protected format */
    mov dword ptr [env + 12], 0
    mov dword ptr [env + 14], 0x77777777
    .byte 0x66, 0xd9, 0x35 /* fnstenv, 14 bytes */
    .long env
    EXPECT16 "16-bit: status", "word ptr [env + 2]", 0x2000
    EXPECT16 "16-bit: tags", "word ptr [env + 4]", 0x18ff
    EXPECT16 "16-bit: FCS", "word ptr [env + 8]", SEL_CODE32
    EXPECT "14 bytes only", "dword ptr [env + 14]", 0x77777777
    /* FNSAVE: 108 bytes, then FNINIT */
    mov dword ptr [env + 108], 0x77777777
    fnsave [env]
    EXPECT "108 bytes", "dword ptr [env + 108]", 0x77777777
    EXPECT "ST0 low", "dword ptr [env + 28]", 0
    EXPECT "ST0 middle", "dword ptr [env + 32]", 0xa0000000
    EXPECT16 "ST0 top", "word ptr [env + 36]", 0x4000
    EXPECT16 "ST3, 1.0", "word ptr [env + 66]", 0x3fff
    fnstsw ax
    EXPECT16 "FNSAVE initializes", ax, 0
    frstor [env]
    fnstsw ax
    EXPECT16 "FRSTOR", ax, 0x2000
    fstp dword ptr [out]
    EXPECT "ST0 restored", "dword ptr [out]", 0x40200000
    fstp st(0)
    fstp st(0)
    fstp dword ptr [out]
    EXPECT "ST3 restored", "dword ptr [out]", 0x3f800000
    fnstenv [env]
    EXPECT16 "all empty", "word ptr [env + 8]", 0xffff
    mov word ptr [env + 8], 0
    mov word ptr [env + 4], 0x1000
    mov word ptr [env], 0x27f
    fldenv [env]
    fnstenv [env]
    EXPECT16 "FLDENV: status", "word ptr [env + 4]", 0x1000
    EXPECT16 "FLDENV: control", "word ptr [env]", 0x27f
    fninit
    /* real-mode format in real mode: a 20-bit address */
    REAL r_env
    mov ax, [renv + 6]
    movzx eax, ax
    EXPECT "real mode: FIP low", eax, "offset r_fld"
    EXPECT16 "real mode: FDP low", "word ptr [renv + 10]", "offset r_one"
    mov ax, [renv + 8]
    and eax, 0x7ff
    EXPECT "real mode: opcode", eax, 0x106
    /* FXSAVE */
    mov eax, cr4
    or eax, 0x600
    mov cr4, eax
    fninit
    fld1
    fldz
    movups xmm3, [pattern]
    mov dword ptr [fx + 160 + 48], 0
    fxsave [fx]
    EXPECT16 "fxsave: control", "word ptr [fx]", 0x37f
    EXPECT16 "fxsave: status", "word ptr [fx + 2]", 0x3000
    EXPECT16 "fxsave: abridged tags", "byte ptr [fx + 4]", 0xc0
    EXPECT "fxsave: MXCSR", "dword ptr [fx + 24]", 0x1f80
    EXPECT16 "fxsave: ST1 exponent", "word ptr [fx + 48 + 8]", 0x3fff
    EXPECT "fxsave: XMM3", "dword ptr [fx + 160 + 48]", 0x11111111
    EXPECT "fxsave: XMM3 top", "dword ptr [fx + 160 + 60]", 0x44444444
    fnstsw ax
    EXPECT16 "fxsave does not initialize", ax, 0x3000
    mov dword ptr [fx + 160 + 48], 0xabababab
    mov word ptr [fx + 2], 0
    mov byte ptr [fx + 4], 0xff
    fxrstor [fx]
    fnstenv [env]
    EXPECT16 "fxrstor: tags by content: zero, valid", "byte ptr [env + 8]", 0x51
    movss [out], xmm3
    EXPECT "fxrstor: XMM3", "dword ptr [out]", 0xabababab
    fninit
    FAULT "fxsave, not aligned", 13, 0, fxsave [fx + 8]
    FAULT "fxrstor, not aligned", 13, 0, fxrstor [fx + 4]
    or dword ptr [fx + 24], 0x10000
    FAULT "fxrstor: reserved bit of MXCSR", 13, 0, fxrstor [fx]
    mov dword ptr [out], 0x80000000
    FAULT "ldmxcsr: reserved bit", 13, 0, ldmxcsr [out]
    mov dword ptr [out], 0x21f80
    FAULT "ldmxcsr: reserved bit 17, AMD's MM", 13, 0, ldmxcsr [out]
    fxsave [fx]
    EXPECT16 "no bit of MXCSR above 15", "word ptr [fx+30]", 0
    mov eax, cr0
    or eax, 8
    mov cr0, eax
    FAULT "fxsave with TS", 7, 0, fxsave [fx]
    clts
    mov eax, cr0
    or eax, 4
    mov cr0, eax
    FAULT "fxsave with EM is #UD", 6, 0, fxsave [fx]
    and eax, ~4
    mov cr0, eax
    ret
    .data
    .align 16
fx: .skip 512
pattern: .long 0x11111111, 0x22222222, 0x33333333, 0x44444444
nan: .long 0, 0x7ff80000
value: .long 0x40200000
out: .long 0
env: .skip 128
    .section .low
    .code16
r_env:
r_fld:
    fld dword ptr [r_one]
    fnstenv [renv]
    fninit
    ret
    .align 4
r_one: .long 0x3f800000
renv: .skip 32
    .code32
