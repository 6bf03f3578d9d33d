/* SPDX-License-Identifier: MIT */
/* control_regs.S - CR0, CR3, CR4 reserved bits and combinations; RDTSC with TSD, RDPMC, MSRs, CPUID. SDM vol. 3A, 2.5; vol. 2; vol. 4. */
#include "guest.inc"
    .text
    .globl test_main
test_main:
    mov ebx, cr0
    mov eax, ebx
    or eax, 0x80000000
    and eax, ~1
    FAULT "PG without PE", 13, 0, mov cr0, eax
    mov eax, ebx
    and eax, ~0x40000000
    or eax, 0x20000000
    FAULT "NW without CD", 13, 0, mov cr0, eax
    mov ecx, cr0
    EXPECT "CR0 unchanged", ecx, ebx
    mov eax, ebx
    or eax, 0x40000000
    NOFAULT "CD", mov cr0, eax
    mov ecx, cr0
    EXPECT "CD is kept", ecx, eax
    mov cr0, ebx
    mov eax, ebx
    and eax, ~0x10
    mov cr0, eax
    mov ecx, cr0
    and ecx, 0x10
    EXPECT "ET is fixed", ecx, 0x10
    mov cr0, ebx
    mov eax, 0x12345018
    mov cr3, eax
    mov ecx, cr3
    EXPECT "CR3 keeps PWT and PCD", ecx, 0x12345018
    xor eax, eax
    mov cr3, eax
    mov eax, 0xdeadbeef
    mov cr2, eax
    mov ecx, cr2
    EXPECT "CR2 is plain", ecx, 0xdeadbeef
    mov ebx, cr4
    mov eax, ebx
    or eax, 0x80000000
    FAULT "CR4 bit 31", 13, 0, mov cr4, eax
    mov eax, ebx
    or eax, 0x80000
    FAULT "CR4 bit 19", 13, 0, mov cr4, eax
    mov eax, ebx
    or eax, 0x2000
    FAULT "CR4.VMXE without VMX", 13, 0, mov cr4, eax
    mov ecx, cr4
    EXPECT "CR4 unchanged", ecx, ebx
    mov eax, 0x6f8
    NOFAULT "CR4: DE PSE PAE MCE PGE OSFXSR OSXMMEXCPT", mov cr4, eax
    mov ecx, cr4
    EXPECT "they read back", ecx, 0x6f8
    mov cr4, ebx
    /* TSC */
    rdtsc
    mov esi, eax
    mov edi, edx
    mov ecx, 1000
1:  loop 1b
    rdtsc
    sub eax, esi
    sbb edx, edi
    EXPECT "TSC advances, upper half", edx, 0
    cmp eax, 0
    setg al
    movzx eax, al
    EXPECT "TSC advances", eax, 1
    USER u_rdtsc
    EXPECT_FAULT "RDTSC at CPL 3", 0x30, 0
    mov eax, cr4
    or eax, 4
    mov cr4, eax
    USER u_rdtsc
    EXPECT_FAULT "RDTSC at CPL 3 with TSD", 13, 0
    NOFAULT "RDTSC at CPL 0 with TSD", rdtsc
    mov cr4, ebx
    USER u_rdpmc
    EXPECT_FAULT "RDPMC at CPL 3 without PCE", 13, 0
    mov ecx, 0x10
    mov eax, 0
    mov edx, 0x1000
    wrmsr
    rdmsr
    EXPECT "TSC is writable", edx, 0x1000
    /* MSRs */
    mov ecx, 0x12345678
    FAULT "rdmsr of nothing", 13, 0, rdmsr
    FAULT "wrmsr of nothing", 13, 0, wrmsr
    mov ecx, 0x174
    mov eax, 0x08
    xor edx, edx
    wrmsr
    xor eax, eax
    rdmsr
    EXPECT "SYSENTER_CS reads back", eax, 8
    mov ecx, 0x1b
    rdmsr
    and eax, 0xfffffb00
    EXPECT "APIC base, enabled, BSP", eax, 0xfee00900
    or eax, 0x200
    mov ecx, 0x1b
    FAULT "APIC base: reserved bit 9", 13, 0, wrmsr
    mov ecx, 0xc0000080
    rdmsr
    or eax, 2
    FAULT "EFER: reserved bit", 13, 0, wrmsr
    /* CPUID */
    xor eax, eax
    cpuid
    cmp eax, 1
    setae al
    movzx eax, al
    EXPECT "CPUID: leaf 1 exists", eax, 1
    mov eax, 1
    cpuid
    and edx, 0x07808179
    EXPECT "CPUID: FPU PSE TSC MSR PAE CX8 CMOV MMX FXSR SSE SSE2", edx, 0x07808179
    mov eax, 0x80000000
    cpuid
    cmp eax, 0x80000004
    setae al
    movzx eax, al
    EXPECT "CPUID: brand string leaves", eax, 1
    mov eax, 0x80000001
    cpuid
    and edx, 0x20000000
    EXPECT "CPUID: no long mode", edx, 0
    USER u_cpuid
    EXPECT_FAULT "CPUID at CPL 3", 0x30, 0
    ret
    .section .user
u_rdtsc: rdtsc
    USER_EXIT
u_rdpmc:
    xor ecx, ecx
    rdpmc
u_cpuid:
    xor eax, eax
    cpuid
    USER_EXIT
