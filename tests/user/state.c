/* SPDX-License-Identifier: MIT */
/*
 * state.c - the machine state before a case, and the hash over everything after it.
 *
 * Masked     (nothing else is; tests/bt/native_vendor.c knows of other vendors' CPUs) FCS and FDS:
 *            recent CPUs store zero, and Linux' XSAVE drops them. FIP, FDP, FOP while no unmasked
 *            x87 exception is pending: AMD CPUs do not store them then, and some Intel CPUs only
 *            FIP. FDP and FOP in sequences: recent CPUs store them only at an unmasked exception
 *            (CPUID 7.EBX[6]). CR2 when the fault was no #PF. Bit 4 of a page fault's error code:
 *            the kernel's choice of paging mode shows in it. Whether a misaligned access to an
 *            unmapped page is #AC or #PF, while EFLAGS.AC is set: the same priority class (SDM vol.
 *            3A, table 6-8). F_PARTIAL: PUSHA, POPA, ENTER, FLDENV, FNSTENV, FRSTOR, FNSAVE, FBSTP,
 *            FSTP m80 that fault; the CPU has loaded or stored a part by then, and does it all
 *            again when restarted; ring1 has done nothing. CR2 is somewhere in the operand. MMX
 *            stores that fault: the CPU has left x87 mode (TOP = 0) by then. FOP after a signal:
 *            Linux' 32-bit frame has no room for it. Sequences: an operand across 4 GiB, #PF for
 *            the CPU, #GP or #SS for ring1 (SDM vol. 3A, 5.3, allows both).
 * Left out   EFLAGS.AC for those of F_PARTIAL and F_BIG: what they check is up to the CPU. MASKMOVQ
 *            and MASKMOVDQU at addresses that fault: which bytes count with a mask of zeros, and
 *            CR2, are the CPU's choice (SDM vol. 2B). Unmasked x87 exceptions together with
 *            operands that fault: the CPU drops a suppressed store before it looks at the address,
 *            ring1 looks first.
 */
#include "user.h"

#define MXCSR_MM 0x20000u

uint32_t rnd_state = 1;
bool plain, has_mm;

uint32_t rnd(void)
{
    uint32_t x = rnd_state;

    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    rnd_state = x;
    return x * 0x9e3779b1u;
}

uint32_t rnd_below(uint32_t n)
{
    return (uint32_t)((uint64_t)rnd() * n >> 32);
}

static const uint32_t edge32[] = {
    0,          1,          2,          3,          0x7f,       0x80,       0x81,       0xff,
    0x100,      0x7fff,     0x8000,     0x8001,     0xffff,     0x10000,    0x7ffffffe, 0x7fffffff,
    0x80000000, 0x80000001, 0xfffffffe, 0xffffffff, 0x55555555, 0xaaaaaaaa, 0x99999999, 0x0f0f0f0f,
    0xff,       0xff00,     0xffff0000, 0x7f7f7f7f, 0x80808080, 31,         32,         33,
};
static const uint32_t edge_f32[] = {
    0,          0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001,
    0xffc00001, 0x00000001, 0x807fffff, 0x00800000, 0x7f7fffff, 0x4f000000, 0xcf000000, 0x4effffff,
    0x5f000000, 0x3f000000, 0x3fc00000, 0x40200000, 0x4b000001, 0x33800000, 0x3f7fffff, 0xff7fffff,
};
static const uint64_t edge_f64[] = {
    0,
    0x8000000000000000,
    0x3ff0000000000000,
    0xbff0000000000000,
    0x7ff0000000000000,
    0xfff0000000000000,
    0x7ff8000000000000,
    0x7ff0000000000001,
    0x0000000000000001,
    0x800fffffffffffff,
    0x0010000000000000,
    0x7fefffffffffffff,
    0x41e0000000000000,
    0xc1e0000000000000,
    0x41dfffffffe00000,
    0x43e0000000000000,
    0x3fe0000000000000,
    0x3ff8000000000000,
    0x4004000000000000,
    0x36a0000000000000,
    0x47efffffe0000000,
    0x4330000000000001,
};
static const uint16_t edge_exponent[] = {0,      1,      0x3fff, 0x3ffe, 0x4000, 0x401e, 0x403e,
                                         0x403d, 0x7ffe, 0x7fff, 0x3f80, 0x3c00, 0x407f, 0x3fbf};
static const uint64_t edge_mantissa[] = {
    0,
    1,
    0x8000000000000000,
    0x8000000000000001,
    0xc000000000000000,
    0xffffffffffffffff,
    0x7fffffffffffffff,
    0x8000000000000000,
    0xc90fdaa22168c235,
    0x9fffffffffffffff,
};

