/* SPDX-License-Identifier: MIT */
/* sse.S - SSE: #UD without OSFXSR, with EM; #NM; alignment #GP; #XM and its #UD; MXCSR; arithmetic samples; MMX aliases. SDM vol. 1, chapters 10 to 12. */
#include "guest.inc"
    .text
    .globl test_main
test_main:
    mov ebx, cr4
    and ebx, ~0x600
    mov cr4, ebx
    FAULT "without OSFXSR: addps", 6, 0, addps xmm0, xmm1
    FAULT "without OSFXSR: ldmxcsr", 6, 0, ldmxcsr [mx_default]
    FAULT "without OSFXSR: movdqa", 6, 0, movdqa xmm0, xmm1
    NOFAULT "without OSFXSR: sfence", sfence
    NOFAULT "without OSFXSR: prefetchnta", prefetchnta [m]
    NOFAULT "without OSFXSR: pshufw (MMX)", pshufw mm0, mm1, 0
    emms
    mov eax, ebx
    or eax, 0x200
    mov cr4, eax
    NOFAULT "with OSFXSR", addps xmm0, xmm1
    mov eax, cr0
    or eax, 8
    mov cr0, eax
    FAULT "TS: movups", 7, 0, movups xmm0, [m]
    FAULT "TS: stmxcsr", 7, 0, stmxcsr [out]
    clts
    mov eax, cr0
    or eax, 4
    mov cr0, eax
    FAULT "EM: movups", 6, 0, movups xmm0, [m]
    and eax, ~4
    mov cr0, eax
    /* alignment */
    FAULT "movaps, not aligned", 13, 0, movaps xmm0, [m + 4]
    FAULT "addps, not aligned", 13, 0, addps xmm0, [m + 8]
    FAULT "movaps store, not aligned", 13, 0, movaps [m + 1], xmm0
    FAULT "movntps, not aligned", 13, 0, movntps [m + 4], xmm0
    NOFAULT "movups, not aligned", movups xmm0, [m + 4]
    NOFAULT "addss, not aligned", addss xmm0, [m + 1]
    NOFAULT "lddqu, not aligned", lddqu xmm0, [m + 3]
    /* MXCSR and #XM */
    stmxcsr [out]
    ldmxcsr [mx_default]
    stmxcsr [out]
    EXPECT "MXCSR", "dword ptr [out]", 0x1f80
    movss xmm0, [one]
    xorps xmm1, xmm1
    divss xmm0, xmm1
    stmxcsr [out]
    EXPECT "ZE, masked", "dword ptr [out]", 0x1f84
    movss [out], xmm0
    EXPECT "infinity", "dword ptr [out]", 0x7f800000
    ldmxcsr [mx_zm]
    movss xmm0, [one]
    FAULT "unmasked, without OSXMMEXCPT", 6, 0, divss xmm0, xmm1
    mov eax, cr4
    or eax, 0x400
    mov cr4, eax
    FAULT "unmasked, with OSXMMEXCPT", 19, 0, divss xmm0, xmm1
    movss [out], xmm0
    EXPECT "destination kept", "dword ptr [out]", 0x3f800000
    stmxcsr [out]
    EXPECT "ZE is set", "dword ptr [out]", 0x1d84
    ldmxcsr [mx_default]
    /* samples */
    movups xmm0, [m]
    movups xmm1, [n]
    addps xmm0, xmm1
    movups [out], xmm0
    EXPECT "addps 0", "dword ptr [out]", 0x40c00000
    EXPECT "addps 3", "dword ptr [out + 12]", 0x41400000
    movdqu xmm2, [ints]
    paddd xmm2, xmm2
    movd eax, xmm2
    EXPECT "paddd", eax, 0xfffffffe
    pshufd xmm3, xmm2, 0x1b
    movd eax, xmm3
    EXPECT "pshufd", eax, 8
    pcmpeqd xmm4, xmm4
    pmovmskb eax, xmm4
    EXPECT "pcmpeqd, pmovmskb", eax, 0xffff
    mov ecx, -7
    cvtsi2sd xmm5, ecx
    cvttsd2si eax, xmm5
    EXPECT "cvtsi2sd and back", eax, -7
    movsd xmm5, [two_and_half]
    cvtsd2si eax, xmm5
    EXPECT "cvtsd2si rounds to even", eax, 2
    ldmxcsr [mx_up]
    cvtsd2si eax, xmm5
    EXPECT "cvtsd2si rounds up", eax, 3
    cvttsd2si eax, xmm5
    EXPECT "cvttsd2si truncates", eax, 2
    ldmxcsr [mx_default]
    SET_FLAGS 0x8d7
    ucomisd xmm5, xmm5
    EXPECT_FLAGS "ucomisd equal: ZF only", 0x8d5, 0x40
    movss xmm6, [one]
    comiss xmm6, [n]
    EXPECT_FLAGS "comiss less: CF", 0x8d5, 1
    mulsd xmm5, xmm5
    sqrtsd xmm5, xmm5
    movsd [out], xmm5
    EXPECT "mulsd, sqrtsd", "dword ptr [out + 4]", 0x40040000
    /* MMX aliases the x87 registers and clears TOP, tags all valid */
    fninit
    movq mm0, [ints]
    paddw mm0, mm0
    movq [out], mm0
    EXPECT "paddw", "dword ptr [out]", 0xfffefffe
    fnstenv [env]
    EXPECT16 "MMX: top 0", "word ptr [env + 4]", 0
    emms
    fnstenv [env]
    EXPECT16 "EMMS: all empty", "word ptr [env + 8]", 0xffff
    fninit
    /* splits and faults */
    DESC SEL_FREE0, "offset m", 15, 0x93, DESC_32
    mov ax, SEL_FREE0
    mov fs, ax
    NOFAULT "16 bytes inside a limit of 15", movaps xmm0, fs:[0]
    FAULT "16 bytes at 1", 13, 0, movups xmm0, fs:[1]
    NOFAULT "movss at 12", movss xmm0, fs:[12]
    ret
    .data
    .align 16
m: .long 0x3f800000, 0x40000000, 0x40400000, 0x40800000
n: .long 0x40a00000, 0x40c00000, 0x40e00000, 0x41000000
out: .long 0, 0, 0, 0
ints: .long -1, 2, 3, 4
two_and_half: .long 0, 0x40040000
one: .long 0x3f800000
mx_default: .long 0x1f80
mx_zm: .long 0x1d80
mx_up: .long 0x5f80
env: .skip 32
