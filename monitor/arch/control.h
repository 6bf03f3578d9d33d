/* SPDX-License-Identifier: MIT */
/*
 * control.h - control and debug registers and the TSC: the rules of MOV CR/DR, LMSW, CLTS, RDTSC...
 *
 * Promises   Each function makes all checks of its instruction, of CPL too, raises before anything
 *            has changed, and flushes what the change concerns; handlers only move operands.
 * Source     SDM vol. 3A, section 2.5; vol. 3B, chapter 18 (debug) and 18.17 (TSC).
 */
#ifndef RING1_MONITOR_ARCH_CONTROL_H
#define RING1_MONITOR_ARCH_CONTROL_H

#include "monitor/cpu/vcpu.h"

uint32_t control_read_cr(struct vcpu *v, unsigned n); /* #UD for CR1, CR5-7, CR8+ */
void control_write_cr(struct vcpu *v, unsigned n,
                      uint32_t val); /* all reserved-bit and mode checks, TLB flushes */
void control_lmsw(struct vcpu *v, uint16_t val);
uint16_t control_smsw(struct vcpu *v); /* UMIP */
void control_clts(struct vcpu *v);
void control_invlpg(struct vcpu *v, unsigned seg, uint32_t off);
uint32_t control_read_dr(struct vcpu *v, unsigned n); /* DR7.GD, CR4.DE aliases */
void control_write_dr(struct vcpu *v, unsigned n, uint32_t val);
uint64_t control_rdtsc(struct vcpu *v);           /* CR4.TSD */
uint64_t control_guest_tsc(const struct vcpu *v); /* no checks */
void control_umip_check(
    struct vcpu *v); /* SGDT SIDT SLDT STR SMSW at CPL 3 under CR4.UMIP: #GP(0) */

#endif
