/* SPDX-License-Identifier: MIT */
/* uses: host/linux/fpu_call.c host/linux/fpu_call.S host/linux/code_arena.c host/linux/mem.S */
/*
 * fpu_handlers.c - what the CPU does around x87, MMX and SSE instructions: availability, pending
 * errors, environments in their formats, faults that leave the registers alone, residence of the
 * registers.
 */
#include "tests/rig/fpu_fixture.h"

static uint16_t data16(const struct rig *r, unsigned off)
{
    return image_get16(r->vm.ram + DATA_GPA, off);
}
static uint32_t data32(const struct rig *r, unsigned off)
{
    return image_get32(r->vm.ram + DATA_GPA, off);
}

/* A valid state with eight registers in use and all exceptions masked. */
static void load_plain(struct rig *r)
{
    uint8_t image[FXSAVE_SIZE];

    random_image(image, false);
    image_put16(image, FX_FCW, 0x37f);
    image_put16(image, FX_FSW, 0);
    image_put32(image, FX_MXCSR, 0x1f80);
    image[FX_FTW] = 0xff;
    rig_load(r, image);
}

/* Leaves an unmasked zero-divide pending. */
static void make_pending(struct rig *r)
{
    load_plain(r);
    image_put16(r->cpu.fpu.area, FX_FCW, 0x37b);
    image_put16(r->cpu.fpu.area, FX_FSW, 0x8084);
}

Test(fpu_handlers, availability)
{
    enum { X87, WAIT, MMX, SSE, FXSR };
    static const struct {
        uint8_t bytes[5], len, kind;
    } row[] = {
        {{0xd9, 0xe8}, 2, X87},             /* fld1 */
        {{0xdd, 0x1e}, 2, X87},             /* fstp qword [esi] */
        {{0xdf, 0xe0}, 2, X87},             /* fnstsw ax */
        {{0xdb, 0xe3}, 2, X87},             /* fninit */
        {{0xd9, 0x36}, 2, X87},             /* fnstenv [esi] */
        {{0xdd, 0x36}, 2, X87},             /* fnsave [esi] */
        {{0xd9, 0x26}, 2, X87},             /* fldenv [esi] */
        {{0xdd, 0x26}, 2, X87},             /* frstor [esi] */
        {{0x9b}, 1, WAIT},                  /* fwait */
        {{0x0f, 0xfc, 0xc1}, 3, MMX},       /* paddb mm0, mm1 */
        {{0x0f, 0x77}, 2, MMX},             /* emms */
        {{0x0f, 0xe7, 0x06}, 3, MMX},       /* movntq [esi], mm0 */
        {{0x0f, 0xf7, 0xc1}, 3, MMX},       /* maskmovq mm0, mm1 */
        {{0x66, 0x0f, 0xfc, 0xc1}, 4, SSE}, /* paddb xmm0, xmm1 */
        {{0x0f, 0x58, 0xc1}, 3, SSE},       /* addps xmm0, xmm1 */
        {{0x0f, 0x2a, 0xc1}, 3, SSE},       /* cvtpi2ps xmm0, mm1 */
        {{0xf3, 0x0f, 0x2c, 0x06}, 4, SSE}, /* cvttss2si eax, [esi] */
        {{0x66, 0x0f, 0xf7, 0xc1}, 4, SSE}, /* maskmovdqu xmm0, xmm1 */
        {{0x0f, 0xae, 0x16}, 3, SSE},       /* ldmxcsr [esi] */
        {{0x0f, 0xae, 0x1e}, 3, SSE},       /* stmxcsr [esi] */
        {{0x0f, 0xae, 0x06}, 3, FXSR},      /* fxsave [esi] */
        {{0x0f, 0xae, 0x0e}, 3, FXSR},      /* fxrstor [esi] */
    };
    struct rig *r = rig_new(1 << 16);

    for (unsigned n = 0; n < ARRAY_LEN(row); n++)
        for (unsigned bits = 0; bits < 16; bits++) {
            bool em = bits & 1, ts = bits & 2, mp = bits & 4, fxsr = bits & 8;
            unsigned want = NO_FAULT, kind = row[n].kind;
            r->cpu.cr0 =
                CR0_PE | CR0_NE | (em ? CR0_EM : 0) | (ts ? CR0_TS : 0) | (mp ? CR0_MP : 0);
            r->cpu.cr4 = CR4_OSXMMEXCPT | (fxsr ? CR4_OSFXSR : 0);
            if (kind == X87)
                want = em || ts ? VEC_NM : NO_FAULT;
            else if (kind == WAIT)
                want = mp && ts ? VEC_NM : NO_FAULT;
            else if (em || (kind == SSE && !fxsr))
                want = VEC_UD;
            else if (ts)
                want = VEC_NM;
            load_plain(r);
            memset(r->vm.ram + DATA_GPA, 0, 512);
            r->cpu.gpr[EDI] = DATA_GPA;
            unsigned got = rig_run(r, row[n].bytes, row[n].len);
            cr_expect_eq(got, want, "row %u em %d ts %d mp %d osfxsr %d: vector 0x%x, not 0x%x", n,
                         em, ts, mp, fxsr, got, want);
        }
}

