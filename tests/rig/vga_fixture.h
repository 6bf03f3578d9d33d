/* SPDX-License-Identifier: MIT */
/*
 * vga_fixture.h - a graphics card alone: its ports, its memory, the register values of the BIOS's
 * modes, and checksums of its picture.
 *
 * With RING1_PICTURES=DIR in the environment each picture is also written there, to be looked at.
 */
#ifndef RING1_TESTS_UNIT_VGA_FIXTURE_H
#define RING1_TESTS_UNIT_VGA_FIXTURE_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/vga.h"
#include "host/linux/screendump.h"

struct card {
    struct bus mem, port;
    struct pci_host host;
    struct vga v;
    ns_t now;
};

/* What a BIOS programs. Tables of the IBM PS/2 Hardware Interface Technical Reference. */
struct mode {
    uint8_t misc, seq[5], crtc[25], gc[9], attr[21];
};
#define IDENTITY 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
#define EGA_16   0, 1, 2, 3, 4, 5, 0x14, 7, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f
static const struct mode mode_01 = {0x67,
                                    {3, 8, 3, 0, 2},
                                    {0x2d, 0x27, 0x28, 0x90, 0x2b, 0xa0, 0xbf, 0x1f, 0x00,
                                     0x4f, 0x0d, 0x0e, 0x00, 0x00, 0x00, 0x00, 0x9c, 0x8e,
                                     0x8f, 0x14, 0x1f, 0x96, 0xb9, 0xa3, 0xff},
                                    {0, 0, 0, 0, 0, 0x10, 0x0e, 0, 0xff},
                                    {EGA_16, 0x0c, 0, 0x0f, 8, 0}};
static const struct mode mode_03 = {0x67,
                                    {3, 0, 3, 0, 2},
                                    {0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00,
                                     0x4f, 0x0d, 0x0e, 0x00, 0x00, 0x00, 0x00, 0x9c, 0x8e,
                                     0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff},
                                    {0, 0, 0, 0, 0, 0x10, 0x0e, 0, 0xff},
                                    {EGA_16, 0x0c, 0, 0x0f, 8, 0}};
static const struct mode mode_07 = {
    0xa6,
    {3, 0, 3, 0, 2},
    {0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0x00,
     0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x28, 0x0d, 0x96, 0xb9, 0xa3, 0xff},
    {0, 0, 0, 0, 0, 0x10, 0x0a, 0, 0xff},
    {0, 8, 8, 8, 8, 8, 8, 8, 0x10, 0x18, 0x18, 0x18, 0x18, 0x18, 0x18, 0x18, 0x0e, 0, 0x0f, 8, 0}};
static const struct mode mode_04 = {0x63,
                                    {3, 9, 3, 0, 2},
                                    {0x2d, 0x27, 0x28, 0x90, 0x2b, 0x80, 0xbf, 0x1f, 0x00,
                                     0xc1, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x9c, 0x8e,
                                     0x8f, 0x14, 0x00, 0x96, 0xb9, 0xa2, 0xff},
                                    {0, 0, 0, 0, 0, 0x30, 0x0f, 0, 0xff},
                                    {0,    0x13, 0x15, 0x17, 2,    4, 6, 7, 0x10, 0x11, 0x12,
                                     0x13, 0x14, 0x15, 0x16, 0x17, 1, 0, 3, 0,    0}};
static const struct mode mode_06 = {
    0x63,
    {3, 1, 1, 0, 6},
    {0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0x00, 0xc1, 0x00, 0x00, 0x00,
     0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x28, 0x00, 0x96, 0xb9, 0xc2, 0xff},
    {0, 0, 0, 0, 0, 0, 0x0d, 0, 0xff},
    {0,    0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17,
     0x17, 0x17, 0x17, 0x17, 0x17, 1,    0,    1,    0,    0}};
static const struct mode mode_0d = {
    0x63,
    {3, 9, 15, 0, 6},
    {0x2d, 0x27, 0x28, 0x90, 0x2b, 0x80, 0xbf, 0x1f, 0x00, 0xc0, 0x00, 0x00, 0x00,
     0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x14, 0x00, 0x96, 0xb9, 0xe3, 0xff},
    {0, 0, 0, 0, 0, 0, 5, 15, 0xff},
    {0, 1, 2, 3, 4, 5, 6, 7, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 1, 0, 15, 0, 0}};
static const struct mode mode_12 = {0xe3,
                                    {3, 1, 15, 0, 6},
                                    {0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0x0b, 0x3e, 0x00,
                                     0x40, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xea, 0x8c,
                                     0xdf, 0x28, 0x00, 0xe7, 0x04, 0xe3, 0xff},
                                    {0, 0, 0, 0, 0, 0, 5, 15, 0xff},
                                    {EGA_16, 1, 0, 15, 0, 0}};
static const struct mode mode_13 = {0x63,
                                    {3, 1, 15, 0, 14},
                                    {0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0x00,
                                     0x41, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x9c, 0x8e,
                                     0x8f, 0x28, 0x40, 0x96, 0xb9, 0xa3, 0xff},
                                    {0, 0, 0, 0, 0, 0x40, 5, 15, 0xff},
                                    {IDENTITY, 0x41, 0, 15, 0, 0}};
