/* SPDX-License-Identifier: MIT */
/*
 * bt_sensitive.c - what bt/translate/string.c, bt/translate/system.c and bt/translate/segment.c
 * emit: random runs of those instructions, translated against interpreted, through the software
 * TLB and through windows, at CPL 0 and 3.
 *
 * Addresses lie at page borders, past the end of RAM and below 4 GiB; counts are 0, small, and too
 * large for the emitted code. Registers, flags, EIP, the end's reason and all of RAM must agree.
 */
#include "tests/rig/bt_rig.h"

#include <criterion/criterion.h>

#include "tests/rig/xorshift.h"

#define RAM     (1u << 20)
#define CODE    0x1000u
#define STACK   0x9000u
#define RUNS    1500u
#define FS_BASE 0x12345u
#define GDT     0x4004u
#define LDT     0x5004u

static uint32_t seed;

static uint32_t rnd(uint32_t below)
{
    return xorshift(&seed) % below;
}

/* ---- programs ---- */

struct program {
    uint8_t bytes[1024];
    unsigned len;
};

static void put(struct program *p, unsigned count, const uint8_t *bytes)
{
    memcpy(p->bytes + p->len, bytes, count);
    p->len += count;
}
#define PUT(p, ...) put(p, sizeof((const uint8_t[]){__VA_ARGS__}), (const uint8_t[]){__VA_ARGS__})

static void put32(struct program *p, uint8_t opcode, uint32_t val)
{
    PUT(p, opcode, (uint8_t)val, (uint8_t)(val >> 8), (uint8_t)(val >> 16), (uint8_t)(val >> 24));
}

static uint32_t random_address(void)
{
    switch (rnd(8)) {
    case 0:
        return 0u - rnd(32); /* wraps around */
    case 1:
        return RAM - rnd(16); /* leaves RAM */
    case 2:
    case 3:
    case 4:
        return 0x10000 + (rnd(48) << GUEST_PAGE_SHIFT) - rnd(24);
    default:
        return 0x10000 + rnd(0x40000);
    }
}

static void put_string(struct program *p)
{
    static const uint8_t ops[] = {0xa4, 0xa5, 0xa6, 0xa7, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf};
    static const uint8_t segs[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65};
    bool rep = rnd(3), big = !rnd(12);

    if (rnd(3))
        put32(p, 0xbe, random_address());
    if (rnd(3))
        put32(p, 0xbf, random_address());
    if (rep && big) { /* stays within RAM, above code and stack, in both directions */
        put32(p, 0xbe, 0x60000 + rnd(0x4000));
        put32(p, 0xbf, 0x60000 + rnd(0x4000));
        put32(p, 0xb9, rnd(2) ? 65530 + rnd(12) : 4000 + rnd(9000));
    } else if (rep) {
        put32(p, 0xb9, rnd(4) ? rnd(40) : rnd(1200));
    }
    if (!rnd(4))
        PUT(p, segs[rnd(sizeof segs)]);
    if (!rnd(3))
        PUT(p, 0x66);
    if (!rnd(16) && !rep)
        PUT(p, 0x67);
    if (rep)
        PUT(p, (uint8_t)(0xf2 + rnd(2)));
    PUT(p, ops[rnd(sizeof ops)]);
}

static void put_flags(struct program *p, unsigned cpl)
{
    switch (rnd(7)) {
    case 0: /* anything but TF; mostly what stays in the cache */
        put32(p, 0x68, (rnd(4) ? 0xcd7 | EFL_IF : seed) & ~EFL_TF & (rnd(4) ? ~0u : rnd(~0u)));
        PUT(p, 0x9d);
        break;
    case 1:
        PUT(p, 0x9c, 0x58); /* pushf, pop eax */
        break;
    case 2:
        PUT(p, 0x9c, 0x81, 0x34, 0x24, (uint8_t)rnd(256), (uint8_t)(rnd(16) & ~1u), 0, 0, 0x9d);
        break;
    case 3:
        PUT(p, 0x66, 0x9c, 0x66, 0x9d);
        break;
    case 4:
        PUT(p, (uint8_t)(0xfc + rnd(2))); /* cld, std */
        break;
    case 5:
        if (cpl == 0)
            PUT(p, (uint8_t)(0xfa + rnd(2))); /* cli, sti */
        break;
    default:
        put32(p, 0x05, rnd(~0u)); /* add eax, ... */
    }
}

