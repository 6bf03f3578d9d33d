/* SPDX-License-Identifier: MIT */
/*
 * dev_vga_screen.c - pictures: of each kind of mode single pixels by hand, and the whole by
 * checksum. The checksums were taken from pictures that were looked at (vga_fixture.h says how).
 * uses: devices/vga_screen.c devices/vga_text.c devices/vga_draw.c devices/vga_firmware.c
 */
#include <unistd.h>

#include "tests/rig/vga_fixture.h"

#define SEQ   0x3c4
#define GC    0x3ce
#define CRTC  0x3d4
#define BLACK 0x000000u
#define GREY  0xaaaaaau
#define WHITE 0xffffffu
#define BLUE  0x0000aau

static void expect_picture(struct card *c, const char *name, unsigned width, unsigned height,
                           uint32_t sum)
{
    unsigned w, h;
    uint32_t got = picture(c, name, &w, &h);

    cr_expect(w == width && h == height, "%s: %u by %u", name, w, h);
    cr_expect_eq(got, sum, "%s: 0x%08x", name, got);
}

static void text_at(struct card *c, unsigned column, unsigned row, uint8_t attr, const char *text)
{
    for (uint32_t at = 0xb8000 + 2 * (80 * row + column); *text; at += 2) {
        poke(c, at, (uint8_t)*text++);
        poke(c, at + 1, attr);
    }
}

static void text_page(struct card *c)
{
    text_at(c, 0, 0, 0x07, "The quick brown fox jumps over the lazy dog. 0123456789");
    text_at(c, 0, 1, 0x1f, "THE QUICK BROWN FOX JUMPS OVER THE LAZY DOG! {}[]()<>|\\/~@#$%^&*");
    text_at(c, 0, 2, 0x4e,
            "\xda\xc4\xc2\xc4\xbf \xc9\xcd\xcb\xcd\xbb \xb0\xb1\xb2\xdb\xdc\xdd\xde\xdf");
    text_at(c, 0, 3, 0x2a, "\xb3 \xb3 \xb3 \xba \xba \xba");
    text_at(c, 0, 4, 0x87, "blinks");
    for (unsigned n = 0; n < 256; n++) {
        poke(c, 0xb8000 + 2 * (80 * (8 + n / 32) + 2 * (n % 32)), n);
        poke(c, 0xb8000 + 2 * (80 * (8 + n / 32) + 2 * (n % 32)) + 1, n);
    }
}

Test(vga_screen, text)
{
    struct card *c = card_new(VGA_MEMORY);

    expect_picture(c, "text-empty", 720, 400, 0x0ab1cec5);
    text_page(c);
    expect_picture(c, "text", 720, 400, 0xf07e77fa);
    cr_expect_eq(pixel_at(c, 9 * 30, 4 * 16), BLACK);
    cr_expect_eq(pixel_at(c, 9 * 70, 16), BLACK);
    cr_expect_eq(pixel_at(c, 9 * 3, 16), BLUE, "a space on blue");
    cr_expect_eq(pixel_at(c, 9 * 1 + 8, 32 + 8), 0xffff55u, "a line goes on into the ninth dot");
    attr_put(c, 0x10, 0x08);
    cr_expect_eq(pixel_at(c, 9 * 1 + 8, 32 + 8), 0xaa0000u, "unless the mode says no");
    reg_put(c, SEQ, 1, 1);
    expect_picture(c, "text-8-dots", 640, 400, 0x3eab929e);
    mode_set(c, &mode_01);
    expect_picture(c, "text-40-columns", 720, 400, 0xc43bee65);
    card_free(c);
}