uint32_t value(void)
{
    uint32_t r = rnd();

    return r & 1 ? edge32[r >> 27] : rnd();
}

/* Sixteen bytes of one kind. */
static void fill16(uint32_t *w)
{
    uint32_t kind = rnd_below(5);
    uint64_t v;

    switch (kind) {
    case 0:
        for (unsigned i = 0; i < 4; i++)
            w[i] = edge_f32[rnd_below(sizeof edge_f32 / 4)];
        break;
    case 1:
        for (unsigned i = 0; i < 4; i++)
            w[i] = 0x3f800000u + (rnd() & 0x80000000u) + rnd_below(0x4000000) - 0x2000000;
        break;
    case 2:
        for (unsigned i = 0; i < 4; i += 2) {
            v = edge_f64[rnd_below(sizeof edge_f64 / 8)];
            w[i] = (uint32_t)v;
            w[i + 1] = (uint32_t)(v >> 32);
        }
        break;
    case 3:
        for (unsigned i = 0; i < 4; i += 2) {
            w[i] = rnd();
            w[i + 1] = 0x3ff00000u + (rnd() & 0x80000000u) + rnd_below(0x8000000) - 0x4000000;
        }
        break;
    default:
        for (unsigned i = 0; i < 4; i++)
            w[i] = value();
        break;
    }
}

static void fill_st(uint8_t *to)
{
    uint64_t m = rnd_below(3) ? edge_mantissa[rnd_below(sizeof edge_mantissa / 8)]
                              : ((uint64_t)rnd() << 32 | rnd() | 1ull << 63);
    uint32_t e =
        rnd_below(3) ? edge_exponent[rnd_below(sizeof edge_exponent / 2)] : rnd_below(0x8000);

    if (rnd_below(4) == 0)
        e = 0x3fff + rnd_below(70);
    e |= rnd() & 0x8000;
    memcpy(to, &m, 8);
    memcpy(to + 8, &e, 2);
}

/* x87, MMX and SSE state. */
static void state_fx_make(bool unmask)
{
    static const uint16_t controls[] = {0x37f, 0x37f, 0x27f, 0x07f, 0xb7f, 0x77f, 0xf7f, 0x67f};
    uint32_t r = rnd(), mxcsr = 0x1f80, fcw = controls[r & 7], fsw = 0;
    uint16_t *h = (uint16_t *)in_fx;
    uint32_t *w = (uint32_t *)in_fx;

    r >>= 3;
    if ((r & 15) == 0 && unmask)
        fcw &= rnd() | ~0x3fu; /* unmasked exceptions */
    fsw = rnd_below(3) ? rnd() & 0x7f00 : rnd() & 0x477f;
    if (rnd_below(8) == 0 || (fsw & 0x3f & ~fcw))
        fsw = rnd_below(4) ? fsw & ~0x7fu : fsw;
    fsw = (fsw & 0x7f7f) | ((fsw & 0x3f & ~fcw) ? 0x8080 : 0);
    h[0] = (uint16_t)fcw;
    h[1] = (uint16_t)fsw;
    h[2] = (uint16_t)(rnd_below(3) ? 0xff : rnd() & 0xff);
    h[3] = 0;
    w[2] = 0x11111111;
    w[3] = 0;
    w[4] = 0x22222222;
    w[5] = 0;
    r = rnd();
    mxcsr |= (r & 3) << 13;
    if ((r & 0x1c) == 0)
        mxcsr |= 0x8000;
    if ((r & 0xe0) == 0)
        mxcsr |= 0x40;
    if ((r & 0x300) == 0)
        mxcsr |= r >> 10 & 0x3f;
    if ((r & 0xf0000) == 0)
        mxcsr &= ~(r >> 10 & 0x1f80);
    w[6] = mxcsr;
    for (unsigned i = 0; i < 8; i++) {
        fill_st(in_fx + 32 + 16 * i);
        fill16(w + 40 + 4 * i);
    }
}

static uint16_t selector(bool for_ss)
{
    static const uint16_t any[] = {0x2b, 0,    3,    0x23, 0x63, 0x6b,  0x2a,   0x28,
                                   0x10, 0x18, 0x1b, 0x7,  0x87, 0x203, 0xffff, 1};

    if (!for_ss)
        return any[rnd_below(16)];
    uint16_t s = any[rnd_below(16)];
    return s == 0x63 || s == 0x6b ? 0x2b : s;
}

static void string_registers(const struct form *f, const struct enc *e)
{
    uint32_t edge = f->flags & F_PARTIAL || plain ? 3 : rnd_below(48);

    in.esi = WIN + 24 + rnd_below(32);
    in.edi = edge == 0   ? DATA_END - rnd_below(24)
             : edge == 1 ? DATA + rnd_below(24)
                         : WIN + 64 + rnd_below(24);
    if (edge == 2)
        in.esi = RO_END - rnd_below(24);
    in.esi -= e->seg_base;
    if (rnd_below(4))
        in.ecx = rnd_below(7);
    if (rnd_below(3) == 0)
        in.eflags |= EFL_DF;
}

