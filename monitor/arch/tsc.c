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

uint64_t control_guest_tsc(const struct vcpu *v)
{
    unsigned __int128 ticks = (unsigned __int128)vm_now(v->vm) * v->vm->host->guest_tsc_khz;
    uint64_t high = (uint64_t)(ticks >> 64), low = (uint64_t)ticks, quot, rest;

    /* The quotient fits while the VM is younger than 2^64 / khz milliseconds; one DIV spares us a
     * library call. */
    high %= 1000000;
    __asm__("divq %4"
            : "=a"(quot), "=d"(rest)
            : "0"(low), "1"(high), "r"((uint64_t)1000000)
            : "cc");
    return quot + (uint64_t)v->msr.tsc_offset + v->msr.tsc_adjust;
}

uint64_t control_rdtsc(struct vcpu *v)
{
    if (v->cpl != 0 && (v->cr4 & CR4_TSD))
        fault_gp0(v);
    return control_guest_tsc(v);
}