Test(fpu_handlers, pending_error)
{
    struct rig *r = rig_new(1 << 16);
    struct vcpu *v = &r->cpu;

    static const struct {
        uint8_t bytes[4], len;
        bool waits;
    } row[] = {
        {{0x9b}, 1, true},
        {{0xd9, 0xe8}, 2, true},
        {{0xdd, 0x1e}, 2, true},
        {{0xd9, 0x2e}, 2, true},
        {{0x0f, 0xfc, 0xc1}, 3, true},
        {{0x0f, 0x6f, 0x06}, 3, true},
        {{0x0f, 0x77}, 2, true},
        {{0xd9, 0x26}, 2, true},
        {{0xdd, 0x26}, 2, true},
        {{0x0f, 0xf7, 0xc1}, 3, true},
        {{0xdb, 0xe2}, 2, false},
        {{0xdb, 0xe3}, 2, false},
        {{0xdf, 0xe0}, 2, false},
        {{0xdd, 0x3e}, 2, false},
        {{0xd9, 0x3e}, 2, false},
        {{0xd9, 0x36}, 2, false},
        {{0xdd, 0x36}, 2, false},
        {{0x0f, 0xae, 0x06}, 3, false},
        {{0x66, 0x0f, 0xfc, 0xc1}, 4, false},
    };
    for (unsigned n = 0; n < ARRAY_LEN(row); n++) {
        uint8_t before[FXSAVE_SIZE];
        make_pending(r);
        memcpy(before, v->fpu.area, sizeof before);
        v->cr0 |= CR0_NE;
        unsigned got = rig_run(r, row[n].bytes, row[n].len);
        cr_expect_eq(got, row[n].waits ? VEC_MF : NO_FAULT, "row %u: vector 0x%x", n, got);
        cr_expect(!row[n].waits || image_differs(before, v->fpu.area) < 0,
                  "row %u changed a register", n);

        /* CR0.NE = 0: the same instruction again, FERR# up. */
        make_pending(r);
        v->cr0 &= ~CR0_NE;
        v->attention = 0;
        v->fpu.ferr = false;
        r->world.ferr = 0;
        got = rig_run(r, row[n].bytes, row[n].len);
        cr_expect_eq(got, NO_FAULT, "row %u: NE = 0 vector 0x%x", n, got);
        cr_expect_eq(r->world.ferr, row[n].waits, "row %u: FERR#", n);
        cr_expect_eq(v->next_eip == CODE_EIP, row[n].waits, "row %u: next_eip", n);
        cr_expect_eq(v->attention != 0, row[n].waits, "row %u: attention", n);
    }
    make_pending(r);
    RUN(r, 0x9b);
    cr_expect_eq(r->world.ferr, 1);
    RUN(r, 0xdb, 0xe2); /* fnclex */
    cr_expect_eq(r->world.ferr, 0);
    cr_expect_not(v->fpu.ferr);
    cr_expect_eq(RUN(r, 0x9b), NO_FAULT);
    cr_expect_eq(v->next_eip, CODE_EIP + 1);
}

Test(fpu_handlers, simd_error)
{
    struct rig *r = rig_new(1 << 16);

    for (unsigned on = 0; on < 2; on++) {
        load_plain(r);
        image_put32(r->cpu.fpu.area, FX_MXCSR, 0x1d80); /* zero divide unmasked */
        memset(r->cpu.fpu.area + FX_XMM, 0, 32);
        image_put32(r->cpu.fpu.area, FX_XMM, 0x3f800000);
        r->cpu.cr4 = CR4_OSFXSR | (on ? CR4_OSXMMEXCPT : 0);
        cr_expect_eq(RUN(r, 0xf3, 0x0f, 0x5e, 0xc1), on ? VEC_XM : VEC_UD); /* divss xmm0, xmm1 */
        cr_expect_eq(image_get32(r->cpu.fpu.area, FX_XMM), 0x3f800000);
        cr_expect_eq(image_get32(r->cpu.fpu.area, FX_MXCSR), 0x1d84);
    }
}

