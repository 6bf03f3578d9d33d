/* SPDX-License-Identifier: MIT */
/*
 * encode.c - from a form's text to random encodings of it: registers, addressing forms, prefixes,
 * immediates.
 *
 * Tokens     xx hex byte; +r register in the last byte; +c condition in the last byte; /r /0-/7
 *            ModRM (m, r: only that kind of operand); ib iw; iz by operand size; jb jz branch to
 *            the target; mo an absolute address.
 * Source     SDM vol. 2A, chapter 2.
 */
#include "user.h"

#define TARGET_AHEAD 0x40u

struct parts {
    uint8_t op[12], tail[16];
    unsigned op_len, tail_len;
    uint8_t seg; /* prefix byte or 0 */
};

static void tail8(struct parts *p, uint32_t v)
{
    p->tail[p->tail_len++] = (uint8_t)v;
}

static void tail_put(struct parts *p, uint32_t v, unsigned bytes)
{
    while (bytes--) {
        tail8(p, v);
        v >>= 8;
    }
}

/* Where a memory operand is: mostly in the window, sometimes at the edge of what is mapped. */
uint32_t target_choose(uint32_t flags)
{
    uint32_t r = plain ? 50 : rnd_below(96), low = rnd_below(24);

    if (flags & F_BIG)
        return WIN + (rnd_below(16) ? 16 * rnd_below(4) : rnd_below(64));
    if (r == 0)
        return DATA_END - low;
    if (r == 1)
        return RO_END - low;
    if (r == 2)
        return DATA - low;
    if (r == 3)
        return DATA + rnd_below(16);
    if (flags & F_ALIGN ? r < 90 : r < 48)
        return WIN + 32 + 16 * rnd_below(3);
    return WIN + 32 + rnd_below(48);
}

static void segment_choose(struct enc *e, struct parts *p, bool absolute)
{
    static const uint8_t prefix[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65};

    e->seg_base = 0;
    if (plain && !e->a16)
        return;
    if (e->a16)
        p->seg = 0x65;
    else if (rnd_below(absolute ? 8 : 4) == 0)
        p->seg = prefix[rnd_below(sizeof prefix)];
    if (p->seg == 0x64)
        e->seg_base = FS_BASE;
    if (p->seg == 0x65)
        e->seg_base = DATA;
}

static void pin(struct enc *e, unsigned reg)
{
    e->pin_mask |= 1u << reg;
    e->pin[reg] = value();
}

static void modrm16(struct enc *e, struct parts *p, unsigned field, uint32_t flags)
{
    static const uint8_t bases[8] = {EBX, EBX, EBP, EBP, NO_REG, NO_REG, EBP, EBX};
    static const uint8_t indexes[8] = {ESI, EDI, ESI, EDI, ESI, EDI, NO_REG, NO_REG};
    unsigned mod = rnd_below(3), rm = rnd_below(8);

    tail8(p, mod << 6 | field << 3 | rm);
    if (mod == 0 && rm == 6) {
        e->fixed = true;
        e->target = target_choose(flags);
        tail_put(p, e->target - DATA, 2);
        return;
    }
    e->base = bases[rm];
    e->index = indexes[rm];
    if (e->base == NO_REG) {
        e->base = e->index;
        e->index = NO_REG;
    }
    e->disp = mod == 1 ? (uint32_t)(int32_t)(int8_t)value() : mod == 2 ? value() & 0xffff : 0;
    tail_put(p, e->disp, mod);
}

/* Displacement such that the address is `target` whatever else is in it. */
static void modrm_fixed(struct enc *e, struct parts *p, uint32_t flags)
{
    uint32_t sum = e->seg_base;

    e->fixed = true;
    e->target = target_choose(flags);
    if (e->base != NO_REG) {
        pin(e, e->base);
        sum += e->pin[e->base];
    }
    if (e->index != NO_REG) {
        if (e->index != e->base)
            pin(e, e->index);
        sum += e->pin[e->index] << e->scale;
    }
    tail_put(p, e->target - sum, 4);
}

static void modrm32(struct enc *e, struct parts *p, unsigned field, uint32_t flags, bool absolute)
{
    unsigned mod = absolute ? 0 : rnd_below(3), rm = absolute ? 5 : rnd_below(8);
    unsigned sib = 0;
    bool disp32 = mod == 2;

    e->base = (uint8_t)rm;
    if (rm == 4) {
        sib = rnd_below(256);
        e->base = sib & 7;
        e->index = sib >> 3 & 7;
        e->scale = (uint8_t)(sib >> 6);
        if (e->index == ESP)
            e->index = NO_REG;
    }
    if (mod == 0 && e->base == EBP) {
        e->base = NO_REG;
        disp32 = true;
    }
    bool fixed = e->base == NO_REG || e->base == e->index;
    if (fixed && !disp32) {
        mod = 2;
        disp32 = true;
    }
    tail8(p, mod << 6 | field << 3 | rm);
    if (rm == 4)
        tail8(p, sib);
    if (fixed) {
        modrm_fixed(e, p, flags);
        return;
    }
    e->disp = mod == 1 ? (uint32_t)(int32_t)(int8_t)value() : mod == 2 ? value() : 0;
    tail_put(p, e->disp, disp32 ? 4 : mod);
}

