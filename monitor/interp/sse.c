/* SPDX-License-Identifier: MIT */
/*
 * sse.c - MMX and SSE instructions through stubs; MASKMOVQ and MASKMOVDQU; MXCSR.
 *
 * Both handlers are the same function: one mnemonic (PADDB) may be an MMX or an SSE instruction,
 * which the operands tell. With MMX registers and no XMM register CR4.OSFXSR does not matter (SDM
 * vol. 3B, "Exception Conditions of Legacy SIMD Instructions Operating on MMX Registers").
 * Order      #UD, #NM; then a pending x87 error for MMX; then the memory operand; then the
 *            instruction, which may raise a SIMD floating-point exception with its destination
 *            unchanged.
 */
#include "monitor/interp/fpu_exec.h"

static _Noreturn void simd_error(struct vcpu *v)
{
    if (v->cr4 & CR4_OSXMMEXCPT)
        fault_raise(v, VEC_XM, NO_ERROR_CODE);
    fault_ud(v);
}

/* Runs the stub and moves the general registers and flags. False: the instruction was frozen by a
 * pending x87 error. */
static bool simd_call(struct vcpu *v, const struct insn *i, const struct fpu_stub *s,
                      struct fpu_io *io)
{
    uint16_t what = s->what;
    uint32_t *gpr = &v->gpr[i->modrm >> s->gpr_shift & 7];

    io->eax = what & STUB_EAX_EDX_IN ? v->gpr[EAX] : *gpr;
    io->edx = v->gpr[EDX];
    unsigned vec = fpu_stub_call(v, s, io);
    if (unlikely(vec)) {
        if (vec == VEC_XM)
            simd_error(v);
        if (vec != VEC_MF)
            fault_ud(v); /* the host's CPU does not have it */
        x87_error(v);
        return false;
    }
    if (what & STUB_GPR_OUT)
        *gpr = io->eax;
    if (what & STUB_ECX_OUT)
        v->gpr[ECX] = io->ecx;
    if (what & STUB_FLAGS_OUT)
        v->eflags = (v->eflags & ~EFL_ARITH) | ((uint32_t)io->flags & EFL_ARITH);
    return true;
}

static void simd(struct vcpu *v, const struct insn *i)
{
    const struct fpu_stub *s = fpu_stub_get(v, i);
    struct fpu_io io;
    gla_t gla = 0;
    bool copy = false;
    uint16_t what = s->what;

    simd_check_available(v, what & STUB_XMM);
    fpu_unpark(v);
    if (what & (STUB_LOAD | STUB_STORE)) {
        if ((what & STUB_MMX) && unlikely(x87_pending(v))) {
            x87_error(v);
            return;
        }
        gla = fpu_mem_linear(v, i, s->mem_size, what & STUB_STORE ? SEG_ACC_W : SEG_ACC_R,
                             what & STUB_ALIGN16 ? 16 : 1);
        copy = !fpu_mem_open(v, gla, s, &io);
    }
    if (simd_call(v, i, s, &io) && (what & STUB_STORE) && copy)
        fpu_mem_store(v, gla, io.mem, s->mem_size);
}

void i_mmx(struct vcpu *v, const struct insn *i)
{
    simd(v, i);
}

void i_sse(struct vcpu *v, const struct insn *i)
{
    simd(v, i);
}

/* The low `len` bytes of MMX or XMM register `reg` in an FXSAVE image. MMn is physical x87 register
 * n; the image has them in stack order. */
static const uint8_t *image_reg(const uint8_t *image, bool xmm, unsigned reg)
{
    unsigned top = image_get16(image, FX_FSW) >> FSW_TOP_SHIFT & 7;

    return xmm ? image + FX_XMM + 16 * reg : image + FX_ST + 16 * ((reg - top) & 7);
}

/* The segment is checked for the whole operand, as on a CPU, also with a mask of zeros (SDM vol.
 * 2B, MASKMOVDQU: "exceptions associated with addressing memory ... may still be signaled"); paging
 * only for the bytes from the first selected to the last. */
void i_maskmov(struct vcpu *v, const struct insn *i)
{
    const struct fpu_stub *s = fpu_stub_get(v, i);
    bool xmm = s->what & STUB_XMM;
    unsigned len = xmm ? 16 : 8, first = 16, last = 0;
    struct fpu_io io;
    _Alignas(16) uint8_t image[FXSAVE_SIZE];
    gla_t gla;

    simd_check_available(v, xmm);
    fpu_unpark(v);
    if (!xmm && x87_pending(v)) {
        x87_error(v);
        return;
    }
    __asm__ volatile("fxsave %0" : "=m"(image));
    const uint8_t *data = image_reg(image, xmm, i->modrm >> 3 & 7);
    const uint8_t *mask = image_reg(image, xmm, i->modrm & 7);
    for (unsigned n = 0; n < len; n++)
        if (mask[n] & 0x80) {
            last = n;
            if (first == 16)
                first = n;
        }
    gla = seg_linear(v, i->seg, ea(v, i), len, SEG_ACC_W);
    if (first <= last)
        fpu_mem_probe(v, gla + first, last - first + 1);
    /* Eight bytes count, whatever the mask; 16 are left alone. */
    fpu_mem_align_check(v, gla, len);
    /* MASKMOVQ's change from x87 to MMX state: the stub's store goes to the first bytes of io,
     * which are not in use. */
    if (!xmm && !simd_call(v, i, s, &io))
        return;
    for (unsigned n = first; n <= last; n++)
        if (mask[n] & 0x80)
            lin_write8(v, gla + n, data[n], lin_how(v));
}

void i_ldmxcsr(struct vcpu *v, const struct insn *i)
{
    simd_check_available(v, true);
    uint32_t val = mem_read32(v, i->seg, ea(v, i));
    if (val & ~image_get32(v->fpu.area, FX_MXCSR_MASK))
        fault_gp0(v);
    fpu_unpark(v);
    __asm__ volatile("ldmxcsr %0" : : "m"(val));
}

void i_stmxcsr(struct vcpu *v, const struct insn *i)
{
    uint32_t val;

    simd_check_available(v, true);
    if (v->fpu.live)
        __asm__ volatile("stmxcsr %0" : "=m"(val));
    else
        val = image_get32(v->fpu.area, FX_MXCSR);
    mem_write32(v, i->seg, ea(v, i), val);
}
