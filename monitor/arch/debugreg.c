/* SPDX-License-Identifier: MIT */
/*
 * debugreg.c - MOV to and from the debug registers.
 *
 * Not here   Where breakpoints match (breakpoint.h).
 * Source     SDM vol. 3B, section 18.2.
 */
#include "monitor/arch/control.h"
#include "monitor/cpu/breakpoint.h"
#include "monitor/cpu/fault.h"
#include "shadow-mmu/mmu.h"

/* Resolves the DR4 and DR5 aliases and makes the checks common to reads and writes. */
static unsigned dr_check(struct vcpu *v, unsigned n)
{
    if (n > 7)
        fault_ud(v);
    if (n == 4 || n == 5) {
        if (v->cr4 & CR4_DE)
            fault_ud(v);
        n += 2;
    }
    if (v->cpl != 0)
        fault_gp0(v);
    if (v->dr[7] & DR7_GD) {
        v->dr[6] |= DR6_BD;
        v->dr[7] &= ~DR7_GD; /* so that the handler may use the registers */
        fault_raise(v, VEC_DB, NO_ERROR_CODE);
    }
    return n;
}

uint32_t control_read_dr(struct vcpu *v, unsigned n)
{
    return v->dr[dr_check(v, n)];
}

void control_write_dr(struct vcpu *v, unsigned n, uint32_t val)
{
    bool was_armed = v->dr_armed, watched = breakpoint_any_data(v);

    n = dr_check(v, n);
    if (n == 6) {
        v->dr[6] = (val & DR6_WRITABLE) | DR6_ONES;
        return;
    }
    v->dr[n] = n == 7 ? (val & DR7_WRITABLE) | DR7_ONES : val;
    v->dr_armed = v->dr[7] & DR7_ENABLES;
    if (watched || breakpoint_any_data(v))
        mmu_flush_all(v); /* the set of watched pages may have changed */
    if (was_armed || v->dr_armed) {
        v->stats.costly_events++;
        vcpu_attend(v, ATT_MODE);
    }
}
