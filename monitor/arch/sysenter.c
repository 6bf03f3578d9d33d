/* SPDX-License-Identifier: MIT */
/*
 * sysenter.c - SYSENTER and SYSEXIT: flat segments made from one MSR, no descriptor is read.
 *
 * Source     SDM vol. 2B, SYSENTER and SYSEXIT ("Operation").
 */
#include "monitor/arch/far_priv.h"

void far_sysenter(struct vcpu *v)
{
    uint16_t cs = (uint16_t)(v->msr.sysenter_cs & 0xfffc);

    if (vcpu_real_mode(v) || cs == 0)
        fault_gp0(v);
    eflags_write(v, 0, EFL_VM | EFL_IF | EFL_RF);
    seg_set_flat(v, cs, (uint16_t)(cs + 8), 0);
    v->gpr[ESP] = (uint32_t)v->msr.sysenter_esp;
    v->next_eip = (uint32_t)v->msr.sysenter_eip;
}

void far_sysexit(struct vcpu *v)
{
    uint16_t cs = (uint16_t)(v->msr.sysenter_cs & 0xfffc);

    if (vcpu_real_mode(v) || cs == 0 || v->cpl != 0)
        fault_gp0(v);
    seg_set_flat(v, (cs + 16) | 3, (cs + 24) | 3, 3);
    v->gpr[ESP] = v->gpr[ECX];
    v->next_eip = v->gpr[EDX];
}
