/* SPDX-License-Identifier: MIT */
/* cpu_code.c - guest code: noise, instructions of every opcode map with likely operands, the system
 * instructions above all, and mutations of these. */
#include "tests/fuzz/cpu_fuzz.h"

#include "include/ring1/bytes.h"
#include "tests/fuzz/fuzz_random.h"

uint16_t some_selector(void)
{
    static const uint16_t known[] = {SEL_CODE32,   SEL_DATA32,   SEL_CODE32_3, SEL_DATA32_3,
                                     SEL_TSS,      SEL_LDT,      SEL_CODE16,   SEL_DATA16,
                                     SEL_CODE16_3, SEL_DATA16_3, SEL_CONF,     SEL_TSS2,
                                     SEL_TSS16,    SEL_GATE,     SEL_TASK,     0};

    return chance(80) ? PICK(known) : (uint16_t)(rnd(chance(80) ? 0x400 : 0x10000));
}

uint32_t some_code(void)
{
    return CODE_AT + rnd(CODE_LEN);
}

uint32_t some_address(void)
{
    static const uint32_t special[] = {GDT_AT,     IDT_AT,     LDT_AT,     TSS_AT,     PD_AT,
                                       PDPT_AT,    PT_AT,      0xfee00000, 0xfec00000, 0xb8000,
                                       0xf0000,    RAM_BYTES,  0xfffffffe, 0x7ffffffc, 0,
                                       0xe0000000, 0xfffff000, 0xc0000000, 0x400000};

    switch (rnd(8)) {
    case 0:
        return PICK(special) + rnd(64) - 8;
    case 1:
        return rnd32();
    case 2:
        return some_code();
    case 3:
        return DATA_AT + rnd(16) * GUEST_PAGE_SIZE - rnd(16);
    default:
        return DATA_AT + rnd(0x8000);
    }
}

static unsigned put(uint8_t *out, const char *bytes, unsigned len)
{
    memcpy(out, bytes, len);
    return len;
}

static unsigned put32(uint8_t *out, uint32_t val)
{
    put_le32(out, val);
    return 4;
}

static uint8_t random_prefix(void)
{
    static const uint8_t prefixes[] = {0x66, 0x66, 0x67, 0xf2, 0xf3, 0xf0,
                                       0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65};

    return PICK(prefixes);
}

/* ModRM with what it needs; registers are the most likely to be good pointers without a large
 * displacement. */
static unsigned modrm(uint8_t *out, unsigned reg)
{
    unsigned n = 0, mod = rnd(4), rm = rnd(8);

    if (chance(40))
        mod = 0, rm = 5;
    out[n++] = (uint8_t)(mod << 6 | reg << 3 | rm);
    if (mod != 3 && rm == 4)
        out[n++] = (uint8_t)rnd32();
    if (mod == 0 && rm == 5)
        n += put32(out + n, some_address());
    else if (mod == 1)
        out[n++] = (uint8_t)rnd32();
    else if (mod == 2)
        n += put32(out + n, rnd(64));
    return n;
}

/* mov r32, imm32 */
static unsigned set_reg(uint8_t *out, unsigned reg, uint32_t val)
{
    out[0] = (uint8_t)(0xb8 | reg);
    return 1 + put32(out + 1, val);
}

static uint32_t some_port(void)
{
    static const uint16_t ports[] = {0x00,   0x08,  0x20,   0x21,   0x40,  0x42,   0x43,  0x60,
                                     0x61,   0x64,  0x70,   0x71,   0x80,  0x92,   0xa0,  0xa1,
                                     0xc0,   0xe9,  0xf4,   0x3f8,  0x3f9, 0x3fb,  0x4d0, 0x510,
                                     0x511,  0x514, 0xcf8,  0xcf9,  0xcfc, 0xcfe,  0x600, 0xb000,
                                     0xb004, 0xb2,  0xafe0, 0x2000, 0x2f8, 0xffff, 0x505};

    return PICK(ports) + (chance(20) ? rnd(8) : 0);
}