static void set_mode(struct rig *r, bool prot, bool wide)
{
    struct vcpu *v = &r->cpu;
    uint16_t db = wide ? SEGA_DB : 0;

    v->cr0 = (v->cr0 & ~CR0_PE) | (prot ? CR0_PE : 0);
    v->seg[SEG_CS].attr = (uint16_t)((v->seg[SEG_CS].attr & ~SEGA_DB) | db);
    v->seg[SEG_CS].sel = 0x1230;
    v->seg[SEG_DS].sel = 0x4560;
}

/* fnstenv, fldenv, fnsave, frstor with [esi] ([si] is the same ModRM with rm = 4 in 16-bit
 * code). */
static unsigned env_op(struct rig *r, bool wide, uint8_t opcode, unsigned reg)
{
    return RUN(r, opcode, (uint8_t)(reg << 3 | (wide ? 6 : 4)));
}

Test(fpu_handlers, environments)
{
    struct rig *r = rig_new(1 << 16);
    struct vcpu *v = &r->cpu;
    const uint32_t lip = 0x12300 + CODE_EIP, ldp = 0x45600 + DATA_GPA;
    const uint32_t fop = 5 << 8; /* dd: low three bits, then ModRM */

    for (unsigned mode = 0; mode < 4; mode++)
        for (unsigned save = 0; save < 2; save++) {
            bool prot = mode & 1, wide = mode & 2;
            unsigned w = wide ? 4 : 2, modrm = wide ? 6 : 4;
            struct oracle o;
            uint8_t native[108];
            uint8_t image[FXSAVE_SIZE];

            set_mode(r, prot, wide);
            load_plain(r);
            v->fpu.area[FX_FTW] = 0x5b;
            image_put16(v->fpu.area, FX_FSW, 0x0800);
            cr_assert_eq(RUN(r, 0xdd, (uint8_t)modrm), NO_FAULT); /* fld qword [esi] */
            memcpy(image, v->fpu.area, sizeof image);
            oracle_init(&o);
            memcpy(o.image, image, FXSAVE_SIZE);
            o.esi = native;
            o.flags = 0x202;
            oracle_run(&o, save ? (const uint8_t[]){0xdd, 0x36} : (const uint8_t[]){0xd9, 0x36}, 2);
            memset(r->vm.ram + DATA_GPA, 0xcc, 256);
            cr_assert_eq(env_op(r, wide, save ? 0xdd : 0xd9, 6), NO_FAULT);

            for (unsigned n = 0; n < 3; n++)
                cr_expect_eq(data16(r, n * w), image_get16(native, 4 * n), "mode %u word %u", mode,
                             n);
            cr_expect_eq(data16(r, 3 * w), (uint16_t)(prot ? CODE_EIP : lip));
            cr_expect_eq(data16(r, 5 * w), (uint16_t)(prot ? DATA_GPA : ldp));
            if (wide && prot) {
                cr_expect_eq(data32(r, 0) >> 16, 0xffff);
                cr_expect_eq(data32(r, 12), CODE_EIP);
                cr_expect_eq(data32(r, 16), 0x1230 | (fop | modrm) << 16);
                cr_expect_eq(data32(r, 20), DATA_GPA);
                cr_expect_eq(data32(r, 24), 0xffff4560);
            } else if (prot) {
                cr_expect_eq(data16(r, 8), 0x1230);
                cr_expect_eq(data16(r, 12), 0x4560);
            } else if (wide) {
                cr_expect_eq(data32(r, 16), (lip >> 16) << 12 | fop | modrm);
                cr_expect_eq(data32(r, 24), (ldp >> 16) << 12);
            } else {
                cr_expect_eq(data16(r, 8), (uint16_t)((lip >> 16) << 12 | fop | modrm));
                cr_expect_eq(data16(r, 12), (uint16_t)((ldp >> 16) << 12));
            }
            if (save)
                cr_expect_arr_eq(r->vm.ram + DATA_GPA + 7 * w, native + 28, 80);
            cr_expect_eq(r->vm.ram[DATA_GPA + 7 * w + (save ? 80 : 0)], 0xcc);
            cr_expect_lt(image_differs(v->fpu.area, o.image), 0, "mode %u side effects", mode);
            cr_expect_eq(v->fpu.fip, save ? 0 : CODE_EIP);

            /* And back. */
            RUN(r, 0xdb, 0xe3);
            cr_expect_eq(v->fpu.fip, 0);
            cr_assert_eq(env_op(r, wide, save ? 0xdd : 0xd9, 4), NO_FAULT);
            cr_expect_eq(v->fpu.fip & 0xffff, (prot ? CODE_EIP : lip) & 0xffff);
            if (wide)
                cr_expect_eq(v->fpu.fip, prot ? CODE_EIP : lip);
            if (save)
                cr_expect_lt(image_differs(v->fpu.area, image), 0, "mode %u restore", mode);
            else
                cr_expect_eq(image_get16(v->fpu.area, FX_FCW), image_get16(image, FX_FCW));
        }
}

