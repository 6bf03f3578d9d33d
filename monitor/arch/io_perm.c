/* SPDX-License-Identifier: MIT */
/*
 * io_perm.c - who may touch an I/O port: IOPL and the TSS's permission bitmap.
 *
 * Promises   Returns when the access is allowed, raises #GP(0) otherwise; touches no port.
 * Source     SDM vol. 1, section 19.5; vol. 3B, section 21.3.2 (virtual-8086 mode).
 */
#include "monitor/arch/segment.h"
#include "monitor/cpu/fault.h"
#include "shadow-mmu/access.h"

#define TSS32_IO_MAP_BASE 0x66u
#define TSS32_MIN_LIMIT   0x67u

void io_check(struct vcpu *v, uint16_t port, unsigned size)
{
    /* In virtual-8086 mode IOPL does not govern I/O: the bitmap always does. */
    if (vcpu_real_mode(v) || (!vcpu_v86(v) && v->cpl <= vcpu_iopl(v)))
        return;
    if (!v->tr.acc || (v->tr.attr & 0xd) != 0x9 || v->tr.limit < TSS32_MIN_LIMIT)
        fault_gp0(v);
    uint32_t at = lin_read16(v, v->tr.base + TSS32_IO_MAP_BASE, MMU_IMPLICIT) + port / 8u;
    /* The CPU always reads two bytes, so the map must end with a byte of ones. */
    if (at + 1 > v->tr.limit)
        fault_gp0(v);
    unsigned bits = lin_read16(v, v->tr.base + at, MMU_IMPLICIT) >> (port & 7);
    if (bits & ((1u << size) - 1))
        fault_gp0(v);
}
