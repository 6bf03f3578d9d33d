/* SPDX-License-Identifier: MIT */
/*
 * interp_host.c - integer instructions compared with the host's CPU executing the same bytes:
 * registers, memory and all arithmetic flags, undefined ones included, over edge values.
 */
#include "tests/rig/interp_rig.h"

#define FLAGS_SEEN (EFL_ARITH | EFL_DF)

static const uint32_t edge[] = {
    0,          1,          2,          0xf,        0x10,       0x1f,       0x20,       0x7f,
    0x80,       0xff,       0x100,      0x7fff,     0x8000,     0xffff,     0x10000,    0x7fffffff,
    0x80000000, 0x80000001, 0xfffffffe, 0xffffffff, 0x12345678, 0xdeadbeef, 0x00ff00ff, 0x55aa55aa};
static const uint32_t flag_sets[] = {0, EFL_CF, EFL_ARITH, EFL_ARITH & ~EFL_CF, EFL_AF | EFL_PF};

/* How the registers are set up. */
#define SET_PLAIN      0u
#define SET_BIT_OFFSET 1u /* ecx: bit offset of a few words either way */
#define SET_STRING     2u /* ecx: count up to 15; esi, edi: overlapping data; also with DF */
#define SET_TABLE      4u /* ebx: a table in memory */
#define SET_SHIFT      8u /* ecx: every small count */

struct tally {
    struct rig *rig;
    unsigned runs, bad;
};

static void fill_data(uint8_t *p, uint32_t a, uint32_t b)
{
    unsigned n;

    for (n = 0; n < 0x200; n += 4) {
        uint32_t x = n & 4 ? a : b;
        if (n & 0x40)
            x ^= n * 0x01010101u;
        memcpy(p + n, &x, 4);
    }
}

static void report(struct tally *t, const uint8_t *b, unsigned len, const struct native_regs *in,
                   const struct native_regs *h)
{
    const struct vcpu *v = &t->rig->cpu;
    char text[64] = "";
    unsigned n;

    for (n = 0; n < len; n++)
        snprintf(text + 3 * n, sizeof text - 3 * n, "%02x ", b[n]);
    cr_expect(false,
              "%s: eax %08x ecx %08x edx %08x ebx %08x flags %03x: host eax %08x ecx %08x edx %08x "
              "flags %03x, "
              "guest eax %08x ecx %08x edx %08x flags %03x",
              text, (uint32_t)in->gpr[EAX], (uint32_t)in->gpr[ECX], (uint32_t)in->gpr[EDX],
              (uint32_t)in->gpr[EBX], (uint32_t)in->flags, (uint32_t)h->gpr[EAX],
              (uint32_t)h->gpr[ECX], (uint32_t)h->gpr[EDX], (uint32_t)h->flags & FLAGS_SEEN,
              v->gpr[EAX], v->gpr[ECX], v->gpr[EDX], v->eflags & FLAGS_SEEN);
}

static void one_case(struct tally *t, const uint8_t *bytes, unsigned len,
                     const struct native_regs *in)
{
    struct vcpu *v = &t->rig->cpu;
    uint8_t *host_data = (uint8_t *)(uintptr_t)RIG_DATA, *data = t->rig->vm.ram + RIG_DATA;
    struct native_regs h = *in;
    unsigned n, vector;
    bool same;
    int sig;

    fill_data(host_data + 0xf00, (uint32_t)in->gpr[EAX], (uint32_t)in->gpr[EBX]);
    fill_data(data + 0xf00, (uint32_t)in->gpr[EAX], (uint32_t)in->gpr[EBX]);
    sig = host_run(&h);
    for (n = 0; n < 8; n++)
        if (n != ESP)
            v->gpr[n] = (uint32_t)in->gpr[n];
    v->eflags = (uint32_t)in->flags | EFL_FIXED1;
    v->eip = RIG_EIP;
    v->attention = 0;
    vector = rig_again(t->rig);
    t->runs++;
    if (sig) {
        same = vector == VEC_DE;
    } else {
        same = vector == RIG_NO_FAULT && ((v->eflags ^ h.flags) & FLAGS_SEEN) == 0 &&
               !memcmp(data + 0xf00, host_data + 0xf00, 0x200) && v->eip == RIG_EIP + len;
        for (n = 0; n < 8; n++)
            same = same && (n == ESP || v->gpr[n] == h.gpr[n]);
    }
    if (!same && t->bad++ < 20)
        report(t, bytes, len, in, &h);
}

/* Runs one encoding over the edge values; without a common meaning (the decoder refuses it) it is
 * skipped. */
