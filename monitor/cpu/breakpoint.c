/* SPDX-License-Identifier: MIT */
/* breakpoint.c - see breakpoint.h. */
#include "monitor/cpu/breakpoint.h"

#include "monitor/cpu/fault.h"

static bool bp_enabled(const struct vcpu *v, unsigned n)
{
    return v->dr[7] >> (n * 2) & 3;
}

static enum break_kind bp_kind(const struct vcpu *v, unsigned n)
{
    return (enum break_kind)(v->dr[7] >> (16 + n * 4) & 3);
}

/* How many bytes breakpoint n watches: LEN encodes 1, 2, 8, 4; its address is rounded down to a
 * multiple of that. */
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
    return bp_enabled(v, n) && (bp_kind(v, n) == BREAK_WRITE || bp_kind(v, n) == BREAK_ACCESS);
}

void breakpoint_check_insn(struct vcpu *v, gla_t gla)
{
    uint32_t met = 0;

    if (!v->dr_armed || (v->eflags & EFL_RF) || (v->shadow & SHADOW_MOVSS))
        return;
    for (unsigned n = 0; n < 4; n++)
        if (bp_enabled(v, n) && bp_kind(v, n) == BREAK_EXEC && v->dr[n] == gla)
            met |= 1u << n;
    if (!met)
        return;
    v->dr[6] |= met;
    v->dr[7] &= ~DR7_GD;
    fault_raise(v, VEC_DB, NO_ERROR_CODE);
}

void breakpoint_note_access(struct vcpu *v, uint32_t addr, unsigned size, enum break_kind access)
{
    uint32_t met = 0;

    if (!v->dr_armed)
        return;
    for (unsigned n = 0; n < 4; n++) {
        enum break_kind kind = bp_kind(v, n);
        bool match;

        if (!bp_enabled(v, n))
            continue;
        if (access == BREAK_IO)
            match = kind == BREAK_IO && (v->cr4 & CR4_DE);
        else
            match = kind == BREAK_ACCESS || (kind == BREAK_WRITE && access == BREAK_WRITE);
        if (match && bp_overlaps(v, n, addr, size))
            met |= 1u << n;
    }
    if (access != BREAK_IO && breakpoint_on_page(v, addr))
        v->stats.costly_events++;
    if (!met)
        return;
    v->dr6_pending |= met;
    vcpu_attend(v, ATT_TRAP);
}

bool breakpoint_on_page(const struct vcpu *v, gla_t gla)
{
    if (likely(!v->dr_armed))
        return false;
    for (unsigned n = 0; n < 4; n++)
        if (bp_is_data(v, n) && bp_overlaps(v, n, gla & ~GUEST_PAGE_MASK, GUEST_PAGE_SIZE))
            return true;
    return false;
}

bool breakpoint_any_data(const struct vcpu *v)
{
    for (unsigned n = 0; n < 4; n++)
        if (bp_is_data(v, n))
            return true;
    return false;
}

bool breakpoint_any_insn(const struct vcpu *v)
{
    if (!v->dr_armed)
        return false;
    for (unsigned n = 0; n < 4; n++)
        if (bp_enabled(v, n) && bp_kind(v, n) == BREAK_EXEC)
            return true;
    return false;
}
