/* SPDX-License-Identifier: MIT */
/*
 * tsc.c - the guest's time stamp counter.
 *
 * TSC = (host ns since the VM was created) * guest_tsc_khz / 10^6 + tsc_offset + TSC_ADJUST. It
 * runs at one rate whether the guest is busy or halted: what CPUID calls an invariant TSC.
 * Source     SDM vol. 3B, section 18.17.
 */
#include "monitor/arch/control.h"
#include "monitor/cpu/fault.h"
#include "monitor/cpu/vm.h"

/* ns * khz / 10^6, rounded down. Both divisions are by constants: multiplications, where one of 128
 * bits would be a DIV of some 40 cycles. */
static uint64_t ticks_of(ns_t ns, uint32_t khz)
{
    return ns / 1000000 * khz + ns % 1000000 * khz / 1000000;
}

uint64_t control_guest_tsc(const struct vcpu *v)
{
    return ticks_of(vm_now(v->vm), v->vm->host->guest_tsc_khz) + (uint64_t)v->msr.tsc_offset +
           v->msr.tsc_adjust;
}

uint64_t control_rdtsc(struct vcpu *v)
{
    if (v->cpl != 0 && (v->cr4 & CR4_TSD))
        fault_gp0(v);
    return control_guest_tsc(v);
}