Test(vga_screen, cursor_and_blinking)
{
    struct card *c = card_new(VGA_MEMORY);
    const ns_t frame = 900ull * 449 * 1000000000 / 28322000;

    text_at(c, 0, 0, 0x87, "\xdb\xdb");
    reg_put(c, CRTC, 14, 0);
    reg_put(c, CRTC, 15, 3);
    cr_expect_eq(pixel_at(c, 27, 13), GREY);
    cr_expect_eq(pixel_at(c, 35, 14), GREY);
    cr_expect_eq(pixel_at(c, 27, 12), BLACK);
    cr_expect_eq(pixel_at(c, 27, 15), BLACK);
    cr_expect_eq(pixel_at(c, 36, 13), BLACK);
    c->now = 9 * frame;
    cr_expect_eq(pixel_at(c, 27, 13), BLACK, "off for 8 of 16 frames");
    cr_expect_eq(pixel_at(c, 0, 0), GREY);
    c->now = 17 * frame;
    cr_expect_eq(pixel_at(c, 27, 13), GREY);
    cr_expect_eq(pixel_at(c, 0, 0), BLACK, "characters for 16 of 32");
    attr_put(c, 0x10, 0x04); /* bit 7 is intensity */
    cr_expect_eq(pixel_at(c, 0, 0), GREY);
    text_at(c, 0, 0, 0x87, "  ");
    cr_expect_eq(pixel_at(c, 0, 0), 0x555555u);
    reg_put(c, CRTC, 10, 0x2d);
    cr_expect_eq(pixel_at(c, 27, 13), BLACK, "cursor off");
    reg_put(c, CRTC, 10, 0x00);
    cr_expect_eq(pixel_at(c, 27, 0), GREY, "block");
    reg_put(c, CRTC, 10, 0x0f);
    cr_expect_eq(pixel_at(c, 27, 14), BLACK, "start below end: none");
    card_free(c);
}

Test(vga_screen, monochrome_text)
{
    struct card *c = card_new(VGA_MEMORY);

    mode_set(c, &mode_07);
    for (unsigned n = 0; n < 3; n++)
        for (unsigned k = 0; k < 8; k++) {
            poke(c, 0xb0000 + 160 * n + 2 * k, "underlin"[k]);
            poke(c, 0xb0000 + 160 * n + 2 * k + 1, (const uint8_t[]){0x01, 0x07, 0x0f}[n]);
        }
    cr_expect_eq(pixel_at(c, 2, 13), pixel_at(c, 71, 13), "a line under all dots");
    cr_expect_neq(pixel_at(c, 2, 13), BLACK);
    cr_expect_eq(pixel_at(c, 8, 16 + 13), BLACK);
    expect_picture(c, "text-monochrome", 720, 400, 0xee446e41);
    card_free(c);
}

/* Two fonts: bit 3 of the attribute chooses. */
Test(vga_screen, fonts)
{
    struct card *c = card_new(VGA_MEMORY);

    text_at(c, 0, 0, 0x07, "A");
    text_at(c, 1, 0, 0x0f, "A");
    cr_expect_eq(pixel_at(c, 9, 15), BLACK);
    reg_put(c, SEQ, 3, 0x20 | 0x04); /* attribute with bit 3: map 5, at 24 KiB */
    reg_put(c, SEQ, 2, 4);
    reg_put(c, SEQ, 4, 6);
    reg_put(c, GC, 5, 0);
    reg_put(c, GC, 6, 4);
    for (unsigned y = 0; y < 16; y++)
        poke(c, 0xa0000 + 0x6000 + 'A' * 32 + y, 0x81);
    mode_set(c, &mode_03);
    reg_put(c, SEQ, 3, 0x20 | 0x04);
    cr_expect_eq(pixel_at(c, 9, 15), WHITE);
    cr_expect_eq(pixel_at(c, 10, 15), BLACK);
    cr_expect_eq(pixel_at(c, 16, 15), WHITE);
    cr_expect_eq(pixel_at(c, 0, 15), BLACK, "the other font");
    reg_put(c, CRTC, 9, 0x47); /* rows of 8 lines: the characters' upper halves */
    expect_picture(c, "text-50-rows", 720, 400, 0xee1438c9);
    card_free(c);
}

