/* SPDX-License-Identifier: MIT */
/*
 * x87_env.c - FLDENV, FNSTENV, FRSTOR and FNSAVE in their four formats: 16 or 32 bits, protected or
 * real/V86.
 *
 * The CPU does the work in its own 32-bit protected format (the only one there is in 64-bit mode),
 * which gives the full tag word and the side effects; the pointers are replaced by the guest's and
 * the image is converted.
 *
 * Formats (SDM vol. 1, figures 8-9 to 8-12), "L" being selector * 16 + offset, offsets in bytes,
 * reserved words all ones:
 *
 *   32 protected   0 FCW  4 FSW  8 FTW  12 FIP        16 FCS, FOP       20 FDP        24 FDS
 *   32 real        0 FCW  4 FSW  8 FTW  12 L(ip) low  16 L high|0|FOP   20 L(dp) low  24 L high|0
 *   16 protected   0 FCW  2 FSW  4 FTW   6 FIP         8 FCS            10 FDP        12 FDS
 *   16 real        0 FCW  2 FSW  4 FTW   6 L(ip) low   8 L high|0|FOP   10 L(dp) low  12 L high|0
 *
 * Deviations None known. The opcode is recorded for every instruction, as the P6 does; later CPUs
 *            record it only with an unmasked exception.
 */
#include "monitor/cpu/cpuid.h"
#include "monitor/interp/fpu_exec.h"

#define ENV_NATIVE  28u
#define REGS_BYTES  80u
#define SAVE_NATIVE (ENV_NATIVE + REGS_BYTES)
#define FOP_MASK    0x7ffu

struct env_bytes {
    uint8_t byte[ENV_NATIVE];
};
struct save_bytes {
    uint8_t byte[SAVE_NATIVE];
};

static bool is_protected(const struct vcpu *v)
{
    return (v->cr0 & CR0_PE) && !(v->eflags & EFL_VM);
}

static unsigned env_size(const struct insn *i)
{
    return i->opsize == 2 ? ENV_NATIVE / 2 : ENV_NATIVE;
}

static bool selectors_deprecated(const struct vcpu *v)
{
    const struct cpu_model *m = v->vm->cpu_model;

    return m && (m->feat_7_ebx & CPUID_7_EBX_FCS_DEPRECATED);
}

/* Fills out[0..env_size) with the guest's view of the environment that the CPU stored in native[].
 */
static void env_convert_out(const struct vcpu *v, const uint8_t *native, unsigned size,
                            uint8_t *out)
{
    const struct vcpu_fpu *f = &v->fpu;
    bool wide = size == ENV_NATIVE, prot = is_protected(v);
    uint32_t ip = f->fip, dp = f->fdp, word[7];

    for (unsigned n = 0; n < 3; n++)
        word[n] = image_get16(native, 4 * n);
    if (prot) {
        bool none = selectors_deprecated(v);
        word[3] = ip;
        word[4] = (none ? 0 : f->fcs) | (wide ? (uint32_t)(f->fop & FOP_MASK) << 16 : 0);
        word[5] = dp;
        word[6] = none ? 0 : f->fds;
    } else {
        ip += (uint32_t)f->fcs << 4;
        dp += (uint32_t)f->fds << 4;
        word[3] = ip & 0xffff;
        word[4] = (ip >> 16) << 12 | (f->fop & FOP_MASK);
        word[5] = dp & 0xffff;
        word[6] = (dp >> 16) << 12;
    }
    for (unsigned n = 0; n < 7; n++) {
        bool whole = n == 4 || (prot ? n == 3 || n == 5 : n == 6);
        if (wide)
            image_put32(out, 4 * n, word[n] | (whole ? 0 : 0xffff0000u));
        else
            image_put16(out, 2 * n, word[n]);
    }
}

