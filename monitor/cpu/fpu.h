/* SPDX-License-Identifier: MIT */
/*
 * fpu.h - where the guest's x87/MMX/SSE registers are: live in the host's registers, or parked in
 * vcpu.fpu.area. A partner is the CPU that shares the host's registers (vcpu.fpu_partner).
 */
#ifndef RING1_MONITOR_CPU_FPU_H
#define RING1_MONITOR_CPU_FPU_H

#include "monitor/cpu/vcpu.h"

/* Sets the state after power-up (SDM vol. 3A, table 10-1): FCW = 0x40, every x87 register a valid
 * +0, MXCSR = 0x1f80, XMM = 0. */
void fpu_reset(struct vcpu *v);
/* Saves the guest's registers, or its partner's, if they are live, and gives the host's x87 control
 * word and MXCSR their C defaults. Idempotent. */
void fpu_park(struct vcpu *v);
/* Loads the guest's registers if they are not live, after parking its partner's. The host must not
 * touch its FPU from then on until fpu_park(). Idempotent. */
void fpu_unpark(struct vcpu *v);
/* Checks, where an instruction is about to use the registers, that nothing parked them after its
 * fpu_unpark(). */
static inline void fpu_check_live(const struct vcpu *v)
{
    VMM_CHECK(v->fpu.live);
}
/* Loads the live registers again as the last fpu_park() saved them. */
void fpu_reload(struct vcpu *v);

#endif
