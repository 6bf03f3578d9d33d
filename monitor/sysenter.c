/* SPDX-License-Identifier: MIT */
/*
 * sysenter.c - SYSENTER and SYSEXIT: flat segments made from one MSR, no descriptor is read.
 *
 * Source     SDM vol. 2B, SYSENTER and SYSEXIT ("Operation").
 */
#include "monitor/far_priv.h"

/* Descriptors of flat 4-GiB segments: base 0, limit 0xfffff in pages, 32-bit, present, accessed. */
#define FLAT_LO      0x0000ffffu
#define FLAT_CODE_HI 0x00cf9b00u
#define FLAT_DATA_HI 0x00cf9300u

static void load_flat(struct vcpu *v, uint16_t cs, uint16_t ss, unsigned cpl)
{
    struct descriptor code = {FLAT_LO, FLAT_CODE_HI | cpl << 13};
    struct descriptor data = {FLAT_LO, FLAT_DATA_HI | cpl << 13};

    seg_set_cs(v, cs, code, cpl);
    seg_set_ss(v, (uint16_t)((ss & 0xfffcu) | cpl), data);
}

void far_sysenter(struct vcpu *v)
{
    uint16_t cs = (uint16_t)(v->msr.sysenter_cs & 0xfffc);

    if (vcpu_real_mode(v) || cs == 0)
        fault_gp0(v);
    eflags_write(v, 0, EFL_VM | EFL_IF | EFL_RF);
    load_flat(v, cs, (uint16_t)(cs + 8), 0);
    v->gpr[ESP] = (uint32_t)v->msr.sysenter_esp;
    v->next_eip = (uint32_t)v->msr.sysenter_eip;
}

void far_sysexit(struct vcpu *v)
{
    uint16_t cs = (uint16_t)(v->msr.sysenter_cs & 0xfffc);

    if (vcpu_real_mode(v) || cs == 0 || v->cpl != 0)
        fault_gp0(v);
    load_flat(v, (uint16_t)(cs + 16), (uint16_t)(cs + 24), 3);
    v->gpr[ESP] = v->gpr[ECX];
    v->next_eip = v->gpr[EDX];
}