/* native[0..28) = what FLDENV shall load; the pointers go to the vCPU. */
static void env_convert_in(struct vcpu *v, const uint8_t *in, unsigned size, uint8_t *native)
{
    struct vcpu_fpu *f = &v->fpu;
    uint32_t word[7];

    for (unsigned n = 0; n < 7; n++)
        word[n] = size == ENV_NATIVE ? image_get32(in, 4 * n) : image_get16(in, 2 * n);
    for (unsigned n = 0; n < 7; n++)
        image_put32(native, 4 * n, n < 3 ? word[n] | 0xffff0000u : 0);
    if (is_protected(v)) {
        f->fip = word[3];
        f->fcs = (uint16_t)word[4];
        f->fop = word[4] >> 16 & FOP_MASK;
        f->fdp = word[5];
        f->fds = (uint16_t)word[6];
    } else {
        f->fip = (word[3] & 0xffff) | (word[4] >> 12 & 0xffff) << 16;
        f->fop = word[4] & FOP_MASK;
        f->fdp = (word[5] & 0xffff) | (word[6] >> 12 & 0xffff) << 16;
        f->fcs = f->fds = 0;
    }
}

static gla_t dest_open(struct vcpu *v, const struct insn *i, unsigned size)
{
    x87_check_available(v);
    gla_t gla = fpu_mem_linear(v, i, size, SEG_ACC_W, 1);
    fpu_mem_probe(v, gla, size);
    fpu_mem_align_check(v, gla, size);
    fpu_unpark(v);
    return gla;
}

void i_fnstenv(struct vcpu *v, const struct insn *i)
{
    struct env_bytes native;
    uint8_t out[ENV_NATIVE];
    unsigned size = env_size(i);
    gla_t gla = dest_open(v, i, size);

    /* Masks all exceptions, so that nothing is pending any more. */
    __asm__ volatile("fnstenv %0" : "=m"(native));
    env_convert_out(v, native.byte, size, out);
    fpu_mem_store(v, gla, out, size);
    x87_ferr_update(v);
}

void i_fnsave(struct vcpu *v, const struct insn *i)
{
    struct save_bytes native;
    uint8_t out[ENV_NATIVE];
    unsigned size = env_size(i);
    gla_t gla = dest_open(v, i, size + REGS_BYTES);

    __asm__ volatile("fnsave %0" : "=m"(native)); /* and FNINIT */
    env_convert_out(v, native.byte, size, out);
    fpu_mem_store(v, gla, out, size);
    fpu_mem_store(v, gla + size, native.byte + ENV_NATIVE, REGS_BYTES);
    v->fpu.fip = v->fpu.fdp = v->fpu.fcs = v->fpu.fds = v->fpu.fop = 0;
    x87_ferr_update(v);
}

/* Common start of the two loads, which wait. False: an error is pending, do nothing. */
static bool load_ready(struct vcpu *v)
{
    x87_check_available(v);
    if (x87_pending(v)) {
        x87_error(v);
        return false;
    }
    return true;
}

void i_fldenv(struct vcpu *v, const struct insn *i)
{
    struct env_bytes native;
    uint8_t in[ENV_NATIVE];
    unsigned size = env_size(i);

    if (!load_ready(v))
        return;
    gla_t gla = fpu_mem_linear(v, i, size, SEG_ACC_R, 1);
    fpu_mem_load(v, gla, in, size);
    fpu_mem_align_check(v, gla, size);
    env_convert_in(v, in, size, native.byte);
    fpu_unpark(v);
    __asm__ volatile("fldenv %0" : : "m"(native) : "memory");
}

void i_frstor(struct vcpu *v, const struct insn *i)
{
    struct save_bytes native;
    uint8_t in[ENV_NATIVE];
    unsigned size = env_size(i);

    if (!load_ready(v))
        return;
    gla_t gla = fpu_mem_linear(v, i, size + REGS_BYTES, SEG_ACC_R, 1);
    fpu_mem_load(v, gla, in, size);
    fpu_mem_load(v, gla + size, native.byte + ENV_NATIVE, REGS_BYTES);
    fpu_mem_align_check(v, gla, size + REGS_BYTES);
    env_convert_in(v, in, size, native.byte);
    fpu_unpark(v);
    __asm__ volatile("frstor %0" : : "m"(native) : "memory");
}
