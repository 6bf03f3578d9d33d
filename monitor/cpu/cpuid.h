/* SPDX-License-Identifier: MIT */
/*
 * cpuid.h - the named CPU models of -cpu: what CPUID and the feature MSRs answer.
 * Promises   A model reports only what works and hides nothing needed; models are rows of
 *            monitor/cpu/cpu_model.def.
 */
#ifndef RING1_MONITOR_CPU_CPUID_H
#define RING1_MONITOR_CPU_CPUID_H

#include "monitor/cpu/vcpu.h"

struct cpu_model {
    const char *name;   /* as in -cpu */
    const char *text;   /* one line for -cpu help */
    const char *brand;  /* leaves 0x80000002-4, 48 bytes at most; NULL: none */
    const char *vendor; /* 12 characters */
    uint8_t family, model, stepping;
    uint32_t feat_1_edx, feat_1_ecx, feat_7_ebx, feat_7_ecx, feat_7_edx, feat_80000001_edx,
        feat_80000001_ecx;
    uint64_t arch_capabilities;
    uint32_t max_leaf;
};

const struct cpu_model *cpu_model_find(const char *name); /* NULL: no such model */
const struct cpu_model *
cpu_model_at(unsigned i); /* table order; NULL past the end; 0 is the default */
struct cpuid_result {
    uint32_t eax, ebx, ecx, edx;
};
struct cpuid_result cpuid_leaf(const struct vcpu *v, uint32_t leaf, uint32_t subleaf);

/* Does the virtual CPU have all features of the mask (CPUID_1_EDX_* ...), after what the host lacks
 * was taken away? */
bool cpu_has_1_edx(const struct vcpu *v, uint32_t mask);
bool cpu_has_1_ecx(const struct vcpu *v, uint32_t mask);
bool cpu_has_7_ebx(const struct vcpu *v, uint32_t mask);
bool cpu_has_7_ecx(const struct vcpu *v, uint32_t mask);
bool cpu_has_7_edx(const struct vcpu *v, uint32_t mask);
/* The features of decoder/feature.def that it has, a set for decoder_init(). Never changes while
 * the VM lives: the guest can hide leaves, but not take instructions away. */
uint32_t cpu_instructions(const struct vcpu *v);
/* The guest just tried `what` (a static text), which the model lacks: see vcpu.lacked. */
void cpu_note_lack(struct vcpu *v, const char *what);
bool cpu_has_nx(
    const struct vcpu *v); /* in the model and not switched off through IA32_MISC_ENABLE */

/* Feature bits, by the SDM's names (vol. 2A, CPUID, tables 3-8, 3-10, 3-11). */
#define CPUID_1_EDX_FPU        (1u << 0)
#define CPUID_1_EDX_VME        (1u << 1)
#define CPUID_1_EDX_DE         (1u << 2)
#define CPUID_1_EDX_PSE        (1u << 3)
#define CPUID_1_EDX_TSC        (1u << 4)
#define CPUID_1_EDX_MSR        (1u << 5)
#define CPUID_1_EDX_PAE        (1u << 6)
#define CPUID_1_EDX_MCE        (1u << 7)
#define CPUID_1_EDX_CX8        (1u << 8)
#define CPUID_1_EDX_APIC       (1u << 9)
#define CPUID_1_EDX_SEP        (1u << 11)
#define CPUID_1_EDX_MTRR       (1u << 12)
#define CPUID_1_EDX_PGE        (1u << 13)
#define CPUID_1_EDX_MCA        (1u << 14)
#define CPUID_1_EDX_CMOV       (1u << 15)
#define CPUID_1_EDX_PAT        (1u << 16)
#define CPUID_1_EDX_PSE36      (1u << 17)
#define CPUID_1_EDX_CLFSH      (1u << 19)
#define CPUID_1_EDX_MMX        (1u << 23)
#define CPUID_1_EDX_FXSR       (1u << 24)
#define CPUID_1_EDX_SSE        (1u << 25)
#define CPUID_1_EDX_SSE2       (1u << 26)
#define CPUID_1_EDX_SS         (1u << 27)
#define CPUID_1_EDX_HTT        (1u << 28)
#define CPUID_1_ECX_SSE3       (1u << 0)
#define CPUID_1_ECX_PCLMUL     (1u << 1)
#define CPUID_1_ECX_SSSE3      (1u << 9)
#define CPUID_1_ECX_SSE41      (1u << 19)
#define CPUID_1_ECX_SSE42      (1u << 20)
#define CPUID_1_ECX_MOVBE      (1u << 22)
#define CPUID_1_ECX_POPCNT     (1u << 23)
#define CPUID_1_ECX_TSCDL      (1u << 24)
#define CPUID_1_ECX_AES        (1u << 25)
#define CPUID_1_ECX_RDRAND     (1u << 30)
#define CPUID_1_ECX_HYPERVISOR (1u << 31)
#define CPUID_7_EBX_TSC_ADJUST (1u << 1)
#define CPUID_7_EBX_SMEP       (1u << 7)
#define CPUID_7_EBX_ERMS       (1u << 9)
#define CPUID_7_EBX_SMAP       (1u << 20)
#define CPUID_7_ECX_UMIP       (1u << 2)
#define CPUID_7_EDX_SPEC_CTRL  (1u << 26)
#define CPUID_7_EDX_ARCH_CAP   (1u << 29)
#define CPUID_EXT1_EDX_NX      (1u << 20)

#endif