static void div_registers(void)
{
    switch (rnd_below(4)) {
    case 0:
        in.edx = 0;
        break;
    case 1:
        in.edx = (uint32_t)((int32_t)in.eax >> 31);
        break;
    case 2:
        in.edx = rnd_below(256);
        in.eax &= 0xfff;
        break;
    default:
        break;
    }
}

/* Registers as the form wants them, before the memory operand's. */
static void registers_for(const struct form *f, const struct enc *e)
{
    if (f->flags & F_STR)
        string_registers(f, e);
    if (f->flags & F_DIV)
        div_registers();
    if ((f->flags & F_LOOP) && rnd_below(2))
        in.ecx = rnd_below(3);
    if ((f->flags & F_SHIFT) && rnd_below(2))
        in.ecx = (in.ecx & ~0xffu) | rnd_below(36);
    if ((f->flags & F_BT) && e->has_mem && rnd_below(4))
        reg_set(&in, e->reg, rnd_below(512) - 256);
    if (f->flags & F_XLAT)
        in.ebx = WIN + 32 - (in.eax & 0xff) + rnd_below(16);
    if ((f->flags & F_STACK) && rnd_below(2))
        in.ebp = STK - 4 * rnd_below(16) + 16;
    if ((f->flags & F_STACK) && in.ebp + 16 < 0x200)
        in.ebp ^= 0x4000; /* LEAVE and ENTER across 4 GiB: the limit check is up to the CPU */
    if (f->flags & (F_PARTIAL | F_BIG)) /* what they check is up to the CPU */
        in.eflags &= ~EFL_AC;
    if ((f->flags & F_STACK) && rnd_below(24) == 0 && !plain)
        in.esp = (rnd_below(2) ? DATA : RO_END) + rnd_below(48) - 16;
}

/* Makes the address in the registers the target, or the other way round. */
static void address_make(const struct form *f, struct enc *e)
{
    for (unsigned i = 0; i < 8; i++)
        if (e->pin_mask >> i & 1)
            reg_set(&in, i, e->pin[i]);
    if (!e->has_mem || e->fixed)
        return;
    e->target = target_choose(f->flags);
    uint32_t off = e->target - e->seg_base - e->disp;
    if (e->index != NO_REG)
        off -= reg_get(&in, e->index) << e->scale;
    if (e->a16)
        off = (off & 0xffff) | (reg_get(&in, e->base) & 0xffff0000u);
    reg_set(&in, e->base, off);
}

static bool target_writable(const struct enc *e, unsigned len)
{
    return e->target >= DATA && e->target + len <= DATA_END;
}

/* Values that must be in the operand, wherever it is. */
static void operands_make(const struct form *f, const struct enc *e)
{
    uint32_t val =
        (f->flags & (F_SEL | F_FAR)) ? selector(f->flags & F_SS) | rnd() << 16 : code_ptr + 0x40;
    unsigned off = f->flags & F_FAR ? e->opsize : 0;

    if (!(f->flags & (F_SEL | F_FAR | F_BR | F_RET)))
        return;
    if (f->flags & F_RET) {
        if (in.esp >= DATA && in.esp + 4 <= DATA_END)
            put32(in.esp, val);
    } else if (e->rm != NO_REG) {
        reg_set(&in, e->rm, val);
    } else if (e->has_mem && target_writable(e, off + 4)) {
        put32(e->target + off, val);
    }
}

static void fill(uint32_t from, unsigned len, bool fx)
{
    for (unsigned i = 0; i < len; i += 16) {
        if (fx)
            fill16((uint32_t *)(from + i));
        else
            for (unsigned j = 0; j < 16; j += 4)
                put32(from + i + j, value());
    }
    if (fx && len >= WIN_LEN)
        for (unsigned i = 32; i < 96; i += 16)
            if (rnd_below(4) == 0)
                fill_st((uint8_t *)(from + i));
}

