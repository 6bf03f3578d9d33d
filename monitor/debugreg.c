/* SPDX-License-Identifier: MIT */
/*
 * debugreg.c - debug registers and the breakpoints they describe.
 *
 * Promises   While no breakpoint is enabled (v->dr_armed false) none of this costs anything. Pages
 *            with a data breakpoint never have TLB tags, so every access to them comes through
 *            debug_note_access().
 * Not here   Single steps and the delivery of #DB (exception.c, run.c), a TSS's T flag (task.c).
 * Source     SDM vol. 3B, sections 18.2 and 18.3.
 */
#include "monitor/control.h"
#include "monitor/fault.h"
#include "shadow-mmu/mmu.h"

#define DR6_ONES     0xffff0ff0u
#define DR6_WRITABLE 0x0000e00fu
#define DR6_BD       (1u << 13)
#define DR7_ONES     0x00000400u
#define DR7_WRITABLE 0xffff23ffu
#define DR7_GD       (1u << 13)
#define DR7_ENABLES  0x000000ffu

enum bp_kind { BP_EXEC, BP_WRITE, BP_IO, BP_ACCESS };

static bool bp_enabled(const struct vcpu *v, unsigned n)
{
    return v->dr[7] >> (n * 2) & 3;
}

static enum bp_kind bp_kind(const struct vcpu *v, unsigned n)
{
    return (enum bp_kind)(v->dr[7] >> (16 + n * 4) & 3);
}

/* Bytes watched: LEN encodes 1, 2, 8, 4; the address is taken down to a multiple of it. */
static uint32_t bp_size(const struct vcpu *v, unsigned n)
{
    static const uint8_t size[4] = {1, 2, 8, 4};

    return size[v->dr[7] >> (18 + n * 4) & 3];
}

static bool bp_overlaps(const struct vcpu *v, unsigned n, uint32_t addr, uint32_t size)
{
    uint32_t len = bp_size(v, n), start = v->dr[n] & ~(len - 1);

    return start - addr < size || addr - start < len; /* modulo 4 GiB */
}

static bool bp_is_data(const struct vcpu *v, unsigned n)
{
    return bp_enabled(v, n) && (bp_kind(v, n) == BP_WRITE || bp_kind(v, n) == BP_ACCESS);
}

void debug_check_insn(struct vcpu *v, gla_t gla)
{
    uint32_t met = 0;

    if (!v->dr_armed || (v->eflags & EFL_RF) || (v->shadow & SHADOW_MOVSS))
        return;
    for (unsigned n = 0; n < 4; n++)
        if (bp_enabled(v, n) && bp_kind(v, n) == BP_EXEC && v->dr[n] == gla)
            met |= 1u << n;
    if (!met)
        return;
    v->dr[6] |= met;
    v->dr[7] &= ~DR7_GD;
    fault_raise(v, VEC_DB, NO_ERROR_CODE);
}

void debug_note_access(struct vcpu *v, uint32_t addr, unsigned size, unsigned rw)
{
    uint32_t met = 0;

    if (!v->dr_armed)
        return;
    for (unsigned n = 0; n < 4; n++) {
        enum bp_kind kind = bp_kind(v, n);
        bool match;

        if (!bp_enabled(v, n))
            continue;
        if (rw == BP_IO)
            match = kind == BP_IO && (v->cr4 & CR4_DE);
        else
            match = kind == BP_ACCESS || (kind == BP_WRITE && rw == BP_WRITE);
        if (match && bp_overlaps(v, n, addr, size))
            met |= 1u << n;
    }
    if (!met)
        return;
    v->dr6_pending |= met;
    vcpu_attend(v, ATT_TRAP);
}

bool debug_page_watched(const struct vcpu *v, gla_t gla)
{
    if (likely(!v->dr_armed))
        return false;
    for (unsigned n = 0; n < 4; n++)
        if (bp_is_data(v, n) && bp_overlaps(v, n, gla & ~GUEST_PAGE_MASK, GUEST_PAGE_SIZE))
            return true;
    return false;
}

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
    bool was_armed = v->dr_armed;

    n = dr_check(v, n);
    if (n == 6) {
        v->dr[6] = (val & DR6_WRITABLE) | DR6_ONES;
        return;
    }
    v->dr[n] = n == 7 ? (val & DR7_WRITABLE) | DR7_ONES : val;
    v->dr_armed = v->dr[7] & DR7_ENABLES;
    if (was_armed || v->dr_armed) {
        mmu_flush_all(v); /* the set of watched pages may have changed */
        vcpu_attend(v, ATT_MODE);
    }
}
