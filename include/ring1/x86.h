/* SPDX-License-Identifier: MIT */
/*
 * x86.h - bits, numbers and registers of the architecture that more than one file names.
 *
 * Promises   A fact about the CPU stands here once, by the SDM's name; tests/lint/shape.py finds a
 *            second definition.
 * Not here   What only one file needs (task-state segments, MSR lists), and what instructions are
 *            (decoder/isa.def).
 */
#ifndef RING1_X86_H
#define RING1_X86_H

/* General registers, numbered as ModRM encodes them (SDM vol. 2A, table 2-2). */
enum gpr_id { EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI, GPR_COUNT };

/* Segment registers, numbered as MOV Sreg encodes them (SDM vol. 2A, table 2-2 note). */
enum seg_id { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_COUNT };

/* Exception vectors (SDM vol. 3A, table 6-1). */
enum vector {
    VEC_DE = 0,
    VEC_DB = 1,
    VEC_NMI = 2,
    VEC_BP = 3,
    VEC_OF = 4,
    VEC_BR = 5,
    VEC_UD = 6,
    VEC_NM = 7,
    VEC_DF = 8,
    VEC_TS = 10,
    VEC_NP = 11,
    VEC_SS = 12,
    VEC_GP = 13,
    VEC_PF = 14,
    VEC_MF = 16,
    VEC_AC = 17,
    VEC_MC = 18,
    VEC_XM = 19,
};

/* EFLAGS (SDM vol. 1, section 3.4.3). */
#define EFL_CF         (1u << 0)
#define EFL_FIXED1     (1u << 1)
#define EFL_PF         (1u << 2)
#define EFL_AF         (1u << 4)
#define EFL_ZF         (1u << 6)
#define EFL_SF         (1u << 7)
#define EFL_TF         (1u << 8)
#define EFL_IF         (1u << 9)
#define EFL_IF_SHIFT   9
#define EFL_DF         (1u << 10)
#define EFL_OF         (1u << 11)
#define EFL_OF_SHIFT   11
#define EFL_IOPL       (3u << 12)
#define EFL_IOPL_SHIFT 12
#define EFL_NT         (1u << 14)
#define EFL_RF         (1u << 16)
#define EFL_VM         (1u << 17)
#define EFL_AC         (1u << 18)
#define EFL_VIF        (1u << 19)
#define EFL_VIP        (1u << 20)
#define EFL_ID         (1u << 21)
#define EFL_ARITH      (EFL_CF | EFL_PF | EFL_AF | EFL_ZF | EFL_SF | EFL_OF)

/* Control registers (SDM vol. 3A, section 2.5). */
#define CR0_PE         (1u << 0)
#define CR0_MP         (1u << 1)
#define CR0_EM         (1u << 2)
#define CR0_TS         (1u << 3)
#define CR0_ET         (1u << 4)
#define CR0_NE         (1u << 5)
#define CR0_WP         (1u << 16)
#define CR0_AM         (1u << 18)
#define CR0_NW         (1u << 29)
#define CR0_CD         (1u << 30)
#define CR0_PG         (1u << 31)
#define CR4_VME        (1u << 0)
#define CR4_PVI        (1u << 1)
#define CR4_TSD        (1u << 2)
#define CR4_DE         (1u << 3)
#define CR4_PSE        (1u << 4)
#define CR4_PAE        (1u << 5)
#define CR4_MCE        (1u << 6)
#define CR4_PGE        (1u << 7)
#define CR4_PCE        (1u << 8)
#define CR4_OSFXSR     (1u << 9)
#define CR4_OSXMMEXCPT (1u << 10)
#define CR4_UMIP       (1u << 11)
#define CR4_SMEP       (1u << 20)
#define CR4_SMAP       (1u << 21)

/* Debug registers (SDM vol. 3B, section 18.2). */
#define DR6_BREAKS 0xfu       /* B0-B3 */
#define DR6_BD     (1u << 13) /* a debug register was accessed while DR7.GD was set */
#define DR6_BS     (1u << 14) /* single step */
#define DR6_BT     (1u << 15) /* task switch */
#define DR7_LOCAL  0x155u     /* L0-L3, LE */
#define DR7_GD     (1u << 13)
/* What reads as one, and what a write changes (SDM vol. 3B, figure 18-1). */
#define DR6_ONES     0xffff0ff0u
#define DR6_WRITABLE 0x0000e00fu
#define DR7_ONES     0x00000400u
#define DR7_WRITABLE 0xffff23ffu
#define DR7_ENABLES  0x000000ffu