/* A register that may be ESP only with a new value right behind. */
static void put_register_form(struct program *p, uint8_t map, uint8_t opcode, unsigned digit)
{
    unsigned reg = rnd(8);

    if (!rnd(4))
        PUT(p, 0x66);
    if (map)
        PUT(p, map);
    PUT(p, opcode, (uint8_t)(0xc0 | digit << 3 | reg));
    if (reg == ESP)
        put32(p, 0xbc, STACK);
}

/* LAR, LSL, VERR, VERW of a descriptor of the GDT or LDT, of what lies behind it, of anything. */
static void put_inspect(struct program *p)
{
    static const uint8_t opcode[4] = {0x02, 0x03, 0x00, 0x00};
    unsigned kind = rnd(4), from = rnd(8), digit = kind < 2 ? rnd(8) : kind + 2;
    uint32_t sel = rnd(8) ? rnd(0x240) : rnd(~0u);
    bool memory = !rnd(3);

    if (memory) {
        put32(p, 0xbf, random_address());
        PUT(p, 0x66, 0xc7, 0x07, (uint8_t)sel, (uint8_t)(sel >> 8)); /* mov word [edi], sel */
        from = 7;
    } else {
        put32(p, (uint8_t)(0xb8 | from), sel);
    }
    if (!rnd(4))
        PUT(p, 0x66);
    PUT(p, 0x0f, opcode[kind], (uint8_t)((memory ? 0 : 0xc0) | digit << 3 | from));
    if ((kind < 2 && digit == ESP) || (!memory && from == ESP))
        put32(p, 0xbc, STACK);
}

/* Several: the first of a table is declined, since the page is not in the TLB yet. */
static void put_inspects(struct program *p)
{
    for (unsigned n = 4 + rnd(8); n--;)
        put_inspect(p);
}

static void put_system(struct program *p, unsigned cpl)
{
    static const uint8_t word_digit[3][2] = {{1, 4}, {0, 0}, {0, 1}}; /* SMSW, SLDT, STR */
    const uint8_t *w = word_digit[rnd(3)];
    unsigned sreg = rnd(6);

    switch (rnd(9)) {
    case 0:
        put_register_form(p, 0, 0x8c, sreg);
        break;
    case 1:
        put32(p, 0xbf, random_address());
        PUT(p, 0x8c, (uint8_t)(sreg << 3 | 7)); /* mov [edi], sreg */
        break;
    case 2:
        if (sreg < 4)
            PUT(p, (uint8_t)(0x06 | sreg << 3));
        else
            PUT(p, 0x0f, sreg == 4 ? 0xa0 : 0xa8);
        break;
    case 3:
        put_register_form(p, 0x0f, w[0], w[1]);
        break;
    case 4:
        put32(p, 0xbf, random_address());
        if (rnd(2))
            PUT(p, 0x0f, w[0], (uint8_t)(w[1] << 3 | 7));
        else
            PUT(p, 0x0f, 0x01, (uint8_t)(rnd(2) << 3 | 7)); /* sgdt, sidt */
        break;
    case 5:
    case 6:
        put_inspects(p);
        break;
    case 7:
        if (cpl == 0 || !rnd(4))
            put_register_form(p, 0x0f, 0x21, rnd(8)); /* mov reg, dr */
        break;
    default:
        if (cpl == 0)
            PUT(p, 0x0f, 0x20, (uint8_t)(0xc0 | (rnd(2) ? 0 : 2 + rnd(3)) << 3 | rnd(4)));
    }
}

static void make_program(struct program *p, unsigned cpl)
{
    unsigned count = 1 + rnd(16);

    p->len = 0;
    while (count--) {
        unsigned kind = rnd(8);
        if (kind < 4)
            put_string(p);
        else if (kind < 6)
            put_flags(p, cpl);
        else if (kind < 7)
            put_system(p, cpl);
        else
            PUT(p, (uint8_t)(0x50 | rnd(4))); /* push */
    }
    PUT(p, 0xf4);
}

/* ---- running and comparing ---- */