Test(fpu_handlers, pointers)
{
    struct rig *r = rig_new(1 << 16);
    struct vcpu *v = &r->cpu;

    load_plain(r);
    RUN(r, 0xdd, 0x06); /* fld qword [esi] */
    cr_expect_eq(v->fpu.fip, CODE_EIP);
    cr_expect_eq(v->fpu.fdp, DATA_GPA);
    cr_expect_eq(v->fpu.fcs, 8);
    cr_expect_eq(v->fpu.fds, 16);
    cr_expect_eq(v->fpu.fop, 0x506);
    v->fpu.fip = 1;
    RUN(r, 0xd9, 0x3e); /* fnstcw */
    RUN(r, 0xd9, 0x2e); /* fldcw */
    RUN(r, 0xdf, 0xe0); /* fnstsw ax */
    RUN(r, 0xdb, 0xe2); /* fnclex */
    RUN(r, 0x9b);
    RUN(r, 0x0f, 0x77); /* emms */
    cr_expect_eq(v->fpu.fip, 1);
    RUN(r, 0xd9, 0xd0); /* fnop */
    cr_expect_eq(v->fpu.fip, CODE_EIP);
    cr_expect_eq(v->fpu.fop, 0x1d0);
    cr_expect_eq(v->fpu.fdp, DATA_GPA);
    RUN(r, 0xdb, 0xe3); /* fninit */
    cr_expect(!v->fpu.fip && !v->fpu.fdp && !v->fpu.fop && !v->fpu.fcs && !v->fpu.fds);
}

Test(fpu_handlers, fxsave_fxrstor)
{
    struct rig *r = rig_new(1 << 16);
    struct vcpu *v = &r->cpu;
    uint8_t before[FXSAVE_SIZE];

    load_plain(r);
    memcpy(before, v->fpu.area, sizeof before);
    memset(r->vm.ram + DATA_GPA, 0xcc, 512);
    v->fpu.fip = 0x11223344;
    v->fpu.fcs = 0x5566;
    v->fpu.fdp = 0x778899aa;
    v->fpu.fds = 0xbbcc;
    v->fpu.fop = 0x7ff;
    cr_assert_eq(RUN(r, 0x0f, 0xae, 0x06), NO_FAULT);
    cr_expect_lt(image_differs(before, r->vm.ram + DATA_GPA), 0);
    cr_expect_eq(data32(r, FX_FIP), 0x11223344);
    cr_expect_eq(data32(r, FX_FCS), 0x5566);
    cr_expect_eq(data32(r, FX_FDP), 0x778899aa);
    cr_expect_eq(data32(r, FX_FDS), 0xbbcc);
    cr_expect_eq(data16(r, FX_FOP), 0x7ff);
    cr_expect_eq(data32(r, FX_MXCSR_MASK), image_get32(before, FX_MXCSR_MASK));
    for (unsigned n = FX_LEGACY_END; n < 512; n++)
        cr_expect_eq(r->vm.ram[DATA_GPA + n], 0xcc, "byte %u was written", n);

    fpu_reset(v);
    cr_expect_eq(v->fpu.fip, 0);
    cr_assert_eq(RUN(r, 0x0f, 0xae, 0x0e), NO_FAULT);
    cr_expect_lt(image_differs(before, v->fpu.area), 0);
    cr_expect_eq(v->fpu.fip, 0x11223344);
    cr_expect_eq(v->fpu.fds, 0xbbcc);

    image_put32(r->vm.ram, DATA_GPA + FX_MXCSR, 0x11f80); /* reserved bit */
    image_put32(r->vm.ram, DATA_GPA + FX_XMM, 0x12345678);
    cr_expect_eq(RUN(r, 0x0f, 0xae, 0x0e), VEC_GP);
    cr_expect_eq(RUN(r, 0x0f, 0xae, 0x56, FX_MXCSR), VEC_GP); /* ldmxcsr */
    cr_expect_lt(image_differs(before, v->fpu.area), 0);
    v->gpr[ESI] = DATA_GPA + 8;
    cr_expect_eq(RUN(r, 0x0f, 0xae, 0x0e), VEC_GP);
    cr_expect_eq(RUN(r, 0x0f, 0xae, 0x06), VEC_GP);
}

/* Two-level tables at 0x1000 and 0x2000: linear = physical, the page of DATA_GPA + 0x1000 absent,
 * the next read-only. */