static uint32_t some_msr(void)
{
    static const uint32_t msrs[] = {0x10,  0x1b,  0x174, 0x175, 0x176,      0x1a0, 0x200, 0x201,
                                    0x250, 0x277, 0x2ff, 0x6e0, 0xc0000080, 0x3b,  0x48,  0x79};

    return chance(90) ? PICK(msrs) : rnd32();
}

static unsigned io_insn(uint8_t *o)
{
    static const uint8_t ops[] = {0xec, 0xed, 0xee, 0xef, 0xee, 0xef, 0x6c, 0x6d, 0x6e, 0x6f};
    unsigned n = set_reg(o, EDX, some_port());

    n += set_reg(o + n, EAX,
                 chance(50)   ? rnd(256)
                 : chance(50) ? 0x80000000u | rnd(0x1000)
                              : rnd32());
    if (chance(10))
        o[n++] = 0x66;
    o[n++] = PICK(ops);
    return n;
}

static unsigned string_insn(uint8_t *o)
{
    static const uint8_t ops[] = {0xa4, 0xa5, 0xa6, 0xa7, 0xaa, 0xab, 0xac,
                                  0xad, 0xae, 0xaf, 0x6c, 0x6d, 0x6e, 0x6f};
    unsigned n = set_reg(o, ECX, chance(90) ? rnd(5000) : rnd32());

    n += set_reg(o + n, EDI, some_address());
    if (chance(30))
        o[n++] = chance(50) ? 0xfd : 0xfc;
    o[n++] = chance(80) ? 0xf3 : 0xf2;
    o[n++] = PICK(ops);
    return n;
}

/* Instructions of the system, with operands that often mean something. */
static unsigned system_insn(uint8_t *o)
{
    unsigned n = 0, reg = rnd(8);

    switch (rnd(22)) {
    case 0: /* mov cr */
        n = set_reg(o, reg, chance(50) ? PD_AT : chance(50) ? 0x80000001u | rnd32() : rnd32());
        o[n++] = 0x0f, o[n++] = 0x22, o[n++] = (uint8_t)(0xc0 | rnd(5) << 3 | reg);
        return n;
    case 1:
        o[n++] = 0x0f, o[n++] = 0x20, o[n++] = (uint8_t)(0xc0 | rnd(8) << 3 | reg);
        return n;
    case 2: /* mov dr */
        n = set_reg(o, reg, chance(70) ? some_address() : rnd32());
        o[n++] = 0x0f, o[n++] = chance(70) ? 0x23 : 0x21,
        o[n++] = (uint8_t)(0xc0 | rnd(8) << 3 | reg);
        return n;
    case 3: /* group 7: SGDT SIDT LGDT LIDT SMSW LMSW INVLPG */
        o[n++] = 0x0f, o[n++] = 0x01;
        return n + modrm(o + n, rnd(8));
    case 4: /* group 6: SLDT STR LLDT LTR VERR VERW */
        n = set_reg(o, EAX, some_selector());
        o[n++] = 0x0f, o[n++] = 0x00, o[n++] = (uint8_t)(0xc0 | rnd(8) << 3);
        return n;
    case 5: /* mov sreg */
        n = set_reg(o, EAX, some_selector());
        o[n++] = 0x8e, o[n++] = (uint8_t)(0xc0 | rnd(8) << 3);
        return n;
    case 6: /* far jump and call */
        o[n++] = chance(50) ? 0xea : 0x9a;
        n += put32(o + n, some_code());
        put_le16(o + n, some_selector());
        return n + 2;
    case 7: /* push a frame, then iret or retf */
        if (chance(60)) {
            o[n++] = 0x68, n += put32(o + n, rnd32() & (chance(80) ? 0x7202 : 0xffffffff));
        }
        o[n++] = 0x68, n += put32(o + n, some_selector());
        o[n++] = 0x68, n += put32(o + n, some_code());
        o[n++] = chance(60) ? 0xcf : 0xcb;
        return n;
    case 8:
        o[n++] = 0xcd, o[n++] = (uint8_t)(chance(70) ? rnd(64) : rnd(256));
        return n;
    case 9:
    case 10:
        return io_insn(o);
    case 11: /* rdmsr, wrmsr */
        n = set_reg(o, ECX, some_msr());
        n += set_reg(o + n, EDX, chance(70) ? 0 : rnd32());
        o[n++] = 0x0f, o[n++] = chance(60) ? 0x30 : 0x32;
        return n;
    case 12:
    case 13:
        return string_insn(o);
    case 14: /* fxsave and its group */
        o[n++] = 0x0f, o[n++] = 0xae;
        return n + modrm(o + n, rnd(8));
    case 15: /* popf */
        o[n++] = 0x68, n += put32(o + n, rnd32() & (chance(80) ? 0x47fd7 : 0xffffffff));
        o[n++] = 0x9d;
        return n;
    case 16:
        return put(o, PICK(((const char *const[]){"\xfa", "\xfb", "\xf4", "\x9c", "\xcc", "\xce"})),
                   1);
    case 17:
        return put(o,
                   PICK(((const char *const[]){"\x0f\xa2", "\x0f\x31", "\x0f\x06", "\x0f\x34",
                                               "\x0f\x35", "\x0f\x33", "\x0f\x08", "\x0f\x09",
                                               "\x0f\xaa", "\x0f\x0b", "\x0f\x05"})),
                   2);
    case 18: /* x87 */
        o[n++] = (uint8_t)(0xd8 + rnd(8));
        return n + modrm(o + n, rnd(8));
    case 19: /* pop sreg, lds, les, lss, lfs, lgs */
        if (chance(50))
            return put(o, PICK(((const char *const[]){"\x1f", "\x07", "\x17"})), 1);
        o[n++] = 0x0f, o[n++] = (uint8_t)(0xb2 + rnd(4));
        return n + modrm(o + n, rnd(8));
    case 20: /* indirect far transfers */
        o[n++] = 0xff;
        return n + modrm(o + n, 3 + 2 * rnd(2));
    default: /* lar, lsl, arpl, bound, enter */
        n = set_reg(o, EAX, some_selector());
        if (chance(30)) {
            o[n++] = 0xc8, put_le16(o + n, (uint16_t)rnd(64)), o[n + 2] = (uint8_t)rnd(40);
            return n + 3;
        }
        o[n++] = 0x0f, o[n++] = (uint8_t)(2 + rnd(2)), o[n++] = 0xd8;
        return n;
    }
}