Test(vga_screen, as_characters)
{
    struct card *c = card_new(VGA_MEMORY);
    struct vga_text t;

    text_page(c);
    reg_put(c, CRTC, 14, 160 * 3 / 2 / 256 + 0);
    reg_put(c, CRTC, 15, 240 + 7);
    cr_expect(vga_text(&c->v, &t));
    cr_expect(t.columns == 80 && t.rows == 25 && t.cursor);
    cr_expect(t.cursor_column == 7 && t.cursor_row == 3);
    cr_expect_eq(vga_text_cell(&c->v, 4, 0), 0x0700 | 'q');
    cr_expect_eq(vga_text_cell(&c->v, 4, 1), 0x1f00 | 'Q');
    reg_put(c, CRTC, 13, 80); /* one row down */
    cr_expect_eq(vga_text_cell(&c->v, 4, 0), 0x1f00 | 'Q');
    cr_expect(vga_text(&c->v, &t) && t.cursor_row == 2);
    reg_put(c, CRTC, 13, 0);
    reg_put(c, CRTC, 14, 0x40);
    cr_expect(vga_text(&c->v, &t) && !t.cursor, "outside");
    reg_put(c, SEQ, 1, 0x20);
    cr_expect_not(vga_text(&c->v, &t), "screen off");
    cr_expect_eq(pixel_at(c, 4 * 9 + 2, 8), BLACK);
    mode_set(c, &mode_12);
    cr_expect_not(vga_text(&c->v, &t), "graphics");
    card_free(c);
}

/* ---- graphics ---- */

/* Sixteen vertical bars, each with its number as colour, and a diagonal. */
static void planar_bars(struct card *c, unsigned pitch, unsigned height)
{
    for (unsigned n = 0; n < 16; n++) {
        unsigned first = pitch * n / 16, end = pitch * (n + 1) / 16;
        reg_put(c, SEQ, 2, 15);
        reg_put(c, GC, 0, n);
        reg_put(c, GC, 1, 15);
        for (unsigned y = 0; y < height; y++)
            for (unsigned x = first; x < end; x++)
                poke(c, 0xa0000 + y * pitch + x, 0);
    }
    reg_put(c, GC, 0, 15);
    for (unsigned y = 0; y < height && y < pitch * 8; y++) {
        reg_put(c, GC, 8, 0x80 >> (y & 7));
        peek(c, 0xa0000 + y * pitch + y / 8);
        poke(c, 0xa0000 + y * pitch + y / 8, 0);
    }
    reg_put(c, GC, 8, 0xff);
    reg_put(c, GC, 1, 0);
}

Test(vga_screen, sixteen_colours)
{
    struct card *c = card_new(VGA_MEMORY);

    mode_set(c, &mode_12);
    planar_bars(c, 80, 480);
    cr_expect_eq(pixel_at(c, 45, 3), BLUE);
    cr_expect_eq(pixel_at(c, 639, 3), WHITE);
    cr_expect_eq(pixel_at(c, 300, 300), WHITE, "the diagonal");
    cr_expect_neq(pixel_at(c, 301, 300), WHITE);
    expect_picture(c, "mode-12", 640, 480, 0xa525d025);
    reg_put(c, CRTC, 0x18, 99); /* split: line 100 and below begin at the memory's begin */
    reg_put(c, CRTC, 7, 0x2e);
    reg_put(c, CRTC, 9, 0x00);
    reg_put(c, CRTC, 0x11, 0x0c);
    reg_put(c, CRTC, 7, 0x2e);
    reg_put(c, CRTC, 12, 80 * 50 >> 8);
    reg_put(c, CRTC, 13, 80 * 50 & 0xff);
    cr_expect_eq(pixel_at(c, 50, 0), WHITE, "line 50 is on top");
    cr_expect_eq(pixel_at(c, 149, 99), WHITE);
    cr_expect_eq(pixel_at(c, 0, 100), WHITE, "line 0 below the split");
    attr_put(c, 0x13, 3);
    cr_expect_eq(pixel_at(c, 47, 0), WHITE, "panned");
    cr_expect_eq(pixel_at(c, 7, 110), WHITE, "also below the split");
    attr_put(c, 0x10, 0x21);
    cr_expect_eq(pixel_at(c, 10, 110), WHITE, "or not");
    reg_put(c, CRTC, 8, 0x40); /* byte panning: two characters */
    cr_expect_eq(pixel_at(c, 31, 0), WHITE);
    expect_picture(c, "mode-12-split", 640, 480, 0x4e4ac2a9);
    attr_put(c, 0x12, 1);
    cr_expect_eq(pixel_at(c, 600, 3), BLUE, "one plane enabled");
    attr_put(c, 0x14, 5);
    attr_put(c, 0x10, 0x81);
    colour_put(c, 0x40 | 0x10 | 1, 1, 2, 3);
    cr_expect_eq(pixel_at(c, 600, 3), 0x04080cu, "colour select");
    card_free(c);
}

