/* SPDX-License-Identifier: MIT */
/* fpu_arith.S - x87 arithmetic samples: constants, rounding, integer and BCD conversion, comparison, FPREM, stack faults. SDM vol. 1, chapter 8. */
#include "guest.inc"
    .text
    .globl test_main
test_main:
    fninit
.macro RESULT name, want
    fstp dword ptr [out]
    EXPECT "\name", "dword ptr [out]", \want
.endm
.macro RESULT64 name, low, high
    fstp qword ptr [out]
    EXPECT "\name: low", "dword ptr [out]", \low
    EXPECT "\name: high", "dword ptr [out + 4]", \high
.endm
    fld1
    fld1
    faddp
    RESULT "1 + 1", 0x40000000
    fldpi
    RESULT64 "pi", 0x54442d18, 0x400921fb
    fldl2e
    RESULT64 "log2 e", 0x652b82fe, 0x3ff71547
    fldln2
    RESULT64 "ln 2", 0xfefa39ef, 0x3fe62e42
    fld1
    fild dword ptr [three]
    fdivp
    RESULT64 "1 / 3", 0x55555555, 0x3fd55555
    fild dword ptr [two]
    fsqrt
    RESULT64 "sqrt 2", 0x667f3bcd, 0x3ff6a09e
    fnclex
    fld1
    fchs
    fsqrt
    fnstsw ax
    and eax, 0x7f
    EXPECT "sqrt -1: IE", eax, 1
    RESULT "sqrt -1 is the default NaN", 0xffc00000
    fnclex
    /* rounding of FISTP under all four modes */
.macro ROUND name, cw, want
    fldcw [\cw]
    fld qword ptr [two_and_half]
    fistp dword ptr [out]
    EXPECT "\name", "dword ptr [out]", \want
.endm
    ROUND "2.5 to nearest even", cw_near, 2
    ROUND "2.5 down", cw_down, 2
    ROUND "2.5 up", cw_up, 3
    ROUND "2.5 to zero", cw_zero, 2
    fld qword ptr [minus_two_and_half]
    fistp word ptr [out]
    EXPECT16 "-2.5 to zero, 16 bits", "word ptr [out]", 0xfffe
    fldcw [cw_near]
    fld qword ptr [huge]
    fistp dword ptr [out]
    EXPECT "too large: integer indefinite", "dword ptr [out]", 0x80000000
    fnclex
    fild qword ptr [big]
    fistp qword ptr [out]
    EXPECT "64-bit integer: low", "dword ptr [out]", 0x89abcdef
    EXPECT "64-bit integer: high", "dword ptr [out + 4]", 0x01234567
    fld tbyte ptr [bcd_in]
    fstp st(0)
    fbld [bcd_in]
    fistp dword ptr [out]
    EXPECT "fbld -1234567", "dword ptr [out]", -1234567
    fild dword ptr [minus]
    fbstp [out]
    EXPECT "fbstp: low", "dword ptr [out]", 0x00654321
    EXPECT16 "fbstp: sign", "byte ptr [out + 9]", 0x80
    /* comparison: C3 C2 C0, and FCOMI */
    fld1
    fldz
    fcom st(1)
    fnstsw ax
    and eax, 0x4500
    EXPECT "0 < 1", eax, 0x100
    fcomi st, st(1)
    EXPECT_FLAGS "fcomi: CF", 0x45, 1
    fxch
    fcomip st, st(1)
    EXPECT_FLAGS "fcomip: greater", 0x45, 0
    fstp st(0)
    fld qword ptr [nan]
    fld1
    fucomi st, st(1)
    EXPECT_FLAGS "unordered", 0x45, 0x45
    fstp st(0)
    fstp st(0)
    fldz
    ftst
    fnstsw ax
    and eax, 0x4500
    EXPECT "ftst of zero", eax, 0x4000
    fstp st(0)
    fld1
    fchs
    fxam
    fnstsw ax
    and eax, 0x4700
    EXPECT "fxam of -1: normal, negative", eax, 0x600
    fstp st(0)
    fxam
    fnstsw ax
    and eax, 0x4500
    EXPECT "fxam of empty", eax, 0x4100
    /* stack underflow and overflow */
    fninit
    fstp dword ptr [out]
    fnstsw ax
    and eax, 0x2ff
    EXPECT "underflow: IE, SF, C1 clear", eax, 0x41
    EXPECT "underflow stores the default NaN", "dword ptr [out]", 0xffc00000
    fninit
    fld1
    fld1
    fld1
    fld1
    fld1
    fld1
    fld1
    fld1
    fld1
    fnstsw ax
    and eax, 0x2ff
    EXPECT "overflow: IE, SF, C1", eax, 0x241
    fninit
    fild dword ptr [three]
    fild dword ptr [ten]
    fprem
    RESULT "10 rem 3", 0x3f800000
    fstp st(0)
    fild dword ptr [three]
    fld1
    fscale
    RESULT "1 scaled by 3", 0x41000000
    fstp st(0)
    fild dword ptr [ten]
    fxtract
    RESULT "10: significand", 0x3fa00000
    RESULT "10: exponent", 0x40400000
    fld1
    fldz
    SET_FLAGS 0x43
    fcmove st, st(1)
    RESULT "fcmove taken", 0x3f800000
    fstp st(0)
    fldz
    fcos
    RESULT "cos 0", 0x3f800000
    fldz
    f2xm1
    RESULT "2^0 - 1", 0
    fld1
    fild dword ptr [ten]
    fyl2x
    RESULT64 "log2 10", 0x0979a371, 0x400a934f
    /* precision control */
    fldcw [cw_single]
    fld1
    fild dword ptr [three]
    fdivp
    fldcw [cw_near]
    RESULT64 "1 / 3 in single precision", 0x60000000, 0x3fd55555
    fninit
    ret
    .data
    .align 8
out: .skip 16
nan: .long 0, 0x7ff80000
two_and_half: .long 0, 0x40040000
minus_two_and_half: .long 0, 0xc0040000
huge: .long 0, 0x42040000
big: .long 0x89abcdef, 0x01234567
bcd_in: .long 0x01234567, 0
    .word 0x8000
    .align 4
two: .long 2
three: .long 3
ten: .long 10
minus: .long -654321
cw_near: .word 0x37f
cw_down: .word 0x77f
cw_up: .word 0xb7f
cw_zero: .word 0xf7f
cw_single: .word 0x07f
