/* SPDX-License-Identifier: MIT */
/* msr.h - RDMSR and WRMSR: one table row per register (msr.def). An access to an unknown register
 * raises #GP(0), is counted and traced. */
#ifndef RING1_MONITOR_ARCH_MSR_H
#define RING1_MONITOR_ARCH_MSR_H

#include "monitor/cpu/vcpu.h"

uint64_t msr_read(struct vcpu *v, uint32_t index); /* CPL checked; raises #GP(0) */
void msr_write(struct vcpu *v, uint32_t index,
               uint64_t val); /* reserved bits checked; raises #GP(0) */
void msr_reset(struct vcpu *v);

#endif
