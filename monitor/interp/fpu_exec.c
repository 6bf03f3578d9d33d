/* SPDX-License-Identifier: MIT */
/*
 * fpu_exec.c - memory operands, availability checks and x87 error reporting. See fpu_exec.h.
 *
 * Deviations IGNNE# is not modelled: with CR0.NE = 0 an instruction that meets a pending error
 *            asserts FERR# and runs again until the error is gone (docs/DEVIATIONS.md). The guest
 *            stays interruptible meanwhile.
 */
#include "monitor/interp/fpu_exec.h"

#include "monitor/arch/exception.h"

static void ferr_set(struct vcpu *v, bool level)
{
    v->fpu.ferr = level;
    if (v->vm->board_ops && v->vm->board_ops->ferr)
        v->vm->board_ops->ferr(v->vm->board, level);
}

void x87_error(struct vcpu *v)
{
    if (v->cr0 & CR0_NE)
        fault_raise(v, VEC_MF, NO_ERROR_CODE);
    /* Told again at each attempt: the handler of IRQ 13 may have acknowledged it at port F0h
     * without FNCLEX. */
    ferr_set(v, true);
    v->next_eip = v->eip;
    vcpu_attend(v, ATT_MODE | ATT_TIME);
}

void x87_ferr_update(struct vcpu *v)
{
    if (v->fpu.ferr && !x87_pending(v))
        ferr_set(v, false);
}

void x87_check_available(struct vcpu *v)
{
    if (unlikely(v->cr0 & (CR0_EM | CR0_TS)))
        fault_raise(v, VEC_NM, NO_ERROR_CODE);
}

void simd_check_available(struct vcpu *v, bool xmm)
{
    if (unlikely((v->cr0 & CR0_EM) || (xmm && !(v->cr4 & CR4_OSFXSR))))
        fault_ud(v);
    if (unlikely(v->cr0 & CR0_TS))
        fault_raise(v, VEC_NM, NO_ERROR_CODE);
}

static void put64(uint8_t *to, uint64_t val)
{
    __builtin_memcpy(to, &val, sizeof val);
}

static uint64_t get64(const uint8_t *from)
{
    uint64_t val;

    __builtin_memcpy(&val, from, sizeof val);
    return val;
}

void fpu_mem_load(struct vcpu *v, gla_t gla, uint8_t *to, unsigned len)
{
    unsigned how = lin_how(v);

    for (; len >= 8; len -= 8, gla += 8, to += 8)
        put64(to, lin_read64(v, gla, how));
    if (len & 4) {
        image_put32(to, 0, lin_read32(v, gla, how));
        gla += 4;
        to += 4;
    }
    if (len & 2) {
        image_put16(to, 0, lin_read16(v, gla, how));
        gla += 2;
        to += 2;
    }
    if (len & 1)
        *to = lin_read8(v, gla, how);
}

void fpu_mem_store(struct vcpu *v, gla_t gla, const uint8_t *from, unsigned len)
{
    unsigned how = lin_how(v);

    for (; len >= 8; len -= 8, gla += 8, from += 8)
        lin_write64(v, gla, get64(from), how);
    if (len & 4) {
        lin_write32(v, gla, image_get32(from, 0), how);
        gla += 4;
        from += 4;
    }
    if (len & 2) {
        lin_write16(v, gla, image_get16(from, 0), how);
        gla += 2;
        from += 2;
    }
    if (len & 1)
        lin_write8(v, gla, *from, how);
}

void fpu_mem_probe(struct vcpu *v, gla_t gla, unsigned len)
{
    if (!fpu_mem_direct(v, gla, len, true))
        lin_probe(v, gla, len, lin_how(v) | MMU_WRITE);
}

void fpu_mem_align_slow(struct vcpu *v, gla_t gla, unsigned size)
{
    unsigned align = 1;

    switch (size) {
    case 2:
    case 4:
    case 8:
        align = size;
        break;
    case 10: /* extended precision, packed BCD */
        align = 8;
        break;
    case 14: /* environment and state, 16-bit form; then the 32-bit form */
    case 94:
        align = 2;
        break;
    case 28:
    case 108:
        align = 4;
        break;
    /* 16 bytes: #GP where it matters; MOVUPS and its like are left alone (implementation
     * specific) */
    default:
        break;
    }
    if (gla & (align - 1))
        fault_raise(v, VEC_AC, 0);
}