static void paging_on(struct rig *r)
{
    image_put32(r->vm.ram, 0x1000, 0x2007);
    for (unsigned n = 0; n < 256; n++)
        image_put32(r->vm.ram, 0x2000 + 4 * n, n << 12 | 7);
    image_put32(r->vm.ram, 0x2000 + 4 * ((DATA_GPA >> 12) + 1), 0);
    image_put32(r->vm.ram, 0x2000 + 4 * ((DATA_GPA >> 12) + 2), (DATA_GPA + 0x2000) | 5);
    r->cpu.cr3 = 0x1000;
    r->cpu.cr0 |= CR0_PG | CR0_WP;
    mmu_flush_all(&r->cpu);
}

Test(fpu_handlers, faults_change_nothing)
{
    static const struct {
        uint8_t bytes[4], len;
        bool store;
    } row[] = {
        {{0xdd, 0x1e}, 2, true},             /* fstp qword */
        {{0xdb, 0x3e}, 2, true},             /* fstp tbyte */
        {{0xdf, 0x36}, 2, true},             /* fbstp */
        {{0xd9, 0x06}, 2, false},            /* fld dword */
        {{0xd9, 0x36}, 2, true},             /* fnstenv */
        {{0xdd, 0x36}, 2, true},             /* fnsave */
        {{0xd9, 0x26}, 2, false},            /* fldenv */
        {{0xdd, 0x26}, 2, false},            /* frstor */
        {{0x0f, 0x7f, 0x06}, 3, true},       /* movq mm */
        {{0x0f, 0x6f, 0x06}, 3, false},      /* movq mm */
        {{0x0f, 0x11, 0x06}, 3, true},       /* movups */
        {{0x0f, 0x10, 0x06}, 3, false},      /* movups */
        {{0x0f, 0xf7, 0xc1}, 3, true},       /* maskmovq */
        {{0x66, 0x0f, 0xf7, 0xc1}, 4, true}, /* maskmovdqu */
    };
    struct rig *r = rig_new(1 << 16);
    struct vcpu *v = &r->cpu;
    static const uint8_t zero[16];

    paging_on(r);
    for (unsigned n = 0; n < ARRAY_LEN(row); n++)
        for (unsigned k = 0; k < 2; k++) {
            uint8_t before[FXSAVE_SIZE];
            gla_t page = DATA_GPA + (k ? 0x2000 : 0x1000), at = k ? page : page - 2;
            load_plain(r);
            memset(v->fpu.area + FX_XMM + 16, 0xff, 16); /* maskmovdqu's mask */
            memset(v->fpu.area + FX_ST + 16, 0xff, 10);
            memcpy(before, v->fpu.area, sizeof before);
            memset(r->vm.ram + DATA_GPA + 0xff0, 0, 16);
            v->gpr[ESI] = v->gpr[EDI] = at;
            v->fpu.fip = 1;
            unsigned got = rig_run(r, row[n].bytes, row[n].len);
            if (k && !row[n].store)
                continue;
            cr_expect_eq(got, VEC_PF, "row %u page %u: vector 0x%x", n, k, got);
            cr_expect_eq(v->cr2, page, "row %u page %u: cr2 0x%x", n, k, v->cr2);
            cr_expect_eq(r->fault.error, (k ? PFE_P : 0) | (row[n].store ? PFE_W : 0), "row %u", n);
            cr_expect_lt(image_differs(before, v->fpu.area), 0, "row %u page %u: changed", n, k);
            cr_expect_eq(v->fpu.fip, 1);
            cr_expect_arr_eq(r->vm.ram + DATA_GPA + 0xff0, zero, 16);
        }
    /* Segment limit, and alignment at CPL 3. */
    load_plain(r);
    v->gpr[ESI] = DATA_GPA + 4;
    v->seg[SEG_DS].limit = DATA_GPA + 8;
    seg_derive(&v->seg[SEG_DS], true);
    cr_expect_eq(RUN(r, 0xdd, 0x1e), VEC_GP);
    rig_flat(&v->seg[SEG_DS], 0x10, v->seg[SEG_DS].attr);
    v->cpl = 3;
    v->cr0 |= CR0_AM;
    v->eflags |= EFL_AC;
    cr_expect_eq(RUN(r, 0xdd, 0x1e), VEC_AC);
    cr_expect_eq(RUN(r, 0xd9, 0x1e), NO_FAULT);
    cr_expect_eq(RUN(r, 0x0f, 0x10, 0x06), NO_FAULT); /* movups */
    cr_expect_eq(RUN(r, 0x0f, 0x28, 0x06), VEC_GP);   /* movaps */
}

/* Exceptions that are unmasked: a store that one of them suppresses does not look at its operand;
 * one that goes ahead faults with nothing changed. */
