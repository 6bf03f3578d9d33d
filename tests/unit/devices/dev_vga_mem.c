/* SPDX-License-Identifier: MIT */
/*
 * dev_vga_mem.c - the CPU's way to the card's memory: windows, planes, chaining, latches, write
 * and read modes, all against a model that goes bit by bit.
 * uses: devices/vga_mem.c
 */
#include "tests/rig/vga_fixture.h"
#include "tests/rig/xorshift.h"

#define SEQ 0x3c4
#define GC  0x3ce

/* Byte `at` of a plane, read by read mode 0. */
static unsigned plane_get(struct card *c, unsigned plane, unsigned at)
{
    reg_put(c, GC, 4, plane);
    return peek(c, 0xa0000 + at);
}

Test(vga_mem, windows)
{
    static const struct {
        uint8_t map;
        uint32_t at;
        bool there;
    } rows[] = {{0, 0xa0000, true},  {0, 0xbffff, true}, {1, 0xaffff, true}, {1, 0xb0000, false},
                {2, 0xaffff, false}, {2, 0xb0000, true}, {2, 0xb7fff, true}, {2, 0xb8000, false},
                {3, 0xb7fff, false}, {3, 0xb8000, true}, {3, 0xbffff, true}, {3, 0xa0000, false}};
    struct card *c = card_new(VGA_MEMORY);

    mode_set(c, &mode_12);
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        reg_put(c, GC, 6, 1 | rows[i].map << 2);
        poke(c, rows[i].at, 0x3c);
        cr_expect_eq(peek(c, rows[i].at), rows[i].there ? 0x3c : 0xff, "row %u", i);
    }
    reg_put(c, GC, 6, 0x05);
    out8(c, 0x3c2, 0xe1); /* RAM off */
    cr_expect_eq(peek(c, 0xa0000), 0xff);
    card_free(c);
}

Test(vga_mem, planes_and_map_mask)
{
    struct card *c = card_new(VGA_MEMORY);

    mode_set(c, &mode_12);
    for (unsigned p = 0; p < 4; p++) {
        reg_put(c, SEQ, 2, 1u << p);
        poke(c, 0xa1234, 0x10 + p);
    }
    for (unsigned p = 0; p < 4; p++)
        cr_expect_eq(plane_get(c, p, 0x1234), 0x10 + p, "plane %u", p);
    reg_put(c, SEQ, 2, 0x0a);
    poke(c, 0xa1234, 0xee);
    for (unsigned p = 0; p < 4; p++)
        cr_expect_eq(plane_get(c, p, 0x1234), p & 1 ? 0xee : 0x10 + p, "plane %u", p);
    card_free(c);
}

/* Chained: bits 0-1 of the address are the plane, and 0 in the plane's offset. */
Test(vga_mem, chain_4)
{
    struct card *c = card_new(VGA_MEMORY);

    mode_set(c, &mode_13);
    for (unsigned i = 0; i < 64; i++)
        poke(c, 0xa0000 + 0x4000 + i, i);
    for (unsigned i = 0; i < 64; i++)
        cr_expect_eq(peek(c, 0xa0000 + 0x4000 + i), i);
    reg_put(c, SEQ, 4, 6);
    for (unsigned i = 0; i < 64; i++)
        cr_expect_eq(plane_get(c, i & 3, 0x4000 + (i & ~3u)), i, "byte %u", i);
    reg_put(c, SEQ, 4, 14);
    reg_put(c, SEQ, 2, 0x05); /* the map mask holds */
    bus_write(&c->mem, 0xa4000, 4, 0xaabbccdd, 0);
    cr_expect_eq(bus_read(&c->mem, 0xa4000, 4, 0), 0x03bb01dd);
    card_free(c);
}

/* Text modes: even addresses are plane 0, odd ones plane 1, at even offsets of the planes. */
Test(vga_mem, odd_even)
{
    static const uint8_t want[4] = {'A', 0x1f, 0x22, 0x33};
    struct card *c = card_new(VGA_MEMORY);

    poke(c, 0xb8000 + 100, 'A');
    poke(c, 0xb8000 + 101, 0x1f);
    cr_expect_eq(peek(c, 0xb8000 + 100), 'A');
    cr_expect_eq(peek(c, 0xb8000 + 101), 0x1f);
    reg_put(c, GC, 4, 2); /* planes 2 and 3 */
    reg_put(c, SEQ, 2, 0x0c);
    poke(c, 0xb8000 + 100, 0x22);
    poke(c, 0xb8000 + 101, 0x33);
    cr_expect_eq(peek(c, 0xb8000 + 100), 0x22);
    cr_expect_eq(peek(c, 0xb8000 + 101), 0x33);
    mode_set(c, &mode_12);
    for (unsigned p = 0; p < 4; p++)
        cr_expect_eq(plane_get(c, p, 100), want[p], "plane %u", p);
    card_free(c);
}

/* ---- the data path, bit by bit ---- */

struct path {
    uint8_t mode, set, enable, rotate, func, mask, planes, latch[4], data;
};

