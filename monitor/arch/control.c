/* SPDX-License-Identifier: MIT */
/*
 * control.c - control registers: which values they take, and what follows from a change.
 *
 * Promises   A refused write changes nothing. Every change that decoded code or the TLB depends on
 *            raises ATT_MODE and flushes what the SDM says is invalidated.
 * Not here   Debug registers (debugreg.c), TSC (tsc.c), CR2 of a page fault (exception.c).
 * Source     SDM vol. 3A, sections 2.5, 4.4.1 (PDPTEs), 4.10.4 (TLB), 10.9 (mode switches); vol. 2
 *            MOV CR, LMSW, SMSW.
 */
#include "monitor/arch/control.h"
#include "monitor/arch/exception.h"
#include "monitor/cpu/cpuid.h"
#include "shadow-mmu/mmu.h"

#define CR0_DEFINED                                                                                \
    (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD |     \
     CR0_PG)
#define CR0_LMSW (CR0_PE | CR0_MP | CR0_EM | CR0_TS)

static void require_cpl0(struct vcpu *v)
{
    if (v->cpl != 0)
        fault_gp0(v);
}

/* ---- CR4: bits exist by feature ---- */

struct cr4_rule {
    uint32_t bits;
    uint32_t edx_1, ebx_7, ecx_7; /* all of these features are needed */
};

static const struct cr4_rule cr4_rules[] = {
    {CR4_VME | CR4_PVI, CPUID_1_EDX_VME, 0, 0},
    {CR4_TSD, CPUID_1_EDX_TSC, 0, 0},
    {CR4_DE, CPUID_1_EDX_DE, 0, 0},
    {CR4_PSE, CPUID_1_EDX_PSE, 0, 0},
    {CR4_PAE, CPUID_1_EDX_PAE, 0, 0},
    {CR4_MCE, CPUID_1_EDX_MCE, 0, 0},
    {CR4_PGE, CPUID_1_EDX_PGE, 0, 0},
    {CR4_PCE, CPUID_1_EDX_MMX, 0, 0}, /* RDPMC came with the Pentium MMX and the P6 */
    {CR4_OSFXSR, CPUID_1_EDX_FXSR, 0, 0},
    {CR4_OSXMMEXCPT, CPUID_1_EDX_SSE, 0, 0},
    {CR4_UMIP, 0, 0, CPUID_7_ECX_UMIP},
    {CR4_SMEP, 0, CPUID_7_EBX_SMEP, 0},
    {CR4_SMAP, 0, CPUID_7_EBX_SMAP, 0},
};

static uint32_t cr4_allowed(const struct vcpu *v)
{
    uint32_t bits = 0;

    for (unsigned i = 0; i < ARRAY_LEN(cr4_rules); i++) {
        const struct cr4_rule *r = &cr4_rules[i];

        if (cpu_has_1_edx(v, r->edx_1) && cpu_has_7_ebx(v, r->ebx_7) && cpu_has_7_ecx(v, r->ecx_7))
            bits |= r->bits;
    }
    return bits;
}

/* ---- writes ---- */

static void write_cr0(struct vcpu *v, uint32_t val)
{
    uint32_t changed;

    val = (val & CR0_DEFINED) | CR0_ET;
    if ((val & CR0_PG) && !(val & CR0_PE))
        fault_gp0(v);
    if ((val & CR0_NW) && !(val & CR0_CD))
        fault_gp0(v);
    changed = val ^ v->cr0;
    if ((changed & (CR0_PG | CR0_CD | CR0_NW)) && (val & CR0_PG) && (v->cr4 & CR4_PAE) &&
        !mmu_load_pdptes(v, v->cr3))
        fault_gp0(v);
    if (!changed)
        return;
    v->cr0 = val; /* segment caches stay as they are, also across PE: CPL is 0 on both sides */
    if (changed & (CR0_PG | CR0_WP | CR0_PE))
        mmu_flush_all(v);
    vcpu_attend(v, ATT_MODE);
}

static void write_cr3(struct vcpu *v, uint32_t val)
{
    if (!mmu_load_cr3(v, val))
        fault_gp0(v);
}

static void write_cr4(struct vcpu *v, uint32_t val)
{
    uint32_t changed = val ^ v->cr4;

    if (val & ~cr4_allowed(v)) {
        cpu_note_lack(v, "a bit of CR4");
        fault_gp0(v);
    }
    if ((changed & (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP)) && (v->cr0 & CR0_PG) &&
        (val & CR4_PAE) && !mmu_load_pdptes(v, v->cr3))
        fault_gp0(v);
    if (!changed)
        return;
    v->cr4 = val;
    if (changed & (CR4_PSE | CR4_PAE | CR4_PGE | CR4_SMEP | CR4_SMAP))
        mmu_flush_all(v);
    vcpu_attend(v, ATT_MODE);
}

uint32_t control_read_cr(struct vcpu *v, unsigned n)
{
    if (n > 4 || n == 1)
        fault_ud(v);
    require_cpl0(v);
    switch (n) {
    case 0:
        return v->cr0;
    case 2:
        return v->cr2;
    case 3:
        return v->cr3;
    default:
        return v->cr4;
    }
}

void control_write_cr(struct vcpu *v, unsigned n, uint32_t val)
{
    if (n > 4 || n == 1)
        fault_ud(v);
    require_cpl0(v);
    switch (n) {
    case 0:
        write_cr0(v, val);
        break;
    case 2:
        v->cr2 = val;
        break;
    case 3:
        write_cr3(v, val);
        break;
    default:
        write_cr4(v, val);
    }
}

void control_lmsw(struct vcpu *v, uint16_t val)
{
    require_cpl0(v);
    /* PE can be set this way, never cleared. */
    write_cr0(v, (v->cr0 & ~(CR0_LMSW & ~CR0_PE)) | (val & CR0_LMSW));
}

uint16_t control_smsw(struct vcpu *v)
{
    control_umip_check(v);
    return (uint16_t)v->cr0;
}

void control_clts(struct vcpu *v)
{
    require_cpl0(v);
    if (!(v->cr0 & CR0_TS))
        return;
    v->cr0 &= ~CR0_TS;
    vcpu_attend(v, ATT_MODE);
}

void control_invlpg(struct vcpu *v, unsigned seg, uint32_t off)
{
    require_cpl0(v);
    mmu_flush_page(v, v->seg[seg].base + off); /* no limit or type check: nothing is accessed */
}

void control_umip_check(struct vcpu *v)
{
    if (v->cpl != 0 && (v->cr4 & CR4_UMIP))
        fault_gp0(v);
}
