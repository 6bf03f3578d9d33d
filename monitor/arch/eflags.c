/* SPDX-License-Identifier: MIT */
/*
 * eflags.c - who may change which bit of EFLAGS: CLI, STI, PUSHF, POPF, and the one place that
 * writes them.
 *
 * Promises   The run loop is told (ATT_MODE) whenever IF rises or TF, AC or VM change.
 *            Whoever sets RF sets it for the next instruction: DID_RF says so.
 *            Bit 1 stays set, undefined bits stay clear.
 * Source     SDM vol. 2, CLI, STI (table 4-19), PUSHF, POPF (table 4-16); vol. 3B, sections 21.3.3
 * and 21.4 (VME, PVI).
 */
#include "monitor/arch/far.h"
#include "monitor/cpu/fault.h"

#define EFL_DEFINED                                                                                \
    (EFL_ARITH | EFL_TF | EFL_IF | EFL_DF | EFL_IOPL | EFL_NT | EFL_RF | EFL_VM | EFL_AC |         \
     EFL_VIF | EFL_VIP | EFL_ID)

void eflags_write(struct vcpu *v, uint32_t val, uint32_t mask)
{
    uint32_t old = v->eflags;

    mask &= EFL_DEFINED;
    v->eflags = (old & ~mask) | (val & mask) | EFL_FIXED1;
    if (val & mask & EFL_RF)
        v->outcome |= DID_RF;
    uint32_t changed = old ^ v->eflags;
    if ((changed & (EFL_TF | EFL_AC | EFL_VM | EFL_RF)) || (changed & v->eflags & EFL_IF))
        vcpu_attend(v, ATT_MODE);
}

/* Which interrupt flag CLI and STI act on here: EFL_IF, EFL_VIF, or 0 when they must raise
 * #GP(0). */
static uint32_t interrupt_flag(const struct vcpu *v)
{
    if (vcpu_real_mode(v) || v->cpl <= vcpu_iopl(v)) /* V86: CPL is 3, so this asks for IOPL 3 */
        return EFL_IF;
    if (vcpu_v86(v))
        return v->cr4 & CR4_VME ? EFL_VIF : 0;
    return v->cpl == 3 && (v->cr4 & CR4_PVI) ? EFL_VIF : 0;
}

void eflags_cli(struct vcpu *v)
{
    uint32_t flag = interrupt_flag(v);

    if (!flag)
        fault_gp0(v);
    eflags_write(v, 0, flag);
}

void eflags_sti(struct vcpu *v)
{
    uint32_t flag = interrupt_flag(v);

    if (!flag || (flag == EFL_VIF && (v->eflags & EFL_VIP)))
        fault_gp0(v);
    if (flag == EFL_IF && !(v->eflags & EFL_IF)) {
        v->shadow_next |= SHADOW_STI;
        vcpu_attend(v, ATT_SHADOW);
    }
    eflags_write(v, flag, flag);
}

uint32_t eflags_pushf(struct vcpu *v, unsigned opsize)
{
    uint32_t image = v->eflags & ~(EFL_VM | EFL_RF);

    if (vcpu_v86(v) && vcpu_iopl(v) < 3) {
        if (opsize != 2 || !(v->cr4 & CR4_VME))
            fault_gp0(v);
        image = (image & ~EFL_IF) | EFL_IOPL | (v->eflags & EFL_VIF ? EFL_IF : 0);
    }
    return opsize == 2 ? image & 0xffff : image;
}

void eflags_popf(struct vcpu *v, uint32_t val, unsigned opsize)
{
    uint32_t mask = EFL_ARITH | EFL_TF | EFL_DF | EFL_NT;

    if (opsize == 4)
        mask |= EFL_AC | EFL_ID;
    if (vcpu_v86(v) && vcpu_iopl(v) < 3) {
        if (opsize != 2 || !(v->cr4 & CR4_VME) || (val & EFL_TF) ||
            ((val & EFL_IF) && (v->eflags & EFL_VIP)))
            fault_gp0(v);
        mask |= EFL_VIF;
        val = (val & 0xffff) | (val & EFL_IF ? EFL_VIF : 0);
    } else {
        if (v->cpl <= vcpu_iopl(v) || vcpu_real_mode(v))
            mask |= EFL_IF;
        if (v->cpl == 0)
            mask |= EFL_IOPL;
        if (opsize == 4) { /* POPFD always clears RF */
            mask |= EFL_RF;
            val &= ~EFL_RF;
        }
    }
    eflags_write(v, val, mask);
}