Test(vga_screen, blinking_graphics)
{
    struct card *c = card_new(VGA_MEMORY);
    const ns_t frame = 800ull * 525 * 1000000000 / 25175000;

    mode_set(c, &mode_12);
    planar_bars(c, 80, 480);
    attr_put(c, 0x10, 0x09);
    cr_expect_eq(pixel_at(c, 45, 3), 0x5555ffu, "1 becomes 9");
    cr_expect_eq(pixel_at(c, 45 + 320, 3), 0x5555ffu, "9 stays");
    c->now = 17 * frame;
    cr_expect_eq(pixel_at(c, 45, 3), 0x5555ffu);
    cr_expect_eq(pixel_at(c, 45 + 320, 3), BLUE, "9 becomes 1");
    card_free(c);
}

/* The colours of modes with 200 lines: 8 dark ones, and from 0x10 on 8 bright ones. */
static void colours_cga(struct card *c)
{
    for (unsigned n = 0; n < 16; n++) {
        unsigned add = n & 8 ? 0x15 : 0;
        colour_put(c, (n & 7) | (n & 8) << 1, (n >> 2 & 1) * 0x2a + add,
                   (n >> 1 & 1) * (n == 6 ? 0x15 : 0x2a) + add, (n & 1) * 0x2a + add);
    }
}

Test(vga_screen, low_resolution)
{
    struct card *c = card_new(VGA_MEMORY);

    colours_cga(c);
    mode_set(c, &mode_0d);
    planar_bars(c, 40, 200);
    expect_picture(c, "mode-0d", 640, 400, 0xc6233f45);
    mode_set(c, &mode_04);
    for (unsigned y = 0; y < 200; y++) /* odd lines are 8 KiB behind the even ones */
        for (unsigned x = 0; x < 80; x++)
            poke(c, 0xb8000 + (y & 1) * 0x2000 + (y / 2) * 80 + x, y < 100 ? 0x1b : x + y);
    cr_expect_eq(pixel_at(c, 0, 0), BLACK);
    cr_expect_eq(pixel_at(c, 2, 0), 0x55ffffu);
    cr_expect_eq(pixel_at(c, 4, 3), 0xff55ffu);
    cr_expect_eq(pixel_at(c, 15, 199), WHITE);
    expect_picture(c, "mode-04", 640, 400, 0xc832ab85);
    mode_set(c, &mode_06);
    for (unsigned y = 0; y < 200; y++)
        for (unsigned x = 0; x < 80; x++)
            poke(c, 0xb8000 + (y & 1) * 0x2000 + (y / 2) * 80 + x, y == x ? 0xff : 0x80 >> (y & 7));
    cr_expect_eq(pixel_at(c, 8, 0), WHITE);
    cr_expect_eq(pixel_at(c, 10, 5), WHITE);
    cr_expect_eq(pixel_at(c, 11, 5), BLACK);
    expect_picture(c, "mode-06", 640, 400, 0xc5919dc5);
    card_free(c);
}