Test(fpu_handlers, suppressed_stores)
{
    static const struct {
        uint8_t bytes[2];
        uint16_t fcw, fsw; /* status expected; 0: the operand faults */
    } row[] = {
        {{0xdb, 0x1e}, 0x37e, 0x81}, /* fistp dword: invalid */
        {{0xdf, 0x36}, 0x37e, 0x81}, /* fbstp: invalid */
        {{0xd9, 0x1e}, 0x377, 0x88}, /* fstp dword: overflow */
        {{0xdb, 0x3e}, 0x37e, 0},    /* fstp tbyte: nothing comes up */
        {{0xd9, 0x1e}, 0x35f, 0}, /* fstp dword: overflow is masked, precision does not suppress */
    };
    struct rig *r = rig_new(1 << 16);
    struct vcpu *v = &r->cpu;

    paging_on(r);
    for (unsigned n = 0; n < ARRAY_LEN(row); n++) {
        uint8_t before[FXSAVE_SIZE];
        load_plain(r);
        memset(v->fpu.area + FX_ST, 0xff, 8);
        image_put16(v->fpu.area, FX_ST + 8, 0x7ffe); /* too large for every format but its own */
        image_put16(v->fpu.area, FX_FCW, row[n].fcw);
        memcpy(before, v->fpu.area, sizeof before);
        v->gpr[ESI] = DATA_GPA + 0x1000;
        v->fpu.fip = 1;
        unsigned got = rig_run(r, row[n].bytes, 2);
        if (!row[n].fsw) {
            cr_expect_eq(got, VEC_PF, "row %u: vector 0x%x", n, got);
            cr_expect_lt(image_differs(before, v->fpu.area), 0, "row %u: changed", n);
            cr_expect_eq(v->fpu.fip, 1);
            continue;
        }
        cr_expect_eq(got, NO_FAULT, "row %u: vector 0x%x", n, got);
        uint16_t fsw = image_get16(v->fpu.area, FX_FSW);
        cr_expect_eq(fsw & 0xbf, row[n].fsw, "row %u: status 0x%x", n, fsw);
        cr_expect_eq(v->fpu.fip, CODE_EIP);
        cr_expect_eq(v->fpu.fdp, DATA_GPA + 0x1000);
        cr_expect_eq(RUN(r, 0x9b), VEC_MF);
    }
}

Test(fpu_handlers, maskmov)
{
    struct rig *r = rig_new(1 << 16);
    struct vcpu *v = &r->cpu;

    for (unsigned n = 0; n < 400; n++) {
        bool xmm = n & 1;
        unsigned len = xmm ? 16 : 8, top = rng() & 7;
        uint8_t image[FXSAVE_SIZE], ram[24], *at = r->vm.ram + DATA_GPA;
        random_image(image, false);
        image_put16(image, FX_FSW, top << 11);
        random_bytes(image + FX_XMM + 16, 16);
        random_bytes(image + FX_ST + 16 * ((3 - top) & 7), 8);
        if (n < 8)
            memset(image + FX_XMM + 16, 0, 16), memset(image + FX_ST + 16 * ((3 - top) & 7), 0, 8);
        random_bytes(at, sizeof ram);
        memcpy(ram, at, sizeof ram);
        const uint8_t *data = xmm ? image + FX_XMM : image + FX_ST + 16 * ((2 - top) & 7);
        const uint8_t *mask = xmm ? image + FX_XMM + 16 : image + FX_ST + 16 * ((3 - top) & 7);
        for (unsigned b = 0; b < len; b++)
            if (mask[b] & 0x80)
                ram[3 + b] = data[b];
        rig_load(r, image);
        v->gpr[EDI] = DATA_GPA + 3;
        unsigned got = xmm ? RUN(r, 0x66, 0x0f, 0xf7, 0xc1) : RUN(r, 0x0f, 0xf7, 0xd3);
        cr_expect_eq(got, NO_FAULT);
        cr_expect_arr_eq(at, ram, sizeof ram, "run %u", n);
        cr_expect_eq(v->fpu.area[FX_FTW], xmm ? image[FX_FTW] : 0xff);
    }
    /* Segment override and a masked-off page. */
    load_plain(r);
    memset(v->fpu.area + FX_XMM + 16, 0, 16);
    v->fpu.area[FX_XMM + 16] = 0x80;
    v->seg[SEG_FS].base = 0x100;
    v->gpr[EDI] = DATA_GPA;
    r->vm.ram[DATA_GPA + 0x100] = (uint8_t)~v->fpu.area[FX_XMM];
    cr_expect_eq(RUN(r, 0x64, 0x66, 0x0f, 0xf7, 0xc1), NO_FAULT);
    cr_expect_eq(r->vm.ram[DATA_GPA + 0x100], v->fpu.area[FX_XMM]);
}

