/* SPDX-License-Identifier: MIT */
/*
 * cpu_486.S - what CPUID does not offer is #UD, what it offers is not (SDM vol. 2: "#UD if CPUID.01H:..."); bits of CR4 likewise, by
 * #GP. Runs on several CPU models. What came without a bit goes by the family: 0F 1F with the P6 (vol. 2B, NOP).
 */
#include "guest.inc"
    .text
    .globl test_main
/* The instruction is #UD when bit `bit` of `word` is 0, and anything but #UD when it is 1. */
.macro UDX name:req, word:req, bit:req, insn:vararg
    FAULT_EXPECTED 79f
    mov ecx, 0x10
    \insn
79: IS_UD "\name", \word, \bit
.endm
.macro IS_UD name:req, word:req, bit:req
    xor eax, eax
    cmp dword ptr [fault_vector], 6
    sete al
    xor edx, edx
    bt dword ptr [\word], \bit
    setnc dl
    EXPECT "#UD or not: \name", eax, edx
.endm
/* CR4's bits `bits` are #GP when bit `bit` of `word` is 0, and otherwise kept. */
.macro CR4X name:req, word:req, bit:req, bits:req
    mov ebx, cr4
    mov eax, ebx
    or eax, \bits
    FAULT_EXPECTED 79f
    mov cr4, eax
79: mov eax, cr4
    mov cr4, ebx
    and eax, \bits
    xor edx, edx
    bt dword ptr [\word], \bit
    jnc 78f
    mov edx, \bits
78: EXPECT "CR4: \name", eax, edx
    mov eax, 0xd
    cmp edx, 1
    sbb edx, edx
    and eax, edx
    and edx, [fault_vector]
    EXPECT "CR4: #GP or not: \name", edx, eax
.endm

test_main:
    mov eax, 1
    cpuid
    mov [d1], edx
    mov [c1], ecx
    shr eax, 8
    and eax, 15
    cmp eax, 6
    sbb eax, eax
    not eax
    mov [p6], eax
    xor eax, eax
    cpuid
    cmp eax, 7
    jb 1f
    mov eax, 7
    xor ecx, ecx
    cpuid
    mov [b7], ebx
1:  bt dword ptr [d1], 9
    jc 1f
    mov eax, [0xfee00030]
    EXPECT "no APIC in CPUID: nothing at fee00030", eax, 0xffffffff
    mov eax, [0xfec00000]
    EXPECT "no APIC in CPUID: nothing at fec00000", eax, 0xffffffff
1:  CR4X "VME", d1, 1, 1
    CR4X "PVI", d1, 1, 2
    CR4X "TSD", d1, 4, 4
    CR4X "DE", d1, 2, 8
    CR4X "PSE", d1, 3, 0x10
    CR4X "PAE", d1, 6, 0x20
    CR4X "MCE", d1, 7, 0x40
    CR4X "PGE", d1, 13, 0x80
    CR4X "PCE", d1, 23, 0x100
    CR4X "OSFXSR", d1, 24, 0x200
    CR4X "OSXMMEXCPT", d1, 25, 0x400
    CR4X "SMEP", b7, 7, 0x100000
    CR4X "SMAP", b7, 20, 0x200000
    bt dword ptr [d1], 24
    jnc 1f
    mov eax, 0x200
    mov cr4, eax