static uint8_t model(const struct path *p, unsigned plane)
{
    uint8_t turned = (uint8_t)(p->data >> p->rotate | p->data << (8 - p->rotate)), out = 0;
    bool set = p->set >> plane & 1;

    if (!(p->planes >> plane & 1) || p->mode == 1)
        return p->latch[plane];
    for (unsigned bit = 0; bit < 8; bit++) {
        bool old = p->latch[plane] >> bit & 1, masked = p->mask >> bit & 1, in;
        if (p->mode == 0)
            in = p->enable >> plane & 1 ? set : turned >> bit & 1;
        else if (p->mode == 2)
            in = p->data >> plane & 1;
        else
            in = set;
        if (p->mode == 3)
            masked = masked && (turned >> bit & 1);
        bool val = p->func == 0   ? in
                   : p->func == 1 ? in && old
                   : p->func == 2 ? in || old
                                  : in != old;
        out |= (uint8_t)((masked ? val : old) << bit);
    }
    return out;
}

Test(vga_mem, write_modes)
{
    struct card *c = card_new(VGA_MEMORY);
    uint32_t x = 5;

    mode_set(c, &mode_12);
    for (unsigned n = 0; n < 20000; n++) {
        struct path p = {.mode = xorshift(&x) & 3,
                         .set = xorshift(&x) & 15,
                         .enable = xorshift(&x) & 15,
                         .rotate = xorshift(&x) & 7,
                         .func = xorshift(&x) & 3,
                         .mask = (uint8_t)xorshift(&x),
                         .planes = xorshift(&x) & 15,
                         .data = (uint8_t)xorshift(&x)};
        unsigned at = xorshift(&x) & 0xffff;

        reg_put(c, GC, 5, 0);
        reg_put(c, GC, 1, 0);
        reg_put(c, GC, 3, 0);
        reg_put(c, GC, 8, 0xff);
        for (unsigned i = 0; i < 4; i++) {
            p.latch[i] = (uint8_t)xorshift(&x);
            reg_put(c, SEQ, 2, 1u << i);
            poke(c, 0xa0000 + at, p.latch[i]);
        }
        peek(c, 0xa0000 + at); /* latches */
        reg_put(c, SEQ, 2, p.planes);
        reg_put(c, GC, 0, p.set);
        reg_put(c, GC, 1, p.enable);
        reg_put(c, GC, 3, p.rotate | p.func << 3);
        reg_put(c, GC, 8, p.mask);
        reg_put(c, GC, 5, p.mode);
        poke(c, 0xa0000 + at, p.data);
        for (unsigned i = 0; i < 4; i++)
            cr_assert_eq(plane_get(c, i, at), model(&p, i), "case %u, mode %u, plane %u", n, p.mode,
                         i);
    }
    card_free(c);
}

Test(vga_mem, colour_compare)
{
    struct card *c = card_new(VGA_MEMORY);
    uint32_t x = 9;

    mode_set(c, &mode_12);
    for (unsigned n = 0; n < 2000; n++) {
        unsigned compare = xorshift(&x) & 15, care = xorshift(&x) & 15, want = 0;
        uint8_t plane[4];

        for (unsigned i = 0; i < 4; i++) {
            plane[i] = (uint8_t)(xorshift(&x) & xorshift(&x));
            reg_put(c, SEQ, 2, 1u << i);
            poke(c, 0xa0010, plane[i]);
        }
        reg_put(c, GC, 2, compare);
        reg_put(c, GC, 7, care);
        for (unsigned bit = 0; bit < 8; bit++) {
            bool same = true;
            for (unsigned i = 0; i < 4; i++)
                if ((care >> i & 1) && (plane[i] >> bit & 1) != (compare >> i & 1))
                    same = false;
            want |= (unsigned)same << bit;
        }
        reg_put(c, GC, 5, 8);
        cr_assert_eq(peek(c, 0xa0010), want, "case %u", n);
        reg_put(c, GC, 5, 0);
    }
    card_free(c);
}

/* Write mode 1 copies all planes of what was read last: a scroll in mode X. */
Test(vga_mem, latch_copy)
{
    struct card *c = card_new(VGA_MEMORY);

    mode_set(c, &mode_x);
    for (unsigned p = 0; p < 4; p++) {
        reg_put(c, SEQ, 2, 1u << p);
        for (unsigned i = 0; i < 80; i++)
            poke(c, 0xa0000 + i, i * 4 + p);
    }
    reg_put(c, SEQ, 2, 15);
    reg_put(c, GC, 5, 0x41);
    for (unsigned i = 0; i < 80; i++) {
        peek(c, 0xa0000 + i);
        poke(c, 0xa8000 + i, 0);
    }
    reg_put(c, GC, 5, 0x40);
    for (unsigned i = 0; i < 320; i++)
        cr_expect_eq(plane_get(c, i & 3, 0x8000 + i / 4), i & 0xff, "pixel %u", i);
    card_free(c);
}

Test(vga_mem, banks_of_linear_modes)
{
    struct card *c = card_new(VGA_MEMORY);

    vbe_put(c, 1, 640);
    vbe_put(c, 2, 480);
    vbe_put(c, 3, 32);
    vbe_put(c, 4, 1);
    vbe_put(c, 5, 17);
    out8(c, 0x3c2, 0xe3);
    bus_write(&c->mem, 0xa0008, 4, 0x11223344, 0);
    cr_expect_eq(c->v.mem[17 * 65536 + 8], 0x44);
    cr_expect_eq(c->v.mem[17 * 65536 + 11], 0x11);
    cr_expect_eq(bus_read(&c->mem, 0xa0008, 4, 0), 0x11223344);
    cr_expect_eq(bus_read(&c->mem, VGA_BAR0 + 17 * 65536 + 8, 4, 0), 0x11223344);
    card_free(c);
}
