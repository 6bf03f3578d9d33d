/* SPDX-License-Identifier: MIT */
/* uses: host/linux/fpu_call.c host/linux/fpu_call.S host/linux/code_arena.c host/linux/mem.S */
/*
 * fpu_oracle.c - every x87, MMX and SSE encoding that the decoder takes, in all operand forms,
 * compared with the same bytes executed natively: registers, flags, memory, exception vector.
 */
#include "tests/rig/fpu_fixture.h"

#define MEM_BYTES 32u

struct totals {
    unsigned runs, bad, faults[32];
    bool op_seen[OP_COUNT];
};

static const uint8_t gprs[] = {EAX, ECX, EDX, EDI};

static void report(struct totals *t, const struct rig *r, const uint8_t *bytes, unsigned len,
                   const char *what, unsigned got, unsigned want)
{
    char hex[64] = "";

    for (unsigned n = 0; n < len; n++)
        snprintf(hex + 3 * n, sizeof hex - 3 * n, "%02x ", bytes[n]);
    if (t->bad++ < 20)
        cr_expect(false, "%s(%s): %s is 0x%x, not 0x%x", insn_op_name(r->insn.op), hex, what, got,
                  want);
}

/* One comparison. misalign: offset of the memory operand from a 16-byte boundary. */
static void compare(struct totals *t, struct rig *r, struct oracle *o, const uint8_t *bytes,
                    unsigned len, bool wild, unsigned misalign)
{
    struct vcpu *v = &r->cpu;
    _Alignas(16) uint8_t image[FXSAVE_SIZE], mem[2 * MEM_BYTES];
    uint8_t *ram = r->vm.ram + DATA_GPA - 16;
    uint32_t eip, flags = rng() & EFL_ARITH;

    random_image(image, wild);
    for (unsigned n = 0; n < sizeof mem; n += 16)
        chance(2) ? random_vector(mem + n) : random_st(mem + n);
    memcpy(ram, mem, sizeof mem);
    rig_load(r, image);
    memcpy(o->image, image, FXSAVE_SIZE);
    for (unsigned n = 0; n < ARRAY_LEN(gprs); n++)
        v->gpr[gprs[n]] = o->gpr[gprs[n]] = rng() >> (rng() & 31);
    v->gpr[ESI] = DATA_GPA + misalign;
    o->esi = mem + 16 + misalign;
    v->eflags = EFL_FIXED1 | flags;
    o->flags = 0x202 | flags;

    if (chance(3))
        mmu_flush_all(v); /* operands through the bounce buffer */
    r->insn.stub = chance(2) ? NULL : r->insn.stub;
    unsigned got = rig_exec(r), want = oracle_run(o, bytes, len);
    eip = v->next_eip;
    t->runs++;
    if (want < 32)
        t->faults[want]++;
    if (got != want)
        report(t, r, bytes, len, "vector", got, want);
    if (got == NO_FAULT && eip != CODE_EIP + r->insn.len)
        report(t, r, bytes, len, "next eip", eip, CODE_EIP + r->insn.len);
    int off = image_differs(v->fpu.area, o->image);
    if (off >= 0)
        report(t, r, bytes, len, "FXSAVE byte differs at (offset)", (unsigned)off, 0);
    if (memcmp(ram, mem, sizeof mem))
        report(t, r, bytes, len, "memory", 0, 0);
    if (want == NO_FAULT && (v->eflags & EFL_ARITH) != (o->flags & EFL_ARITH))
        report(t, r, bytes, len, "flags", v->eflags & EFL_ARITH, (uint32_t)o->flags & EFL_ARITH);
    for (unsigned n = 0; want == NO_FAULT && n < ARRAY_LEN(gprs); n++)
        if (v->gpr[gprs[n]] != o->gpr[gprs[n]])
            report(t, r, bytes, len, "a register", v->gpr[gprs[n]], o->gpr[gprs[n]]);
}