1:  UDX "rdmsr", d1, 5, rdmsr
    UDX "wrmsr", d1, 5, wrmsr
    UDX "rdtsc", d1, 4, rdtsc
    UDX "rdpmc", d1, 23, rdpmc
    UDX "cmpxchg8b", d1, 8, cmpxchg8b [box]
    UDX "lock cmpxchg8b", d1, 8, lock cmpxchg8b [box]
    UDX "cmovc", d1, 15, cmovc eax, ecx
    UDX "fcmovb", d1, 15, fcmovb st, st(1)
    UDX "fcmovnu", d1, 15, fcmovnu st, st(1)
    UDX "fcomi", d1, 15, fcomi st, st(1)
    fninit
    fldz
    fldz
    UDX "fucomip", d1, 15, fucomip st, st(1)
    fninit
    UDX "sysenter", d1, 11, sysenter
    UDX "sysexit", d1, 11, sysexit
    UDX "emms", d1, 23, emms
    UDX "paddb mm", d1, 23, paddb mm0, mm1
    UDX "movd mm", d1, 23, movd mm0, [box]
    UDX "fxsave", d1, 24, fxsave [fx]
    UDX "fxrstor", d1, 24, fxrstor [fx]
    UDX "sfence", d1, 25, sfence
    UDX "stmxcsr", d1, 25, stmxcsr [box]
    UDX "addps", d1, 25, addps xmm0, xmm1
    UDX "maskmovq", d1, 25, maskmovq mm0, mm1
    UDX "pshufw", d1, 25, pshufw mm0, mm1, 0
    UDX "movntq", d1, 25, movntq [box], mm0
    UDX "paddq mm", d1, 26, paddq mm0, mm1
    UDX "pmuludq mm", d1, 26, pmuludq mm0, mm1
    UDX "paddb xmm", d1, 26, paddb xmm0, xmm1
    UDX "movdqu", d1, 26, movdqu xmm0, [fx]
    UDX "movnti", d1, 26, movnti [box], eax
    UDX "lfence", d1, 26, lfence
    UDX "mfence", d1, 26, mfence
    UDX "clflush", d1, 19, clflush [box]
    UDX "fisttp", c1, 0, fisttp dword ptr [box]
    UDX "haddps", c1, 0, haddps xmm0, xmm1
    UDX "pshufb mm", c1, 9, pshufb mm0, mm1
    UDX "pshufb xmm", c1, 9, pshufb xmm0, xmm1
    UDX "ptest", c1, 19, ptest xmm0, xmm1
    UDX "pcmpgtq", c1, 20, pcmpgtq xmm0, xmm1
    UDX "crc32", c1, 20, crc32 eax, ecx
    UDX "movbe", c1, 22, movbe eax, [box]
    UDX "popcnt", c1, 23, popcnt eax, ecx
    UDX "aesenc", c1, 25, aesenc xmm0, xmm1
    UDX "pclmulqdq", c1, 1, pclmulqdq xmm0, xmm1, 0
    UDX "rdrand", c1, 30, rdrand eax
    UDX "clac", b7, 20, clac
    UDX "stac", b7, 20, stac
    UDX "nop with operand", p6, 0, .byte 0x0f, 0x1f, 0x00
    UDX "endbr32", p6, 0, endbr32
    UDX "prefetchnta", p6, 0, prefetchnta [box]
    FAULT "ud2", 6, 0, ud2
    /* The 486 has these (vol. 3B, "Architecture compatibility"). */
    UDX "xadd", one, 0, xadd [box], eax
    UDX "cmpxchg", one, 0, cmpxchg [box], eax
    UDX "bswap", one, 0, bswap eax
    UDX "invlpg", one, 0, invlpg [box]
    UDX "wbinvd", one, 0, wbinvd
    UDX "pause", one, 0, pause
    UDX "rep bsf", one, 0, rep bsf eax, ecx
    UDX "setz", one, 0, setz al
    /* AC and ID of EFLAGS can be changed: a CPU with CPUID (vol. 1, 3.4.3.3). */
    pushfd
    pop ebx
    mov eax, ebx
    xor eax, 0x240000
    push eax
    popfd
    pushfd
    pop eax
    push ebx
    popfd
    xor eax, ebx
    and eax, 0x240000
    EXPECT "EFLAGS.AC and ID", eax, 0x240000
    ret
    .data
    .align 16
fx: .fill 512, 1, 0
box: .long 0, 0
d1: .long 0
c1: .long 0
b7: .long 0
p6: .long 0
one: .long 1