/* text: "/r", "/6m" ... */
static void modrm(const char *text, struct enc *e, struct parts *p, uint32_t flags, bool absolute)
{
    unsigned field = text[1] == 'r' ? rnd_below(8) : (unsigned)(text[1] - '0');
    bool memory = text[2] == 'm' || (text[2] != 'r' && rnd_below(2));

    e->reg = (uint8_t)field;
    if (!memory) {
        e->rm = (uint8_t)rnd_below(8);
        tail8(p, 0xc0 | field << 3 | e->rm);
        return;
    }
    e->has_mem = true;
    e->a16 = !absolute && !(flags & (F_BIG | F_PARTIAL)) && rnd_below(8) == 0;
    segment_choose(e, p, absolute);
    if (e->a16)
        modrm16(e, p, field, flags);
    else
        modrm32(e, p, field, flags, absolute);
}

static unsigned hex(char c)
{
    return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'a' + 10);
}

static void immediate(const char *t, struct enc *e, struct parts *p, uint32_t flags)
{
    if (t[0] == 'm') { /* mo */
        e->has_mem = e->fixed = true;
        e->a16 = rnd_below(8) == 0;
        segment_choose(e, p, false);
        e->target = target_choose(flags);
        tail_put(p, e->target - e->seg_base, e->a16 ? 2 : 4);
    } else if (t[1] == 'b') {
        tail8(p, (flags & F_SHIFT) && rnd_below(4) ? rnd_below(40) : value());
    } else {
        tail_put(p, value(), t[1] == 'w' || e->opsize == 2 ? 2 : 4);
    }
}

/* Prefixes that come before everything else. */
static void prefixes(const struct form *f, struct enc *e, const struct parts *p)
{
    if (e->opsize == 2)
        e->bytes[e->len++] = 0x66;
    e->seg = p->seg;
    if (p->seg)
        e->bytes[e->len++] = p->seg;
    if (e->a16)
        e->bytes[e->len++] = 0x67;
    if ((f->flags & F_REP) && rnd_below(3))
        e->bytes[e->len++] = (uint8_t)(0xf2 + rnd_below(2));
    if ((f->flags & F_LOCK) && rnd_below(8) == 0 && !plain)
        e->bytes[e->len++] = 0xf0;
}

static bool token(const char *s, const struct form *f, struct enc *e, struct parts *p,
                  bool absolute)
{
    if (s[0] == '/')
        modrm(s, e, p, f->flags, absolute);
    else if (s[0] == '+' && s[1] == 'r')
        p->op[p->op_len - 1] |= e->reg = e->rm = (uint8_t)rnd_below(8);
    else if (s[0] == '+')
        p->op[p->op_len - 1] |= rnd_below(16);
    else if (s[0] == 'i' || s[0] == 'm')
        immediate(s, e, p, f->flags);
    else if (s[0] == 'j')
        return true;
    else if (p->tail_len)
        tail8(p, hex(s[0]) << 4 | hex(s[1]));
    else
        p->op[p->op_len++] = (uint8_t)(hex(s[0]) << 4 | hex(s[1]));
    return false;
}

/* One random instruction of the form. absolute: no register in its address. */
void encode(const struct form *f, struct enc *e, bool absolute)
{
    struct parts p = {.op_len = 0};
    const char *jump = NULL;

    *e = (struct enc){
        .base = NO_REG, .index = NO_REG, .rm = NO_REG, .opsize = f->name[0] == '~' ? 2 : 4};
    for (const char *s = f->spec; *s;) {
        if (token(s, f, e, &p, absolute))
            jump = s;
        while (*s && *s != ' ')
            s++;
        while (*s == ' ')
            s++;
    }
    if ((f->flags & F_STR) && !e->a16 && !absolute) {
        if (rnd_below(8) == 0)
            segment_choose(e, &p, true);
        e->a16 = !p.seg && !(f->flags & F_PARTIAL) && rnd_below(24) == 0;
    }
    prefixes(f, e, &p);
    memcpy(e->bytes + e->len, p.op, p.op_len);
    e->len += p.op_len;
    memcpy(e->bytes + e->len, p.tail, p.tail_len);
    e->len += p.tail_len;
    if (jump) {
        unsigned size = jump[1] == 'b' ? 1 : e->opsize;
        uint32_t back = rnd_below(2),
                 rel = (back ? 0u - TARGET_AHEAD : TARGET_AHEAD) - e->len - size;
        for (unsigned i = 0; i < size; i++)
            e->bytes[e->len++] = (uint8_t)(rel >> 8 * i);
    }
}