static bool is_stubbed(unsigned op)
{
    insn_fn *fn = rig_handler(op);

    return fn == i_x87 || fn == i_mmx || fn == i_sse;
}

static void try_bytes(struct totals *t, struct rig *r, struct oracle *o, const uint8_t *bytes,
                      unsigned len)
{
    if (!rig_decode(r, bytes, len, true) || !is_stubbed(r->insn.op) || r->insn.len > len)
        return;
    len = r->insn.len;
    t->op_seen[r->insn.op] = true;
    for (unsigned n = 0; n < 6; n++)
        compare(t, r, o, bytes, len, n & 1, 0);
    if (r->insn.off_modrm && r->insn.modrm >> 6 != 3)
        compare(t, r, o, bytes, len, false, 8);
}

static void all_opcodes(struct totals *t, struct rig *r, struct oracle *o, unsigned map,
                        unsigned prefix)
{
    static const uint8_t imm[] = {0x00, 0x1b, 0x4e, 0xff};
    static const uint8_t rms[] = {0, 1, 2, 7}; /* those with a general register of the oracle's */
    uint8_t b[8];

    for (unsigned opcode = 0; opcode < 256; opcode++)
        for (unsigned form = 0; form < 8 + 64; form++) {
            unsigned n = 0;
            uint8_t modrm = (uint8_t)(form < 8 ? form << 3 | 6 : 0xc0 | (form - 8));
            bool x87 = map == 0 && (opcode & 0xf8) == 0xd8;
            if ((map == 0 && !x87) || (map == 1 && (opcode == 0x38 || opcode == 0x3a)))
                continue;
            bool group = map == 1 && opcode >= 0x71 && opcode <= 0x73;
            if (!x87 && form >= 8 && !memchr(rms, modrm & 7, 4))
                continue;
            if (!x87 && !group && !memchr(rms, modrm >> 3 & 7, 4))
                continue;
            if (prefix)
                b[n++] = (uint8_t)prefix;
            if (map)
                b[n++] = 0x0f;
            if (map >= 2)
                b[n++] = map == 2 ? 0x38 : 0x3a;
            b[n++] = (uint8_t)opcode;
            b[n++] = modrm;
            b[n] = imm[form % ARRAY_LEN(imm)];
            try_bytes(t, r, o, b, n + 1);
        }
}

Test(fpu_oracle, every_encoding, .timeout = 120)
{
    static const uint8_t prefixes[] = {0, 0x66, 0xf3, 0xf2};
    struct rig *r = rig_new(1 << 20);
    struct oracle o;
    struct totals t = {0};

    oracle_init(&o);
    for (unsigned map = 0; map < 4; map++)
        for (unsigned p = 0; p < (map ? ARRAY_LEN(prefixes) : 1); p++)
            all_opcodes(&t, r, &o, map, prefixes[p]);
    cr_expect_eq(t.bad, 0, "%u of %u comparisons failed", t.bad, t.runs);
    cr_expect_gt(t.runs, 20000);
    cr_expect_gt(t.faults[VEC_MF], 100);
    cr_expect_gt(t.faults[VEC_XM], 100);
    cr_expect_gt(t.faults[VEC_GP], 100);
    for (unsigned op = 1; op < OP_COUNT; op++)
        cr_expect(!is_stubbed(op) || t.op_seen[op], "%s was never run", insn_op_name(op));
}

/* An arena that holds only a few stubs: everything still works when it overflows again and
 * again. */
Test(fpu_oracle, tiny_arena, .timeout = 120)
{
    struct rig *r = rig_new(8192);
    struct oracle o;
    struct totals t = {0};

    oracle_init(&o);
    all_opcodes(&t, r, &o, 0, 0);
    all_opcodes(&t, r, &o, 1, 0x66);
    cr_expect_eq(t.bad, 0, "%u of %u comparisons failed", t.bad, t.runs);
}
