/* SPDX-License-Identifier: MIT */
/*
 * access.h - guest memory as instructions see it: linear and segmented, checked, faulting by
 * unwind.
 *
 * Promises   A function that cannot complete raises the architectural exception (fault_raise() of
 *            monitor/cpu/fault.h does not return) before anything was written, also when an access
 *            straddles two pages.
 * Fast path  Inline software-TLB hit (access_inline.h). Everything else (miss, MMIO, ROM, code
 *            pages, page crossing, alignment checks, data breakpoints) is in access.c.
 * Order      Segment checks, then #PF of the first and of the second page, then #AC, as SDM vol. 3A
 *            table 6-8 has it.
 * Names      lin_* take linear addresses and MMU_* flags; mem_* take a segment and an offset.
 */
#ifndef RING1_SHADOW_MMU_ACCESS_H
#define RING1_SHADOW_MMU_ACCESS_H

#include "monitor/cpu/vcpu.h"
#include "monitor/memory/phys.h"
#include "shadow-mmu/mmu.h"

/* ---- linear. `how`: 0 or MMU_USER, plus MMU_IMPLICIT; lin_how(v): as the current CPL ---- */
static inline unsigned lin_how(const struct vcpu *v)
{
    return v->cpl == 3 ? MMU_USER : 0;
}
uint8_t lin_read8(struct vcpu *v, gla_t gla, unsigned how);
uint16_t lin_read16(struct vcpu *v, gla_t gla, unsigned how);
uint32_t lin_read32(struct vcpu *v, gla_t gla, unsigned how);
uint64_t lin_read64(struct vcpu *v, gla_t gla, unsigned how);
void lin_write8(struct vcpu *v, gla_t gla, uint8_t val, unsigned how);
void lin_write16(struct vcpu *v, gla_t gla, uint16_t val, unsigned how);
void lin_write32(struct vcpu *v, gla_t gla, uint32_t val, unsigned how);
void lin_write64(struct vcpu *v, gla_t gla, uint64_t val, unsigned how);
/* `len` is 1 to 512 bytes (FXSAVE, XMM); all pages are checked before the first byte is written. */
void lin_read_bytes(struct vcpu *v, gla_t gla, void *out, unsigned len, unsigned how);
void lin_write_bytes(struct vcpu *v, gla_t gla, const void *in, unsigned len, unsigned how);
/* Raises #PF if [gla, gla+len) could not be accessed with `how` (with MMU_WRITE: written); changes
 * only A and D. */
void lin_probe(struct vcpu *v, gla_t gla, unsigned len, unsigned how);

/* ---- segmented: limit and type checks, then linear at the current CPL, then alignment ----
 * #SS(0) for SEG_SS, #GP(0) otherwise; #AC(0) at CPL 3 under CR0.AM and EFLAGS.AC. The linear
 * address wraps at 4 GiB. */

/* Makes the segment's checks alone, no #AC and no translation, and returns the linear address. acc:
 * SEG_ACC_R, SEG_ACC_W. */
gla_t seg_linear(struct vcpu *v, unsigned seg, uint32_t off, unsigned size, unsigned acc);
/* Inline, in access_inline.h, for N = 8, 16, 32, 64:
 * uintN_t mem_readN(v, seg, off) and void mem_writeN(v, seg, off, val). */
void mem_read_bytes(struct vcpu *v, unsigned seg, uint32_t off, void *out, unsigned len);
void mem_write_bytes(struct vcpu *v, unsigned seg, uint32_t off, const void *in, unsigned len);

/* Read-modify-write: begin checks write permission (so a fault reports W = 1) and reads; commit
 * cannot fault. */
struct mem_rmw {
    void *host;          /* plain RAM: where to write; NULL: go through gpa */
    gpa_t gpa[2];        /* first and second page's part */
    uint8_t size, first; /* bytes in all, bytes on the first page */
};
/* Inline: uint32_t mem_rmw_begin(v, seg, off, size, m) for 1, 2, 4 bytes; mem_rmw_commit(v, m,
 * val); uint64_t mem_rmw_begin64(v, seg, off, m) and mem_rmw_commit64(v, m, val) for CMPXCHG8B. */

/* For REP strings: returns a host pointer to the memory at linear gla, which can be read (with
 * MMU_WRITE: written) under `how` without side effects, and in *len how many bytes of it, at most
 * up to the page's end. NULL: go element by element, each of which may fault. */
uint8_t *lin_run(struct vcpu *v, gla_t gla, unsigned how, uint32_t *len);

/* Fetches code at linear gla, as the current CPL: returns a host pointer to the page's first byte,
 * and its physical address in *page; raises #PF. NULL: the page is not memory. */
const uint8_t *lin_fetch_page(struct vcpu *v, gla_t gla, gpa_t *page);

#include "shadow-mmu/access_inline.h"

#endif
