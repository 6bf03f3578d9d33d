/* SPDX-License-Identifier: MIT */
/*
 * fpu_fxsr.c - FXSAVE and FXRSTOR: the parked image (vcpu.fpu.area) with the guest's x87 pointers.
 *
 * Neither waits for pending x87 errors. XMM and MXCSR are moved whatever CR4.OSFXSR is (the SDM
 * leaves that to the implementation), and a 32-bit CPU has no XMM8-15: bytes from 288 on are
 * neither written nor read.
 * Source     SDM vol. 2A, "FXSAVE", "FXRSTOR"; vol. 1, section 10.5.
 */
#include "include/ring1/mem.h"
#include "monitor/cpu/cpuid.h"
#include "monitor/interp/fpu_exec.h"

#define FOP_MASK 0x7ffu

static void check_available(struct vcpu *v)
{
    simd_check_available(v, false); /* EM: #UD, TS: #NM */
}

void i_fxsave(struct vcpu *v, const struct insn *i)
{
    uint8_t image[FX_LEGACY_END];
    const struct cpu_model *m = v->vm->cpu_model;
    bool none = m && (m->feat_7_ebx & CPUID_7_EBX_FCS_DEPRECATED);

    check_available(v);
    gla_t gla = fpu_mem_linear(v, i, FXSAVE_SIZE, SEG_ACC_W, 16);
    fpu_mem_probe(v, gla, FXSAVE_SIZE);
    fpu_park(v);
    memcpy(image, v->fpu.area, sizeof image);
    image_put16(image, FX_FOP, v->fpu.fop & FOP_MASK);
    image_put32(image, FX_FIP, v->fpu.fip);
    image_put32(image, FX_FCS, none ? 0 : v->fpu.fcs);
    image_put32(image, FX_FDP, v->fpu.fdp);
    image_put32(image, FX_FDS, none ? 0 : v->fpu.fds);
    fpu_mem_store(v, gla, image, sizeof image);
}

void i_fxrstor(struct vcpu *v, const struct insn *i)
{
    uint8_t image[FX_LEGACY_END];
    uint8_t *area = v->fpu.area;

    check_available(v);
    gla_t gla = fpu_mem_linear(v, i, FXSAVE_SIZE, SEG_ACC_R, 16);
    fpu_mem_load(v, gla, image, sizeof image);
    fpu_park(v);
    if (image_get32(image, FX_MXCSR) & ~image_get32(area, FX_MXCSR_MASK))
        fault_gp0(v);
    image_put32(image, FX_MXCSR_MASK, image_get32(area, FX_MXCSR_MASK));
    v->fpu.fop = image_get16(image, FX_FOP) & FOP_MASK;
    v->fpu.fip = image_get32(image, FX_FIP);
    v->fpu.fcs = image_get16(image, FX_FCS);
    v->fpu.fdp = image_get32(image, FX_FDP);
    v->fpu.fds = image_get16(image, FX_FDS);
    memcpy(area, image, sizeof image);
    fpu_unpark(v); /* now: what the CPU does not keep of the image must not come back from area */
    x87_ferr_update(v);
}
