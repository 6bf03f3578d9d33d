/* SPDX-License-Identifier: MIT */
/*
 * context.c - what a translation for the present state depends on (bt/cache/context.h), and which
 * states none is made for.
 */
#include "bt/run/adapt.h"
#include "bt/run/run_priv.h"
#include "shadow-mmu/window.h"

static bool code_is_flat(const struct vcpu *v)
{
    const struct seg *cs = &v->seg[SEG_CS];

    return (cs->attr & SEGA_DB) && (cs->acc & SEG_ACC_R) && cs->base == 0 && cs->lo == 0 &&
           cs->hi == UINT32_MAX;
}

uint32_t bt_context(const struct vcpu *v)
{
    static const uint8_t data[] = {SEG_ES, SEG_SS, SEG_DS};
    uint32_t ctx = CTX_VALID | v->cpl | (uint32_t)CTX_SEG_BASED << (CTX_SEG_SHIFT + 2 * SEG_FS) |
                   (uint32_t)CTX_SEG_BASED << (CTX_SEG_SHIFT + 2 * SEG_GS);

    if (!(v->cr0 & CR0_PE) || (v->eflags & (EFL_VM | EFL_TF | EFL_RF)) || !code_is_flat(v))
        return 0;
    if ((v->eflags & EFL_AC) && v->cpl == 3 && (v->cr0 & CR0_AM))
        return 0;
    for (unsigned n = 0; n < ARRAY_LEN(data); n++)
        ctx |= (uint32_t)bt_seg_state(v->translator, data[n], &v->seg[data[n]])
               << (CTX_SEG_SHIFT + 2 * data[n]);
    ctx |= (uint32_t)CTX_SEG_FLAT << (CTX_SEG_SHIFT + 2 * SEG_CS);
    if (v->seg[SEG_SS].attr & SEGA_DB)
        ctx |= CTX_STACK32;
    if (!(v->cr0 & (CR0_EM | CR0_TS)))
        ctx |= CTX_FPU | (v->cr4 & CR4_OSFXSR ? CTX_SSE : 0);
    if (v->cr0 & CR0_NE)
        ctx |= CTX_X87_NE;
    if (v->cpl == 0 || !(v->cr4 & CR4_TSD))
        ctx |= CTX_TSC;
    if (window_usable(v) && !v->translator->opt.soft_only && adapt_window(v))
        ctx |= CTX_WINDOW;
    return ctx;
}