/* 320 by 240, not chained: after Michael Abrash. */
static const struct mode mode_x = {0xe3,
                                   {3, 1, 15, 0, 6},
                                   {0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0x0d, 0x3e, 0x00,
                                    0x41, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xea, 0xac,
                                    0xdf, 0x28, 0x00, 0xe7, 0x06, 0xe3, 0xff},
                                   {0, 0, 0, 0, 0, 0x40, 5, 15, 0xff},
                                   {IDENTITY, 0x41, 0, 15, 0, 0}};

static void out8(struct card *c, uint16_t port, unsigned val)
{
    bus_write(&c->port, port, 1, val, c->now);
}
static unsigned in8(struct card *c, uint16_t port)
{
    return bus_read(&c->port, port, 1, c->now);
}
/* Index and data, at port and port + 1. */
static void reg_put(struct card *c, uint16_t port, unsigned index, unsigned val)
{
    bus_write(&c->port, port, 2, index | val << 8, c->now);
}
static unsigned reg_get(struct card *c, uint16_t port, unsigned index)
{
    out8(c, port, index);
    return in8(c, port + 1);
}
static void attr_put(struct card *c, unsigned index, unsigned val)
{
    in8(c, 0x3da);
    in8(c, 0x3ba);
    out8(c, 0x3c0, index);
    out8(c, 0x3c0, val);
    out8(c, 0x3c0, 0x20);
}
static unsigned attr_get(struct card *c, unsigned index)
{
    in8(c, 0x3da);
    in8(c, 0x3ba);
    out8(c, 0x3c0, index | 0x20);
    return in8(c, 0x3c1);
}
static void vbe_put(struct card *c, unsigned index, unsigned val)
{
    bus_write(&c->port, 0x1ce, 2, index, c->now);
    bus_write(&c->port, 0x1cf, 2, val, c->now);
}
static unsigned vbe_get(struct card *c, unsigned index)
{
    bus_write(&c->port, 0x1ce, 2, index, c->now);
    return bus_read(&c->port, 0x1cf, 2, c->now);
}
static void poke(struct card *c, uint32_t at, unsigned val)
{
    bus_write(&c->mem, at, 1, val, c->now);
}
static unsigned peek(struct card *c, uint32_t at)
{
    return bus_read(&c->mem, at, 1, c->now);
}
static void colour_put(struct card *c, unsigned n, unsigned r, unsigned g, unsigned b)
{
    out8(c, 0x3c8, n);
    out8(c, 0x3c9, r);
    out8(c, 0x3c9, g);
    out8(c, 0x3c9, b);
}

static struct card *card_new(uint32_t size)
{
    static const struct {
        const struct dev_ops *ops;
        uint16_t first, last, base;
    } ports[] = {{&vga_ops, 0x3b0, 0x3df, 0}, {&vga_vbe_ops, 0x1ce, 0x1d1, 0}};
    struct card *c = calloc(1, sizeof *c);

    pci_host_init(&c->host, &c->mem, &c->port);
    vga_init(&c->v, calloc(1, size), size);
    pci_add(&c->host, &c->v.fn, PCI_DEVFN(2, 0));
    for (unsigned i = 0; i < ARRAY_LEN(ports); i++)
        bus_add(&c->port, ports[i].first, ports[i].last, ports[i].ops, &c->v, ports[i].base);
    bus_add(&c->mem, 0xa0000, 0xbffff, &vga_mem_ops, &c->v, 0);
    vga_ops.reset(&c->v);
    vga_firmware_setup(&c->v);
    return c;
}
static void card_free(struct card *c)
{
    free(c->v.mem);
    free(c);
}

/* Through the ports, as a BIOS does it. */
static void mode_set(struct card *c, const struct mode *m)
{
    uint16_t crtc = m->misc & 1 ? 0x3d4 : 0x3b4;

    out8(c, 0x3c2, m->misc);
    for (unsigned i = 0; i < 5; i++)
        reg_put(c, 0x3c4, i, m->seq[i]);
    reg_put(c, crtc, 0x11, 0);
    for (unsigned i = 0; i < 25; i++)
        reg_put(c, crtc, i, m->crtc[i]);
    for (unsigned i = 0; i < 9; i++)
        reg_put(c, 0x3ce, i, m->gc[i]);
    for (unsigned i = 0; i < 21; i++)
        attr_put(c, i, m->attr[i]);
}

/* FNV-1a of the pixels; *width, *height: the picture's. */
static uint32_t picture(struct card *c, const char *name, unsigned *width, unsigned *height)
{
    const char *dir = getenv("RING1_PICTURES");
    uint32_t sum = 2166136261u, *pixel;
    struct error e;
    char path[512];

    vga_size(&c->v, width, height);
    pixel = malloc((size_t)*width * *height * 4);
    vga_render(&c->v, c->now, &(struct surface){pixel, *width, *height, *width});
    for (size_t i = 0; i < (size_t)*width * *height; i++)
        sum = (sum ^ pixel[i]) * 16777619u;
    free(pixel);
    if (dir) {
        snprintf(path, sizeof path, "%s/%s.png", dir, name);
        cr_expect_eq(screendump(&c->v, c->now, path, SCREENDUMP_PNG, &e), 0);
    }
    return sum;
}

static uint32_t pixel_at(struct card *c, unsigned x, unsigned y)
{
    unsigned width, height;
    uint32_t *pixel, out;

    vga_size(&c->v, &width, &height);
    pixel = malloc((size_t)width * height * 4);
    vga_render(&c->v, c->now, &(struct surface){pixel, width, height, width});
    out = pixel[(size_t)y * width + x];
    free(pixel);
    return out;
}

#endif