/* The segment holds the whole operand, whatever the mask selects, or it is #GP; #PF is for selected
 * bytes. CPUs say so of the first (SDM vol. 2B leaves a mask of zeros open). */
Test(fpu_handlers, maskmov_limit)
{
    struct rig *r = rig_new(1 << 16);
    struct vcpu *v = &r->cpu;
    static const struct {
        uint16_t mask; /* bit n: byte n is selected */
        uint32_t off;
        unsigned q, dqu; /* MASKMOVQ's and MASKMOVDQU's vector; the limit is 0x1fff */
    } rows[] = {
        {0x0000, 0x1ff0, NO_FAULT, NO_FAULT}, {0x0000, 0x1ff1, NO_FAULT, VEC_GP},
        {0x0000, 0x1ff8, NO_FAULT, VEC_GP},   {0x0000, 0x1ff9, VEC_GP, VEC_GP},
        {0x0000, 0x2000, VEC_GP, VEC_GP},     {0x0001, 0x1ff9, VEC_GP, VEC_GP},
        {0x0001, 0x1fff, VEC_GP, VEC_GP},     {0x00ff, 0x1ff8, NO_FAULT, VEC_GP},
        {0x0006, 0xffffffff, VEC_GP, VEC_GP}, {0xffff, 0x1ff0, NO_FAULT, NO_FAULT},
    };

    for (unsigned n = 0; n < 2 * ARRAY_LEN(rows); n++) {
        bool xmm = n & 1;
        unsigned want = xmm ? rows[n / 2].dqu : rows[n / 2].q;
        load_plain(r);
        for (unsigned b = 0; b < 16; b++) {
            uint8_t byte = rows[n / 2].mask >> b & 1 ? 0x80 : 0;
            v->fpu.area[FX_XMM + 16 + b] = byte;
            if (b < 8)
                v->fpu.area[FX_ST + 16 * 3 + b] = byte;
        }
        v->seg[SEG_FS].limit = 0x1fff;
        seg_derive(&v->seg[SEG_FS], true);
        v->gpr[EDI] = rows[n / 2].off;
        unsigned got = xmm ? RUN(r, 0x64, 0x66, 0x0f, 0xf7, 0xc1) : RUN(r, 0x64, 0x0f, 0xf7, 0xd3);
        cr_expect_eq(got, want, "row %u, %s: vector 0x%x", n / 2, xmm ? "dqu" : "q", got);
    }
}

Test(fpu_handlers, registers_and_addresses)
{
    struct rig *r = rig_new(1 << 16);
    struct vcpu *v = &r->cpu;

    load_plain(r);
    uint32_t x1 = image_get32(v->fpu.area, FX_XMM + 16);
    for (unsigned g = 0; g < 8; g++) {
        v->gpr[g] = 0x55555555;
        cr_expect_eq(RUN(r, 0x66, 0x0f, 0x7e, (uint8_t)(0xc8 | g)), NO_FAULT); /* movd g, xmm1 */
        cr_expect_eq(v->gpr[g], x1, "movd to register %u", g);
        v->gpr[g] = 0xdeadbe00 | g;
        cr_expect_eq(RUN(r, 0x66, 0x0f, 0x6e, (uint8_t)(0xc0 | g)), NO_FAULT); /* movd xmm0, g */
        cr_expect_eq(image_get32(v->fpu.area, FX_XMM), 0xdeadbe00 | g);
        cr_expect_eq(RUN(r, 0x0f, 0x50, (uint8_t)(0xc0 | g << 3)), NO_FAULT); /* movmskps g, xmm0 */
        cr_expect_eq(v->gpr[g], 1);
    }
    v->gpr[EAX] = 0xffffffff;
    RUN(r, 0xdb, 0xe3);
    RUN(r, 0xdf, 0xe0); /* fnstsw ax */
    cr_expect_eq(v->gpr[EAX], 0xffff0000);
    /* fs:[ebx+ecx*4+0x10], [bp+si] with 67h. */
    v->seg[SEG_FS].base = 0x200;
    v->gpr[EBX] = DATA_GPA;
    v->gpr[ECX] = 3;
    image_put32(r->vm.ram, DATA_GPA + 0x21c, 0x40490fdb);
    RUN(r, 0x64, 0xd9, 0x44, 0x8b, 0x10);
    v->gpr[EBP] = 0x7f0000 | DATA_GPA;
    v->gpr[ESI] = 0x40;
    RUN(r, 0x67, 0xd9, 0x1a);
    cr_expect_eq(image_get32(r->vm.ram, DATA_GPA + 0x40), 0x40490fdb);
}

