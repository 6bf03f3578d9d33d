/* SPDX-License-Identifier: MIT */
/*
 * fault.h - raising an exception from anywhere within an instruction, and catching it.
 *
 * Promises   fault_raise() never returns: it unwinds to the innermost fault_catch(). What the
 *            instruction has not committed by then has not happened; vcpu.eip is its start.
 * Invariant  A fault is raised only while a fault_catch() of the same vCPU is active.
 * Not here   What becomes of a caught fault: its delivery through the IDT (exception.h).
 * Source     SDM vol. 3A, section 6.5 (faults are reported before the instruction).
 */
#ifndef RING1_MONITOR_CPU_FAULT_H
#define RING1_MONITOR_CPU_FAULT_H

#include "monitor/cpu/vcpu.h"

#define NO_ERROR_CODE 0xffffffffu

/* Raises a fault of the current instruction. error: NO_ERROR_CODE where the vector has none. */
_Noreturn void fault_raise(struct vcpu *v, unsigned vector, uint32_t error);
static inline _Noreturn void fault_gp0(struct vcpu *v)
{
    fault_raise(v, VEC_GP, 0);
}
static inline _Noreturn void fault_ud(struct vcpu *v)
{
    fault_raise(v, VEC_UD, NO_ERROR_CODE);
}
/* Sets CR2 and raises #PF. */
_Noreturn void fault_pf(struct vcpu *v, gla_t gla, uint32_t error);

/* A fault that was caught; fault_catch() fills it in. */
struct fault {
    uint8_t vector;
    uint32_t error; /* NO_ERROR_CODE: the vector has none */
};

/* Runs fn(v, arg). Returns false when it completed, true with *f when it raised. Nests. */
bool fault_catch(struct vcpu *v, void (*fn)(struct vcpu *, void *), void *arg, struct fault *f);

#endif