static void prepare(struct bt_rig *r, const struct program *p, unsigned cpl, const uint8_t *image,
                    uint32_t from)
{
    struct vcpu *v = r->cpu;

    seed = from;
    memcpy(r->vm.ram, image, RAM);
    memcpy(r->vm.ram + CODE, p->bytes, p->len);
    bt_rig_wrote(r, 0, RAM);
    bt_rig_flat(r, cpl);
    bt_rig_seg(v, SEG_FS, 0x33, FS_BASE, ~0u, cpl ? 0xc0f3 : 0xc093);
    bt_rig_seg(v, SEG_GS, 0x3b, 0, 0x7ffff, cpl ? 0x40f3 : 0x4093); /* a limit */
    for (unsigned n = 0; n < GPR_COUNT; n++)
        v->gpr[n] = rnd(~0u);
    v->gpr[ESP] = STACK - rnd(8);
    v->gpr[ESI] = random_address();
    v->gpr[EDI] = random_address();
    v->gpr[ECX] = rnd(64);
    v->gdtr = (struct table_reg){.base = GDT, .limit = (uint16_t)(0x1f0 + rnd(16))};
    v->idtr = (struct table_reg){.base = 0, .limit = 0}; /* every exception ends the run */
    v->ldtr = (struct seg){.sel = 0x1230, .base = LDT, .limit = 0x1ff, .acc = rnd(4) > 0};
    for (unsigned n = 0; n < 4; n++)
        v->dr[n] = rnd(~0u);
    v->dr[6] = 0xffff0ff0 | (rnd(~0u) & 0xe00f);
    v->dr[7] = 0x400 | (rnd(8) ? rnd(16) << 16 : 1u << 13); /* GD */
    v->cr4 |= rnd(2) ? CR4_DE : 0;
    v->tr.sel = 0x4560;
    v->eip = CODE;
    v->eflags = EFL_FIXED1 | (rnd(~0u) & EFL_ARITH) | (rnd(4) ? 0 : EFL_DF) | (rnd(2) ? EFL_IF : 0);
}

static const char *text_of(const struct program *p)
{
    static char text[3 * sizeof p->bytes];

    for (unsigned n = 0; n < p->len; n++)
        snprintf(text + 3 * n, 4, " %02x", p->bytes[n]);
    return text;
}

static bool same(const struct bt_rig *a, const struct bt_rig *b, const struct program *p,
                 unsigned reason_a, unsigned reason_b)
{
    const struct vcpu *x = a->cpu, *y = b->cpu;
    bool ok = reason_a == reason_b && x->eip == y->eip && x->eflags == y->eflags &&
              !memcmp(x->gpr, y->gpr, sizeof x->gpr) && !memcmp(x->dr, y->dr, sizeof x->dr) &&
              !memcmp(a->vm.ram, b->vm.ram, RAM);

    cr_expect(ok, "%s:\n end %u %u, eip %x %x, eflags %x %x, memory %s", text_of(p), reason_a,
              reason_b, x->eip, y->eip, x->eflags, y->eflags,
              memcmp(a->vm.ram, b->vm.ram, RAM) ? "differs" : "the same");
    for (unsigned n = 0; n < GPR_COUNT; n++)
        cr_expect(x->gpr[n] == y->gpr[n], "gpr %u: %x %x", n, x->gpr[n], y->gpr[n]);
    return ok;
}

static void compare(bool windows)
{
    struct bt_rig *a = bt_rig_zeroed(sizeof *a), *b = bt_rig_zeroed(sizeof *b);
    uint8_t *image = malloc(RAM);
    struct program p;

    bt_rig_signals();
    bt_rig_create(a, RAM, false);
    bt_rig_create(b, RAM, true);
    cr_assert(!windows || b->windows);
    seed = windows ? 0x2468ace : 0x1357bdf;
    for (unsigned n = 0; n < RAM; n++)
        image[n] = (uint8_t)(rnd(8) ? 0x41 : rnd(256)); /* repetitive: REPE goes on for a while */
    for (unsigned n = 0; n < 0x200; n++) {
        image[GDT + n] = (uint8_t)rnd(256);
        image[LDT + n] = (uint8_t)rnd(256);
    }
    for (unsigned run = 0; run < RUNS; run++) {
        unsigned cpl = rnd(3) ? 0 : 3;

        make_program(&p, cpl);
        if (run % 4 == 0) { /* forgets which instructions trapped, too */
            struct bt_options options = {.max_insns = (uint16_t)rnd(4), .soft_only = !windows};
            bt_rig_options(b, &options);
        }
        uint32_t from = seed;
        prepare(a, &p, cpl, image, from);
        prepare(b, &p, cpl, image, from);
        unsigned reason_a = bt_rig_run(a), reason_b = bt_rig_run(b);
        if (!same(a, b, &p, reason_a, reason_b))
            break;
    }
    cr_expect(b->cpu->stats.bt_insns > RUNS);
    cr_expect(windows == (b->cpu->stats.hidden_faults > 0));
}

Test(bt_sensitive, software_tlb)
{
    compare(false);
}

Test(bt_sensitive, windows)
{
    compare(true);
}