static double use_libc(void)
{
    volatile double x = 1.5;
    char text[64];

    snprintf(text, sizeof text, "%f %Lf", x * 3, (long double)x / 7);
    memset(text, 1, sizeof text);
    return strtod("2.25", NULL) + text[3];
}

Test(fpu_handlers, residence)
{
    struct rig *r = rig_new(1 << 16);
    struct vcpu *v = &r->cpu;
    uint8_t image[FXSAVE_SIZE];
    uint16_t fcw;
    uint32_t mxcsr;

    for (unsigned n = 0; n < 50; n++) {
        random_image(image, true);
        rig_load(r, image);
        fpu_unpark(v);
        fpu_park(v); /* what the CPU keeps of it */
        memcpy(image, v->fpu.area, sizeof image);
        uint64_t parks = v->stats.fpu_parks;
        for (unsigned k = 0; k < 3; k++) {
            fpu_unpark(v);
            fpu_unpark(v);
            fpu_park(v);
            fpu_park(v);
            __asm__ volatile("fnstcw %0\n\tstmxcsr %1" : "=m"(fcw), "=m"(mxcsr));
            cr_expect_eq(fcw, 0x37f);
            cr_expect_eq(mxcsr, 0x1f80);
            cr_expect_eq(use_libc(), 3.25);
        }
        cr_expect_eq(v->stats.fpu_parks, parks + 3);
        cr_expect_lt(image_differs(image, v->fpu.area), 0);
    }
    fpu_unpark(v);
    fpu_reset(v);
    cr_expect_not(v->fpu.live);
    cr_expect_eq(image_get16(v->fpu.area, FX_FCW), 0x40);
}

/* Two CPUs on one thread: loading one saves the other, and parking either frees the host's FPU. */
Test(fpu_handlers, partners)
{
    struct rig *r[2] = {rig_new(1 << 16), rig_new(1 << 16)};
    uint8_t image[2][FXSAVE_SIZE];
    uint16_t fcw;

    r[0]->cpu.fpu_partner = &r[1]->cpu;
    r[1]->cpu.fpu_partner = &r[0]->cpu;
    for (unsigned n = 0; n < 2; n++) {
        random_image(image[n], true);
        rig_load(r[n], image[n]);
        fpu_unpark(&r[n]->cpu);
        fpu_park(&r[n]->cpu); /* what the CPU keeps of it */
        memcpy(image[n], r[n]->cpu.fpu.area, FXSAVE_SIZE);
    }
    for (unsigned k = 0; k < 40; k++) {
        unsigned load = rng() % 2, park = rng() % 2;

        fpu_unpark(&r[load]->cpu);
        cr_expect(r[load]->cpu.fpu.live && !r[1 - load]->cpu.fpu.live);
        if (chance(2))
            continue;
        fpu_park(&r[park]->cpu);
        cr_expect(!r[0]->cpu.fpu.live && !r[1]->cpu.fpu.live);
        __asm__ volatile("fnstcw %0" : "=m"(fcw));
        cr_expect_eq(fcw, 0x37f);
        cr_expect_eq(use_libc(), 3.25);
        for (unsigned n = 0; n < 2; n++)
            cr_expect_lt(image_differs(image[n], r[n]->cpu.fpu.area), 0);
    }
    fpu_park(&r[0]->cpu);
}

Test(fpu_handlers, general_register_mem_functions)
{
    uint8_t a[700], b[700];

    for (unsigned n = 0; n < 20000; n++) {
        unsigned from = rng() % 350,
                 to = chance(2) ? from + rng() % 20 - (from > 9 ? 9 : 0) : rng() % 350;
        unsigned len = chance(4) ? rng() % 340 : rng() % 40;
        random_bytes(a, sizeof a);
        for (unsigned k = 0; k < sizeof a; k++)
            b[k] = a[k];
        for (unsigned k = 0; k < len; k++)
            b[to + k] = a[from + k];
        memmove(a + to, a + from, len);
        for (unsigned k = 0; k < sizeof a; k++)
            cr_assert_eq(a[k], b[k], "memmove %u %u %u", from, to, len);
        memset(a + from, (int)n, len);
        for (unsigned k = 0; k < sizeof a; k++)
            cr_assert_eq(a[k], k - from < len ? (uint8_t)n : b[k], "memset %u %u", from, len);
        for (unsigned k = 0; k < len; k++)
            b[to + k] = (uint8_t)n;
        int same = memcmp(a + from, b + to, len);
        cr_assert_eq(same, 0);
        if (len) {
            unsigned at = rng() % len;
            a[from + at] = (uint8_t)(n + 1);
            same = memcmp(a + from, b + to, len);
            cr_assert_eq(same > 0, (uint8_t)(n + 1) > (uint8_t)n);
        }
    }
}