/* Registers, flags and memory for one execution of *e. */
void state_make(const struct form *f, struct enc *e)
{
    uint32_t r;

    for (unsigned i = 0; i < 8; i++)
        (&in.edi)[i] = value();
    r = rnd();
    in.eflags = 0x202 | (r & 0x8d5);
    if ((r >> 12 & 15) == 0)
        in.eflags |= EFL_DF;
    if ((r >> 16 & 63) == 0 && !plain)
        in.eflags |= EFL_AC;
    if ((r >> 22 & 7) == 0)
        in.eflags |= EFL_ID;
    in.esp = STK - 4 * (r >> 28);
    use_fx = f->flags & F_FX;
    fill(WIN, f->flags & F_BIG ? BIG_LEN : WIN_LEN, use_fx);
    if (f->flags & F_STACK)
        fill(STK - STK_BELOW, STK_BELOW + STK_ABOVE, false);
    fill(DATA, EDGE_LEN, false);
    fill(DATA_END - EDGE_LEN, EDGE_LEN, use_fx);
    registers_for(f, e);
    address_make(f, e);
    operands_make(f, e);
    if (use_fx)
        state_fx_make(!(f->flags & F_MANY) && (!e->has_mem || (target_writable(e, 16) && !e->seg &&
                                                               !(in.eflags & EFL_AC))));
}

/* ---- after ---- */

static inline void mix(uint32_t h[2], uint32_t w)
{
    h[0] = (h[0] ^ w) * 0x9e3779b1u;
    h[0] = h[0] << 13 | h[0] >> 19;
    h[1] = (h[1] + w) * 0x85ebca6bu;
    h[1] = h[1] << 17 | h[1] >> 15;
}

static void mix_memory(uint32_t h[2], uint32_t from, unsigned len)
{
    for (unsigned i = 0; i < len; i += 4)
        mix(h, get32(from + i));
}

/* FNSTENV, FNSAVE, FXSAVE: the pointers in memory. */
static void mask_environment(const struct form *f, const struct enc *e)
{
    unsigned from = f->flags & F_BIG ? 6 : 3 * e->opsize;
    unsigned end = f->flags & F_BIG ? 24 : 7 * e->opsize;

    if (out_path != PATH_NEXT || e->target < DATA || e->target + 28 > DATA_END)
        return;
    for (unsigned i = from; i < end; i++)
        *(uint8_t *)(e->target + i) = 0;
}

static void mask_fx(uint32_t flags)
{
    uint32_t *w = (uint32_t *)out_fx;

    if (out_path == PATH_FAULT)
        w[1] &= 0xffff;
    w[3] = w[5] = 0;
    if (has_mm)
        w[7] &= ~MXCSR_MM;
    if (flags & F_MANY) {
        w[1] &= 0xffff;
        w[4] = 0;
    }
    if (!(w[0] >> 16 & 0x80)) {
        w[1] &= 0xffff;
        w[2] = w[4] = 0;
    }
}

void state_hash(uint32_t h[2], const struct form *f, const struct enc *e)
{
    if (f->flags & F_ENV)
        mask_environment(f, e);
    if (fault.vector != 14)
        fault.cr2 = 0;
    fault.error &= ~0x10u;
    if ((f->flags & F_MANY) &&
        (fault.vector == 12 || (fault.vector == 14 && fault.cr2 >= 0u - 256))) {
        fault.vector = 13;
        fault.error = fault.cr2 = 0;
    }
    if (((in.eflags | out.eflags) & EFL_AC) &&
        (fault.vector == 14 || fault.vector == 17 || ((f->flags & F_MANY) && fault.vector == 13))) {
        fault.vector = 17;
        fault.error = fault.cr2 = 0;
    }
    if (((f->flags & F_PARTIAL) || plain) && out_path == PATH_FAULT) {
        mix(h, plain ? 0 : fault.vector);
        return; /* print_case() leaves the rest out, too */
    }
    for (unsigned i = 0; i < 8; i++)
        mix(h, reg_get(&out, i));
    mix(h, out.eflags);
    mix(h, out_path);
    if (out_path == PATH_FAULT) {
        mix(h, fault.vector);
        mix(h, fault.error);
        mix(h, fault.cr2);
        mix(h, fault.eip);
    }
    for (unsigned i = 0; i < 4; i++) {
        out_seg[i] = (out_seg[i] & 0xfffc) == 0
                         ? 0
                         : out_seg[i] & 0xffff; /* Linux sets the RPL of null selectors */
        if (out_seg[i] == sel_fs || out_seg[i] == sel_gs)
            out_seg[i] = out_seg[i] == sel_fs ? SEL_FS : SEL_GS;
        mix(h, out_seg[i]);
    }
    mix_memory(h, WIN, f->flags & F_BIG ? BIG_LEN : WIN_LEN);
    mix_memory(h, DATA_END - EDGE_LEN, EDGE_LEN);
    mix_memory(h, DATA, EDGE_LEN);
    if (f->flags & F_STACK)
        mix_memory(h, STK - STK_BELOW, STK_BELOW + STK_ABOVE);
    if (use_fx) {
        mask_fx(f->flags);
        for (unsigned i = 0; i < 288; i += 4)
            mix(h, *(uint32_t *)(out_fx + i));
    }
}