static unsigned any_insn(uint8_t *o)
{
    unsigned n = 0;

    while (chance(25) && n < 4)
        o[n++] = random_prefix();
    if (chance(45)) {
        o[n++] = 0x0f;
        if (chance(20))
            o[n++] = chance(50) ? 0x38 : 0x3a;
    }
    o[n++] = (uint8_t)rnd32();
    n += modrm(o + n, rnd(8));
    for (unsigned k = rnd(3); k; k--)
        o[n++] = (uint8_t)rnd32();
    return n;
}

unsigned code_insn(uint8_t *out)
{
    switch (rnd(10)) {
    case 0:
        return set_reg(out, rnd(8), chance(80) ? some_address() : rnd32());
    case 1: { /* a short or near branch inside the code area */
        bool near = chance(30);
        out[0] = near ? 0xe9 : (uint8_t)(chance(50) ? 0x70 + rnd(16) : 0xe0 + rnd(4));
        if (!near) {
            out[1] = (uint8_t)(rnd(80) - 20);
            return 2;
        }
        return 1 + put32(out + 1, rnd(400) - 200);
    }
    case 2:
    case 3:
    case 4:
    case 5:
        return system_insn(out);
    default:
        return any_insn(out);
    }
}

void code_make(uint8_t *ram)
{
    unsigned at = 0, style = rnd(6);

    if (style == 0) {
        for (unsigned i = 0; i < CODE_LEN; i += 8)
            put_le64(ram + CODE_AT + i, rnd64());
        return;
    }
    while (at + 32 < CODE_LEN)
        at += code_insn(ram + CODE_AT + at);
    if (style < 3) /* mutations */
        for (unsigned n = rnd(CODE_LEN / 20); n; n--)
            ram[CODE_AT + rnd(CODE_LEN)] ^= (uint8_t)(1u << rnd(8));
}