static void colours_256(struct card *c)
{
    for (unsigned n = 0; n < 256; n++)
        colour_put(c, n, n >> 2 & 0x38, n << 1 & 0x38, n << 4 & 0x30);
}

Test(vga_screen, mode_13)
{
    struct card *c = card_new(VGA_MEMORY);

    mode_set(c, &mode_13);
    colours_256(c);
    for (unsigned y = 0; y < 200; y++)
        for (unsigned x = 0; x < 320; x++)
            poke(c, 0xa0000 + 320 * y + x, x == y ? 255 : (x ^ y) & 0xff);
    cr_expect_eq(pixel_at(c, 2 * 77, 2 * 77), pixel_at(c, 0, 0));
    cr_expect_neq(pixel_at(c, 2 * 77 + 2, 2 * 77), pixel_at(c, 0, 0));
    expect_picture(c, "mode-13", 640, 400, 0x554fbf65);
    attr_put(c, 0x13, 4); /* two pixels */
    cr_expect_eq(pixel_at(c, 0, 4), pixel_at(c, 4, 8));
    out8(c, 0x3c6, 0x0f);
    expect_picture(c, "mode-13-masked", 640, 400, 0x7761ca05);
    card_free(c);
}

/* A page of its own, wider than the screen, scrolled and panned. */
Test(vga_screen, mode_x)
{
    struct card *c = card_new(VGA_MEMORY);

    mode_set(c, &mode_x);
    colours_256(c);
    reg_put(c, CRTC, 0x13, 50); /* 400 pixels a row */
    for (unsigned y = 0; y < 300; y++)
        for (unsigned x = 0; x < 400; x++) {
            reg_put(c, SEQ, 2, 1u << (x & 3));
            poke(c, 0xa0000 + 0x4000 + 100 * y + x / 4,
                 (x - 200) * (x - 200) + (y - 150) * (y - 150) < 14400 ? 0xe0 | (x & 31) : y & 31);
        }
    reg_put(c, CRTC, 12, (0x4000 + 100 * 30 + 10) >> 8);
    reg_put(c, CRTC, 13, (0x4000 + 100 * 30 + 10) & 0xff);
    attr_put(c, 0x13, 2);
    expect_picture(c, "mode-x", 640, 480, 0x97b8e6c5);
    card_free(c);
}

Test(vga_screen, linear_modes)
{
    static const struct {
        unsigned bpp, bytes;
        uint32_t red;
        uint32_t sum;
    } rows[] = {{15, 2, 0x7c00, 0x3ed62265},
                {16, 2, 0xf800, 0xd413c265},
                {24, 3, 0xff0000, 0x43acba65},
                {32, 4, 0xff0000, 0x43acba65}};
    struct card *c = card_new(VGA_MEMORY);
    char name[32];

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        unsigned pitch = 1024 * rows[i].bytes;
        vbe_put(c, 4, 0);
        vbe_put(c, 1, 800);
        vbe_put(c, 2, 600);
        vbe_put(c, 3, rows[i].bpp);
        vbe_put(c, 4, 0x41);
        vbe_put(c, 6, 1024);
        vbe_put(c, 8, 8);
        vbe_put(c, 9, 20);
        for (unsigned y = 0; y < 620; y++)
            for (unsigned x = 0; x < 808; x++)
                for (unsigned b = 0; b < rows[i].bytes; b++)
                    poke(c, VGA_BAR0 + y * pitch + x * rows[i].bytes + b,
                         (x == y ? rows[i].red : x * 0x10101 + y) >> 8 * b);
        cr_expect_eq(pixel_at(c, 92, 80), 0xff0000u, "%u bits", rows[i].bpp);
        snprintf(name, sizeof name, "vbe-%u", rows[i].bpp);
        expect_picture(c, name, 800, 600, rows[i].sum);
    }
    card_free(c);
}