/* Entries of page directories and tables (SDM vol. 3A, section 4.3, tables 4-4 to 4-6, 4-8 to
 * 4-12). */
#define PTE_P  0x001u
#define PTE_W  0x002u
#define PTE_U  0x004u
#define PTE_A  0x020u
#define PTE_D  0x040u
#define PTE_PS 0x080u
#define PTE_G  0x100u
#define PTE_NX (1ull << 63)

/* Page-fault error code bits (SDM vol. 3A, section 4.7). */
#define PFE_P    1u
#define PFE_W    2u
#define PFE_U    4u
#define PFE_RSVD 8u
#define PFE_I    16u

/* MSRs: IA32_EFER, IA32_APIC_BASE, IA32_MISC_ENABLE (SDM vol. 4, table 2-2). */
#define EFER_NXE                (1ull << 11)
#define APIC_BASE_BSP           (1ull << 8)
#define APIC_BASE_ENABLE        (1ull << 11)
#define MISC_ENABLE_LIMIT_CPUID (1ull << 22)
#define MISC_ENABLE_XD_DISABLE  (1ull << 34)

/* Feature bits, by the SDM's names (vol. 2A, CPUID, tables 3-8, 3-10, 3-11). */
#define CPUID_1_EDX_FPU             (1u << 0)
#define CPUID_1_EDX_VME             (1u << 1)
#define CPUID_1_EDX_DE              (1u << 2)
#define CPUID_1_EDX_PSE             (1u << 3)
#define CPUID_1_EDX_TSC             (1u << 4)
#define CPUID_1_EDX_MSR             (1u << 5)
#define CPUID_1_EDX_PAE             (1u << 6)
#define CPUID_1_EDX_MCE             (1u << 7)
#define CPUID_1_EDX_CX8             (1u << 8)
#define CPUID_1_EDX_APIC            (1u << 9)
#define CPUID_1_EDX_SEP             (1u << 11)
#define CPUID_1_EDX_MTRR            (1u << 12)
#define CPUID_1_EDX_PGE             (1u << 13)
#define CPUID_1_EDX_MCA             (1u << 14)
#define CPUID_1_EDX_CMOV            (1u << 15)
#define CPUID_1_EDX_PAT             (1u << 16)
#define CPUID_1_EDX_PSE36           (1u << 17)
#define CPUID_1_EDX_CLFSH           (1u << 19)
#define CPUID_1_EDX_MMX             (1u << 23)
#define CPUID_1_EDX_FXSR            (1u << 24)
#define CPUID_1_EDX_SSE             (1u << 25)
#define CPUID_1_EDX_SSE2            (1u << 26)
#define CPUID_1_EDX_SS              (1u << 27)
#define CPUID_1_EDX_HTT             (1u << 28)
#define CPUID_1_ECX_SSE3            (1u << 0)
#define CPUID_1_ECX_PCLMUL          (1u << 1)
#define CPUID_1_ECX_SSSE3           (1u << 9)
#define CPUID_1_ECX_SSE41           (1u << 19)
#define CPUID_1_ECX_SSE42           (1u << 20)
#define CPUID_1_ECX_MOVBE           (1u << 22)
#define CPUID_1_ECX_POPCNT          (1u << 23)
#define CPUID_1_ECX_TSCDL           (1u << 24)
#define CPUID_1_ECX_AES             (1u << 25)
#define CPUID_1_ECX_RDRAND          (1u << 30)
#define CPUID_1_ECX_HYPERVISOR      (1u << 31)
#define CPUID_7_EBX_TSC_ADJUST      (1u << 1)
#define CPUID_7_EBX_FDP_EXCPTN_ONLY (1u << 6)
#define CPUID_7_EBX_SMEP            (1u << 7)
#define CPUID_7_EBX_BMI2            (1u << 8)
#define CPUID_7_EBX_ERMS            (1u << 9)
#define CPUID_7_EBX_FCS_DEPRECATED  (1u << 13)
#define CPUID_7_EBX_SMAP            (1u << 20)
#define CPUID_7_ECX_UMIP            (1u << 2)
#define CPUID_7_EDX_SPEC_CTRL       (1u << 26)
#define CPUID_7_EDX_ARCH_CAP        (1u << 29)
#define CPUID_EXT1_EDX_NX           (1u << 20)

#endif
