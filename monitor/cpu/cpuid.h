/* SPDX-License-Identifier: MIT */
/*
 * cpuid.h - the named CPU models of -cpu: what CPUID and the feature MSRs answer.
 *
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
cpu_model_at(unsigned i); /* in the table's order; NULL after the last; 0 is the default */
struct cpuid_result {
    uint32_t eax, ebx, ecx, edx;
};
/* What CPUID answers with EAX = leaf, ECX = subleaf, after what the host lacks was taken away. */
struct cpuid_result cpuid_leaf(const struct vcpu *v, uint32_t leaf, uint32_t subleaf);

/* Does the virtual CPU have all features of the mask (CPUID_1_EDX_* ...), after what the host lacks
 * was taken away? */
bool cpu_has_1_edx(const struct vcpu *v, uint32_t mask);
bool cpu_has_1_ecx(const struct vcpu *v, uint32_t mask);
bool cpu_has_7_ebx(const struct vcpu *v, uint32_t mask);
bool cpu_has_7_ecx(const struct vcpu *v, uint32_t mask);
bool cpu_has_7_edx(const struct vcpu *v, uint32_t mask);
/* The features of decoder/feature.def that the virtual CPU has, as a set for decoder_init(). Never
 * changes while the VM lives: the guest can hide leaves, but not take instructions away. */
uint32_t cpu_instructions(const struct vcpu *v);
/* Notes in vcpu.lacked that the guest just tried `what` (a static text), which the model lacks. */
void cpu_note_lack(struct vcpu *v, const char *what);
bool cpu_has_nx(
    const struct vcpu *v); /* in the model and not switched off through IA32_MISC_ENABLE */

#endif