Test(vga_screen, linear_8_and_planar)
{
    struct card *c = card_new(VGA_MEMORY);

    colours_256(c);
    vbe_put(c, 1, 1024);
    vbe_put(c, 2, 768);
    vbe_put(c, 3, 8);
    vbe_put(c, 4, 0x61);
    colour_put(c, 1, 0xfe, 0xdc, 0xba);
    for (unsigned y = 0; y < 768; y++)
        for (unsigned x = 0; x < 1024; x += 4)
            bus_write(&c->mem, VGA_BAR0 + 1024 * y + x, 4, (x * y >> 8 & 0xff) * 0x01010101u, 0);
    bus_write(&c->mem, VGA_BAR0 + 1024 * 700 + 1000, 1, 1, 0);
    cr_expect_eq(pixel_at(c, 1000, 700), 0xfedcbau);
    expect_picture(c, "vbe-8", 1024, 768, 0x622ce7df);

    mode_set(c, &mode_12);
    vbe_put(c, 4, 0);
    vbe_put(c, 1, 800);
    vbe_put(c, 2, 600);
    vbe_put(c, 3, 4);
    vbe_put(c, 4, 0x01);
    planar_bars(c, 100, 600);
    expect_picture(c, "vbe-4", 800, 600, 0x0750a1d5);
    vbe_put(c, 8, 12);
    cr_expect_eq(pixel_at(c, 300 - 12, 300), pixel_at(c, 799 - 12, 3), "the diagonal is as white");
    card_free(c);
}

/* Nothing is drawn outside of a surface that is smaller than the picture. */
Test(vga_screen, a_surface_cuts)
{
    struct card *c = card_new(VGA_MEMORY);
    uint32_t pixel[20 * 12 + 1];

    memset(pixel, 0x5a, sizeof pixel);
    text_at(c, 0, 0, 0x1f, "  ");
    vga_render(&c->v, 0, &(struct surface){pixel, 18, 11, 20});
    cr_expect_eq(pixel[17], BLUE);
    cr_expect_eq(pixel[18], 0x5a5a5a5au);
    cr_expect_eq(pixel[10 * 20 + 17], BLUE);
    cr_expect_eq(pixel[11 * 20], 0x5a5a5a5au);
    card_free(c);
}

Test(vga_screen, dumped)
{
    struct card *c = card_new(VGA_MEMORY);
    char path[] = "/tmp/ring1-screendump-XXXXXX", head[16] = "";
    uint8_t first[8];
    struct error e;
    int fd = mkstemp(path);

    cr_assert(fd >= 0);
    text_at(c, 0, 0, 0x1f, " ");
    cr_expect_eq(screendump(&c->v, 0, path, SCREENDUMP_PPM, &e), 0);
    FILE *f = fopen(path, "r");
    cr_expect_eq(fread(head, 1, 15, f), 15);
    cr_expect_str_eq(head, "P6\n720 400\n255\n");
    cr_expect(fread(first, 1, 3, f) == 3 && first[0] == 0 && first[2] == 0xaa);
    cr_expect(!fseek(f, 0, SEEK_END) && ftell(f) == 15 + 720 * 400 * 3);
    fclose(f);
    cr_expect_eq(screendump(&c->v, 0, path, SCREENDUMP_PNG, &e), 0);
    f = fopen(path, "r");
    cr_expect(fread(first, 1, 8, f) == 8 && !memcmp(first, "\x89PNG\r\n\x1a\n", 8));
    fclose(f);
    close(fd);
    remove(path);
    cr_expect_eq(screendump(&c->v, 0, "/nonexistent/x", SCREENDUMP_PNG, &e), -1);
    cr_expect(strstr(e.text, "No such file"));
    card_free(c);
}