static void check(struct tally *t, unsigned setup, const uint8_t *bytes, unsigned len)
{
    unsigned a, b, f;

    if (!rig_decode(t->rig, bytes, len) || t->rig->insn.len != len) {
        cr_expect(false, "%02x... does not decode as %u bytes", bytes[0], len);
        return;
    }
    host_compile(bytes, len);
    for (a = 0; a < ARRAY_LEN(edge); a++)
        for (b = 0; b < ARRAY_LEN(edge); b++) {
            struct native_regs in = {.gpr = {edge[a], edge[b], edge[(a + b) % ARRAY_LEN(edge)],
                                             edge[b], 0, 8, RIG_DATA + 0x1000, RIG_DATA + 0x1010}};
            if (setup & SET_BIT_OFFSET)
                in.gpr[ECX] = (uint32_t)(int32_t)((int16_t)edge[b] % 900);
            if (setup & SET_SHIFT)
                in.gpr[ECX] = (edge[b] & 0xffffff00u) | b * 2;
            if (setup & SET_TABLE)
                in.gpr[EBX] = RIG_DATA + 0xf80;
            if (setup & SET_STRING) {
                in.gpr[ECX] = b & 15;
                in.gpr[EDI] = RIG_DATA + 0x1000 + (uint32_t)(int32_t)((int)a - 12);
            }
            for (f = 0; f < ARRAY_LEN(flag_sets); f++) {
                in.flags = flag_sets[f] | 0x202;
                if ((setup & SET_STRING) && (f & 1))
                    in.flags |= EFL_DF;
                one_case(t, bytes, len, &in);
            }
        }
}
#define CHECK(t, setup, ...)                                                                       \
    check((t), (setup), (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/* ModRM: two registers, high byte registers, [esi]. With reg field `r`. */
static const uint8_t rm_forms[] = {0xc3, 0xc4, 0xc7, 0x06};

/* The opcode, without and with the operand-size prefix, over the rm forms; `tail` immediate bytes
 * at most. */
static void check_group(struct tally *t, unsigned setup, const uint8_t *opcode, unsigned oplen,
                        unsigned reg, int imm_len)
{
    static const uint8_t imm[] = {0x85, 0x7f, 0x03, 0x80};
    uint8_t b[16];
    unsigned f, p, n, wide = (opcode[oplen - 1] & 1) || (oplen == 2 && opcode[1] < 0x50);

    for (f = 0; f < ARRAY_LEN(rm_forms); f++) {
        for (p = 0; p < 2; p++) {
            n = 0;
            if (wide && rm_forms[f] == 0xc4)
                continue; /* would be esp */
            if (p)
                b[n++] = 0x66;
            memcpy(b + n, opcode, oplen);
            n += oplen;
            b[n++] = (uint8_t)(rm_forms[f] | reg << 3);
            int il = imm_len == -1 ? (wide ? (p ? 2 : 4) : 1) : imm_len;
            memcpy(b + n, imm, (size_t)il);
            check(t, setup, b, n + (unsigned)il);
        }
    }
}
#define GROUP(t, setup, reg, imm, ...)                                                             \
    check_group((t), (setup), (const uint8_t[]){__VA_ARGS__},                                      \
                sizeof((const uint8_t[]){__VA_ARGS__}), reg, imm)

static void finish(struct tally *t, unsigned at_least)
{
    cr_expect(t->bad == 0, "%u of %u cases differ from the host", t->bad, t->runs);
    cr_expect(t->runs >= at_least, "only %u cases ran", t->runs);
}

Test(interp_host, arithmetic)
{
    struct tally t = {.rig = rig_new()};

    host_open();
    for (uint8_t op = 0; op < 8; op++) {
        for (uint8_t k = 0; k < 4; k++)
            GROUP(&t, SET_PLAIN, 1, 0, (uint8_t)(op * 8 + k));
        CHECK(&t, SET_PLAIN, (uint8_t)(op * 8 + 4), 0x7f);
        CHECK(&t, SET_PLAIN, (uint8_t)(op * 8 + 5), 0x80, 0xff, 0xff, 0x7f);
        CHECK(&t, SET_PLAIN, 0x66, (uint8_t)(op * 8 + 5), 0x80, 0xff);
        GROUP(&t, SET_PLAIN, op, 1, 0x80);
        GROUP(&t, SET_PLAIN, op, -1, 0x81);
        GROUP(&t, SET_PLAIN, op, 1, 0x83);
    }
    for (uint8_t op = 2; op < 8; op++) { /* NOT ... IDIV */
        GROUP(&t, SET_PLAIN, op, 0, 0xf6);
        GROUP(&t, SET_PLAIN, op, 0, 0xf7);
    }
    for (uint8_t op = 0; op < 2; op++) {
        GROUP(&t, SET_PLAIN, op, 0, 0xfe);
        GROUP(&t, SET_PLAIN, op, 0, 0xff);
    }
    GROUP(&t, SET_PLAIN, 0, -1, 0xf6);
    GROUP(&t, SET_PLAIN, 0, -1, 0xf7);
    GROUP(&t, SET_PLAIN, 1, 0, 0x84);
    GROUP(&t, SET_PLAIN, 1, 0, 0x85);
    CHECK(&t, SET_PLAIN, 0xa8, 0x81);
    CHECK(&t, SET_PLAIN, 0xa9, 1, 0, 0, 0x80);
    GROUP(&t, SET_PLAIN, 0, 0, 0x0f, 0xaf);
    GROUP(&t, SET_PLAIN, 0, -1, 0x69);
    GROUP(&t, SET_PLAIN, 0, 1, 0x6b);
    finish(&t, 1000000);
}

Test(interp_host, shifts_and_bits)
{
    struct tally t = {.rig = rig_new()};

    host_open();
    for (uint8_t op = 0; op < 8; op++) {
        for (uint8_t k = 0; k < 2; k++) {
            GROUP(&t, SET_PLAIN, op, 1, (uint8_t)(0xc0 + k));
            GROUP(&t, SET_PLAIN, op, 0, (uint8_t)(0xd0 + k));
            GROUP(&t, SET_SHIFT, op, 0, (uint8_t)(0xd2 + k));
        }
        CHECK(&t, SET_PLAIN, 0xc1, (uint8_t)(0xc0 | op << 3), 0x00);
        CHECK(&t, SET_PLAIN, 0xc1, (uint8_t)(0xc0 | op << 3), 0x1f);
        CHECK(&t, SET_PLAIN, 0x66, 0xc1, (uint8_t)(0xc0 | op << 3), 0x11);
        CHECK(&t, SET_PLAIN, 0xc0, (uint8_t)(0xc0 | op << 3), 0x09);
        CHECK(&t, SET_PLAIN, 0xc0, (uint8_t)(0xc0 | op << 3), 0x01);
        CHECK(&t, SET_PLAIN, 0xc1, (uint8_t)(0xc0 | op << 3), 0x01);
        CHECK(&t, SET_PLAIN, 0xc1, 0x06 | op << 3, 0x21);
    }
    for (uint8_t op = 0xa4; op <= 0xac; op += 8)
        for (uint8_t form = 0; form < 2; form++) {
            uint8_t modrm = form ? 0x16 : 0xd0; /* edx into [esi], into eax */
            CHECK(&t, SET_PLAIN, 0x0f, op, modrm, 0x05);
            CHECK(&t, SET_SHIFT, 0x0f, (uint8_t)(op + 1), modrm);
            CHECK(&t, SET_PLAIN, 0x66, 0x0f, op, modrm, 0x05);
            CHECK(&t, SET_PLAIN, 0x66, 0x0f, op, modrm, 0x13);
            CHECK(&t, SET_SHIFT, 0x66, 0x0f, (uint8_t)(op + 1), modrm);
        }
    for (uint8_t op = 0xa3; op <= 0xbb; op += 8)
        for (uint8_t form = 0; form < 2; form++) {
            uint8_t modrm = form ? 0x0e : 0xc8; /* bit ecx of [esi], of eax */
            CHECK(&t, SET_BIT_OFFSET, 0x0f, op, modrm);
            CHECK(&t, SET_BIT_OFFSET, 0x66, 0x0f, op, modrm);
            CHECK(&t, SET_PLAIN, 0x0f, 0xba, (uint8_t)((form ? 0x06 : 0xc0) | (op & 0x38)), 0x25);
            CHECK(&t, SET_PLAIN, 0x66, 0x0f, 0xba, (uint8_t)((form ? 0x06 : 0xc0) | (op & 0x38)),
                  0x35);
        }
    for (uint8_t op = 0xbc; op <= 0xbd; op++) {
        CHECK(&t, SET_PLAIN, 0x0f, op, 0xc3);
        CHECK(&t, SET_PLAIN, 0x66, 0x0f, op, 0xc3);
        CHECK(&t, SET_PLAIN, 0x0f, op, 0x06);
    }
    finish(&t, 300000);
}

Test(interp_host, data)
{
    struct tally t = {.rig = rig_new()};

    host_open();
    for (uint8_t op = 0x88; op < 0x8c; op++)
        GROUP(&t, SET_PLAIN, 1, 0, op);
    GROUP(&t, SET_PLAIN, 0, -1, 0xc6);
    GROUP(&t, SET_PLAIN, 0, -1, 0xc7);
    GROUP(&t, SET_PLAIN, 2, 0, 0x86);
    GROUP(&t, SET_PLAIN, 2, 0, 0x87);
    for (uint8_t op = 0x40; op < 0x50; op++) {
        GROUP(&t, SET_PLAIN, 1, 0, 0x0f, op);
        CHECK(&t, SET_PLAIN, 0x0f, (uint8_t)(op + 0x50), 0xc1); /* setcc cl */
        CHECK(&t, SET_PLAIN, 0x0f, (uint8_t)(op + 0x50), 0x06); /* setcc [esi] */
    }
    for (uint8_t op = 0xb6; op < 0xc0; op += op == 0xb7 ? 7 : 1) {
        CHECK(&t, SET_PLAIN, 0x0f, op, 0xc3);
        CHECK(&t, SET_PLAIN, 0x0f, op, 0x06);
        CHECK(&t, SET_PLAIN, 0x66, 0x0f, op, 0xd7);
        CHECK(&t, SET_PLAIN, 0x66, 0x0f, op, 0x06);
    }
    GROUP(&t, SET_PLAIN, 2, 0, 0x0f, 0xb0); /* CMPXCHG, XADD */
    GROUP(&t, SET_PLAIN, 2, 0, 0x0f, 0xb1);
    GROUP(&t, SET_PLAIN, 2, 0, 0x0f, 0xc0);
    GROUP(&t, SET_PLAIN, 2, 0, 0x0f, 0xc1);
    CHECK(&t, SET_PLAIN, 0x0f, 0xc1, 0xc0); /* xadd eax, eax */
    CHECK(&t, SET_PLAIN, 0x0f, 0xc7, 0x0e); /* cmpxchg8b [esi] */
    CHECK(&t, SET_PLAIN, 0xf0, 0x0f, 0xc7, 0x0e);
    CHECK(&t, SET_PLAIN, 0x0f, 0xc9);
    CHECK(&t, SET_PLAIN, 0x66, 0x0f, 0xc9);
    for (uint8_t op = 0x98; op < 0x9a; op++) {
        CHECK(&t, SET_PLAIN, op);
        CHECK(&t, SET_PLAIN, 0x66, op);
    }
    static const uint8_t plain[] = {0x9e, 0x9f, 0xf5, 0xf8, 0xf9, 0xfc, 0xfd, 0x90};
    for (unsigned n = 0; n < sizeof plain; n++)
        CHECK(&t, SET_PLAIN, plain[n]);
    CHECK(&t, SET_TABLE, 0xd7);
    CHECK(&t, SET_PLAIN, 0x8d, 0x44, 0x8b,
          0x85); /* lea eax, [ebx+ecx*4-0x7b]: 64-bit sum, 32 bits kept */
    CHECK(&t, SET_PLAIN, 0x66, 0x8d, 0x44, 0xcb, 0x7f); /* lea ax, [ebx+ecx*8+0x7f] */
    if (__builtin_cpu_supports("popcnt")) {
        CHECK(&t, SET_PLAIN, 0xf3, 0x0f, 0xb8, 0xc3);
        CHECK(&t, SET_PLAIN, 0x66, 0xf3, 0x0f, 0xb8, 0x06);
    }
    if (__builtin_cpu_supports("sse4.2")) {
        CHECK(&t, SET_PLAIN, 0xf2, 0x0f, 0x38, 0xf0, 0xc3);
        CHECK(&t, SET_PLAIN, 0xf2, 0x0f, 0x38, 0xf1, 0xc3);
        CHECK(&t, SET_PLAIN, 0x66, 0xf2, 0x0f, 0x38, 0xf1, 0x06);
    }
    finish(&t, 300000);
}

Test(interp_host, strings)
{
    struct tally t = {.rig = rig_new()};

    host_open();
    for (uint8_t op = 0xa4; op < 0xb0; op++) {
        if (op == 0xa8 || op == 0xa9)
            continue;
        CHECK(&t, SET_STRING, op);
        CHECK(&t, SET_STRING, 0xf3, op);
        CHECK(&t, SET_STRING, 0xf2, op);
        if (op & 1) {
            CHECK(&t, SET_STRING, 0x66, op);
            CHECK(&t, SET_STRING, 0x66, 0xf3, op);
            CHECK(&t, SET_STRING, 0x66, 0xf2, op);
        }
    }
    finish(&t, 100000);
}
