/* SPDX-License-Identifier: MIT */
/*
 * fpu.h - residence of the guest's x87/MMX/SSE registers: live in the host's, or parked in
 * vcpu.fpu.area.
 */
#ifndef RING1_MONITOR_CPU_FPU_H
#define RING1_MONITOR_CPU_FPU_H

#include "monitor/cpu/vcpu.h"

/* State after power-up (SDM vol. 3A, table 10-1): FCW = 0x40, every x87 register a valid +0,
 * MXCSR = 0x1f80, XMM = 0. */
void fpu_reset(struct vcpu *v);
/* Saves the guest's registers if live, or its partner's, and gives the host's x87 control word and
 * MXCSR their C defaults. Idempotent. */
void fpu_park(struct vcpu *v);
/* Loads them if not live; its partner's are parked. The guest's FPU must not be touched by the host
 * until fpu_park().
 * Idempotent. */
void fpu_unpark(struct vcpu *v);
/* An instruction is about to use them: nothing parked them after its fpu_unpark(). */
static inline void fpu_check_live(const struct vcpu *v)
{
    VMM_CHECK(v->fpu.live);
}
/* Live registers again as the last fpu_park() saved them. */
void fpu_reload(struct vcpu *v);

#endif
