/* SPDX-License-Identifier: MIT */
/*
 * dev_vga_fuzz.c - random accesses to the card's registers and memory, run under the sanitizers,
 * with pictures in between: nothing leads out of the memory or out of a surface.
 * uses: devices/vga.c devices/vga_vbe.c devices/vga_mem.c devices/vga_screen.c devices/vga_text.c
 * devices/vga_draw.c
 */
#include "tests/rig/vga_fixture.h"
#include "tests/rig/xorshift.h"

#define WIDTH  640u
#define HEIGHT 50u

static const struct mode *const modes[] = {&mode_01, &mode_03, &mode_04, &mode_06, &mode_07,
                                           &mode_0d, &mode_12, &mode_13, &mode_x};

/* One access; mostly to what exists. */
static void shake(struct card *c, uint32_t *x)
{
    static const uint16_t pairs[] = {0x3c4, 0x3ce, 0x3d4, 0x3b4};
    uint32_t kind = xorshift(x) % 16, val = xorshift(x);
    unsigned size = 1u << xorshift(x) % 3;

    c->now += xorshift(x) % 3000000;
    if (kind < 5)
        reg_put(c, pairs[val % 4], xorshift(x) % 0x1a, xorshift(x) & 0xff);
    else if (kind < 7)
        attr_put(c, val % 0x16, xorshift(x) & 0xff);
    else if (kind < 9)
        vbe_put(c, val % 12, xorshift(x) & (xorshift(x) & 1 ? 0xffff : 0xff));
    else if (kind == 9)
        bus_write(&c->port, 0x3b0 + val % 0x30, size, xorshift(x), c->now);
    else if (kind == 10)
        bus_read(&c->port, 0x3b0 + val % 0x30, size, c->now);
    else if (kind == 11)
        bus_write(&c->mem, 0xa0000 + val % 0x20000, size, xorshift(x), c->now);
    else if (kind == 12)
        bus_read(&c->mem, 0xa0000 + val % 0x20000, size, c->now);
    else if (kind == 13)
        bus_write(&c->mem, VGA_BAR0 + val % VGA_MEMORY, size, xorshift(x), c->now);
    else if (kind == 14)
        bus_read(&c->mem, VGA_BAR2 + val % 0x1000, size, c->now);
    else if (val % 8 == 0)
        mode_set(c, modes[xorshift(x) % ARRAY_LEN(modes)]);
}

Test(vga_fuzz, registers_memory_pictures)
{
    uint32_t x = 0x1234567, *pixel = malloc(WIDTH * HEIGHT * 4);

    for (unsigned round = 0; round < 60; round++) {
        /* As much memory as a card may have at least, or 16 times that. */
        struct card *c = card_new(round & 1 ? 256 << 10 : 4 << 20);
        for (unsigned n = 0; n < 4000; n++) {
            struct vga_text t;
            unsigned width, height;

            shake(c, &x);
            if (n % 50)
                continue;
            c->v.attr_index |= xorshift(&x) & 1 ? 0x20 : 0; /* on */
            vga_size(&c->v, &width, &height);
            cr_assert(width && height && width <= VGA_MAX_WIDTH && height <= VGA_MAX_HEIGHT,
                      "%u by %u", width, height);
            vga_render(&c->v, c->now, &(struct surface){pixel, WIDTH, HEIGHT, WIDTH});
            if (vga_text(&c->v, &t) && t.columns && t.rows)
                vga_text_cell(&c->v, t.columns - 1, t.rows - 1);
        }
        card_free(c);
    }
    free(pixel);
}

/* The same at the far end of the largest picture. */
Test(vga_fuzz, largest_pictures)
{
    static const unsigned depths[] = {4, 8, 15, 16, 24, 32};
    uint32_t x = 99;

    for (unsigned n = 0; n < 200; n++) {
        struct card *c = card_new(n & 1 ? 256 << 10 : 4 << 20);
        unsigned width, height;

        vbe_put(c, 1, xorshift(&x) & 0xffff);
        vbe_put(c, 2, xorshift(&x) & 0xffff);
        vbe_put(c, 3, depths[xorshift(&x) % ARRAY_LEN(depths)]);
        vbe_put(c, 4, 0x41);
        vbe_put(c, 6, xorshift(&x) & 0xffff);
        vbe_put(c, 8, xorshift(&x) & 0x3ff);
        vbe_put(c, 9, xorshift(&x) & 0xfff);
        vga_size(&c->v, &width, &height);
        uint32_t *pixel = malloc((size_t)width * height * 4);
        vga_render(&c->v, 0, &(struct surface){pixel, width, height, width});
        free(pixel);
        card_free(c);
    }
}
