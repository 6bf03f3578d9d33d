/* SPDX-License-Identifier: MIT */
/*
 * fpu_exec.h - what the x87, MMX and SSE handlers share: memory operands, the call of a stub,
 * pending x87 errors.
 *
 * Promises   Nothing here calls memcpy and its like with a length only known at run time: the
 *            guest's registers are live, and a hosted C library's versions use them.
 * Source     SDM vol. 1, section 8.7 (x87 errors); vol. 1, appendix D (FERR#, MS-DOS compatible).
 */
#ifndef RING1_MONITOR_INTERP_FPU_EXEC_H
#define RING1_MONITOR_INTERP_FPU_EXEC_H

#include "monitor/cpu/fpu.h"
#include "monitor/cpu/fpu_image.h"
#include "monitor/cpu/vm.h"
#include "monitor/interp/fpu_stub.h"
#include "monitor/interp/handler.h"

/* The guest's FSW and FCW, live or parked. */
static inline uint16_t x87_status(const struct vcpu *v)
{
    uint16_t fsw;

    if (!v->fpu.live)
        return image_get16(v->fpu.area, FX_FSW);
    __asm__ volatile("fnstsw %0" : "=a"(fsw));
    return fsw;
}
static inline uint16_t x87_control(const struct vcpu *v)
{
    uint16_t fcw;

    if (!v->fpu.live)
        return image_get16(v->fpu.area, FX_FCW);
    __asm__ volatile("fnstcw %0" : "=m"(fcw));
    return fcw;
}
/* Does an unmasked x87 exception wait for the next waiting instruction? */
static inline bool x87_pending(const struct vcpu *v)
{
    return x87_status(v) & FSW_ES;
}

/* Reports a pending error at the instruction that runs now: raises #MF (CR0.NE = 1); or asserts
 * FERR#, arranges that the same instruction comes next, and returns: the handler must return at
 * once. */
void x87_error(struct vcpu *v);
/* To be called after anything that may have cleared FSW.ES: takes FERR# back. */
void x87_ferr_update(struct vcpu *v);
/* Raises #NM when CR0.EM or TS is set. */
void x87_check_available(struct vcpu *v);

/* Raises #UD or #NM when the guest's MMX (xmm: SSE) instructions are not available. */
void simd_check_available(struct vcpu *v, bool xmm);

/* Moves [gla, gla+len) between guest memory and a buffer; len is even or 1. Faults before anything
 * is written only if fpu_mem_probe() was called or the operand is a plain size (1, 2, 4, 8). */
void fpu_mem_load(struct vcpu *v, gla_t gla, uint8_t *to, unsigned len);
void fpu_mem_store(struct vcpu *v, gla_t gla, const uint8_t *from, unsigned len);
/* Raises #PF unless the bytes can be written. Sets A and D. */
void fpu_mem_probe(struct vcpu *v, gla_t gla, unsigned len);

/* The guest RAM that [gla, gla+len) leads to, when the software TLB allows the access at once; else
 * NULL. */
static inline void *fpu_mem_direct(const struct vcpu *v, gla_t gla, unsigned len, bool write)
{
    const struct tlb_entry *e = &v->tlb.entry[v->cpl == 3][tlb_index(gla)];

    return tlb_hit(write ? e->tag_w : e->tag_r, gla, len) ? tlb_host(e, gla) : NULL;
}
/* Makes the segment checks of *i's memory operand of `size` bytes and returns its linear address;
 * #GP(0) unless it is aligned as `align` wants. */
static inline gla_t fpu_mem_linear(struct vcpu *v, const struct insn *i, unsigned size,
                                   unsigned acc, unsigned align)
{
    gla_t gla = seg_linear(v, i->seg, ea(v, i), size, acc);

    if (unlikely(gla & (align - 1)))
        fault_gp0(v);
    return gla;
}

/* Raises #AC(0) for a misaligned access of `size` bytes under CR0.AM and EFLAGS.AC at CPL 3. To be
 * called after what may raise #PF (SDM vol. 3A, 6.9). */
void fpu_mem_align_slow(struct vcpu *v, gla_t gla, unsigned size);
static inline void fpu_mem_align_check(struct vcpu *v, gla_t gla, unsigned size)
{
    if (unlikely(v->eflags & EFL_AC) && v->cpl == 3 && (v->cr0 & CR0_AM))
        fpu_mem_align_slow(v, gla, size);
}

/* Makes the memory operand of a stub ready: in place (true), or in io->mem, loaded for a load and
 * probed for a store (false: the caller copies a result out with fpu_mem_store()). Raises the
 * operand's page faults and #AC. */
static inline bool fpu_mem_open(struct vcpu *v, gla_t gla, const struct fpu_stub *s,
                                struct fpu_io *io)
{
    io->at = fpu_mem_direct(v, gla, s->mem_size, s->what & STUB_STORE);
    bool direct = io->at;
    if (unlikely(!direct)) {
        io->at = io->mem;
        if (s->what & STUB_LOAD)
            fpu_mem_load(v, gla, io->mem, s->mem_size);
        if (s->what & STUB_STORE)
            fpu_mem_probe(v, gla, s->mem_size);
    }
    fpu_mem_align_check(v, gla, s->mem_size);
    return direct;
}

static inline unsigned fpu_stub_call(struct vcpu *v, const struct fpu_stub *s, struct fpu_io *io)
{
    const struct vcpu_host *h = v->host;

    fpu_check_live(v);
    return h->fpu_call(h->opaque, s->code, io);
}

#endif
