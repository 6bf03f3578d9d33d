/* SPDX-License-Identifier: MIT */
/*
 * vga_draw.c - graphics modes: what the shift registers and the attribute controller make of the
 * planes' bytes, and the linear modes of VBE.
 *
 * Each character clock loads a byte of each plane. They are shifted out as 8 dots of four bits (a
 * bit of each plane), as 8 dots of two bits (pairs of a byte, as the CGA had them), or as 4 pixels
 * of eight bits, two dots wide.
 */
#include "devices/vga_priv.h"

#define BLACK 0u

uint32_t vga_dac_pixel(const struct vga *v, unsigned n)
{
    const uint8_t *c = &v->dac[3 * (n & v->dac_mask & 0xff)];
    uint32_t rgb = (uint32_t)c[0] << 16 | (uint32_t)c[1] << 8 | c[2];

    if (v->vbe[VBE_ENABLE] & VBE_DAC8)
        return rgb;
    rgb &= 0x3f3f3f;
    return rgb << 2 | (rgb >> 4 & 0x030303); /* full scale is full scale */
}

/* Attribute n on its way to the DAC. */
static unsigned dac_index(const struct vga *v, unsigned n)
{
    uint8_t select = v->attr[ATTR_SELECT], colour = v->attr[n & v->attr[ATTR_PLANES] & 0xf];

    if (v->attr[ATTR_MODE] & ATTR_MODE_P54)
        colour = (uint8_t)((colour & 0xf) | (select & 3) << 4);
    return (colour & 0x3f) | (unsigned)(select & 0xc) << 4;
}

void vga_palette(const struct vga *v, uint32_t out[16])
{
    for (unsigned n = 0; n < 16; n++)
        out[n] = vga_dac_pixel(v, dac_index(v, n));
}

/* The dots of one character clock: 8, values of the attribute controller's input. */
static void shift_out(const struct vga *v, const uint8_t *plane, uint8_t out[8])
{
    if (v->gc[GC_MODE] & GC_MODE_PAIRS) {
        for (unsigned n = 0; n < 8; n++) {
            unsigned right = 6 - 2 * (n & 3);
            out[n] = (plane[n >> 2] >> right & 3) | (plane[2 + (n >> 2)] >> right & 3) << 2;
        }
        return;
    }
    for (unsigned n = 0; n < 8; n++) {
        unsigned right = 7 - n;
        out[n] = (uint8_t)((plane[0] >> right & 1) | (plane[1] >> right & 1) << 1 |
                           (plane[2] >> right & 1) << 2 | (plane[3] >> right & 1) << 3);
    }
}

struct picture {
    const struct vga *v;
    struct vga_scan scan;
    uint32_t colour[16], dac[256];
    bool wide;         /* 256 colours */
    uint8_t set, flip; /* bits of a dot that blinking sets, and turns */
    unsigned step;     /* character clocks that count once: 1, 2 or 4 */
};

static void prepare(struct picture *p, const struct vga *v, ns_t now)
{
    p->v = v;
    p->wide = v->gc[GC_MODE] & GC_MODE_256;
    p->set = p->flip = 0;
    p->step = v->crtc[CRTC_UNDERLINE] & CRTC_COUNT_4   ? 4
              : v->crtc[CRTC_MODE] & CRTC_MODE_COUNT_2 ? 2
                                                       : 1;
    vga_palette(v, p->colour);
    for (unsigned n = 0; n < 256; n++)
        p->dac[n] = vga_dac_pixel(v, n);
    /* Blinking: intensity is always on in one half of the time, the other way round in the other
     * one. */
    if (v->attr[ATTR_MODE] & ATTR_MODE_BLINK) {
        if (vga_frame(v, now) & 16)
            p->flip = 8;
        else
            p->set = 8;
    }
}

/* The eight dots that plane bytes at `at` make, as pixels. */
static void eight_dots(const struct picture *p, uint32_t at, uint32_t out[8])
{
    const uint8_t *plane = p->v->mem + (at & (p->v->mem_size - 1));
    uint8_t dot[8];

    if (p->wide) {
        for (unsigned n = 0; n < 8; n++)
            out[n] = p->dac[plane[n >> 1]];
        return;
    }
    shift_out(p->v, plane, dot);
    for (unsigned n = 0; n < 8; n++)
        out[n] = p->colour[(dot[n] | p->set) ^ p->flip];
}

static void draw_line(const struct picture *p, unsigned y, uint32_t *to, unsigned width)
{
    const struct vga_scan *s = &p->scan;
    struct vga_line line;
    uint32_t dots[8];
    unsigned x = 0, dot;

    vga_line(p->v, s, y, &line);
    dot = line.pan;
    for (unsigned n = 0; n <= s->chars && x < width; n++) {
        unsigned at = vga_address(p->v, line.counter + n / p->step, line.row_scan);

        eight_dots(p, vga_at(at, 0), dots);
        for (; dot < s->dots; dot++)
            for (unsigned i = 0; i < s->dot_width && x < width; i++)
                to[x++] = dot < 8 ? dots[dot] : BLACK;
        dot -= s->dots;
    }
}

static void draw_planes(const struct vga *v, ns_t now, const struct surface *to, unsigned width,
                        unsigned height)
{
    struct picture p;

    prepare(&p, v, now);
    vga_scan(v, &p.scan);
    for (unsigned y = 0; y < height; y++)
        draw_line(&p, y, to->pixel + (size_t)y * to->pitch, width);
}

/* ---- VBE ---- */

static uint32_t five(uint32_t bits)
{
    bits &= 31;
    return bits << 3 | bits >> 2;
}

static uint32_t six(uint32_t bits)
{
    bits &= 63;
    return bits << 2 | bits >> 4;
}

static uint32_t linear_pixel(const struct picture *p, const uint8_t *at)
{
    uint32_t word = at[0] | (uint32_t)at[1] << 8;

    switch (p->v->vbe[VBE_BPP]) {
    case 15:
        return five(word >> 10) << 16 | five(word >> 5) << 8 | five(word);
    case 16:
        return five(word >> 11) << 16 | six(word >> 5) << 8 | five(word);
    case 24:
    case 32:
        return word | (uint32_t)at[2] << 16;
    default:
        return p->dac[at[0]];
    }
}

static void draw_linear(const struct vga *v, ns_t now, const struct surface *to, unsigned width,
                        unsigned height)
{
    unsigned bytes = (v->vbe[VBE_BPP] + 7u) / 8, pitch = vga_vbe_pitch(v);
    struct picture p;

    prepare(&p, v, now);
    for (unsigned y = 0; y < height; y++) {
        uint32_t *row = to->pixel + (size_t)y * to->pitch;
        const uint8_t *at = v->mem + (size_t)(y + v->vbe[VBE_Y_OFFSET]) * pitch +
                            (size_t)v->vbe[VBE_X_OFFSET] * bytes;
        for (unsigned x = 0; x < width; x++, at += bytes)
            row[x] = linear_pixel(&p, at);
    }
}

/* 16 colours: planes, with VBE's width and offsets. */
static void draw_vbe_planes(const struct vga *v, ns_t now, const struct surface *to, unsigned width,
                            unsigned height)
{
    unsigned pitch = vga_vbe_pitch(v), left = v->vbe[VBE_X_OFFSET];
    struct picture p;
    uint32_t dots[8];

    prepare(&p, v, now);
    p.wide = false;
    for (unsigned y = 0; y < height; y++) {
        uint32_t *row = to->pixel + (size_t)y * to->pitch;
        unsigned o = (y + v->vbe[VBE_Y_OFFSET]) * pitch;
        for (unsigned x = 0; x < width; x++) {
            if (x == 0 || (x + left) % 8 == 0)
                eight_dots(&p, vga_at(o + (x + left) / 8, 0), dots);
            row[x] = dots[(x + left) % 8];
        }
    }
}

void vga_render(const struct vga *v, ns_t now, const struct surface *to)
{
    unsigned width, height;

    vga_size(v, &width, &height);
    width = width < to->width ? width : to->width;
    height = height < to->height ? height : to->height;
    if (!vga_shows(v)) {
        for (unsigned y = 0; y < height; y++)
            for (unsigned x = 0; x < width; x++)
                to->pixel[(size_t)y * to->pitch + x] = BLACK;
    } else if (vga_vbe_on(v)) {
        (v->vbe[VBE_BPP] == 4 ? draw_vbe_planes : draw_linear)(v, now, to, width, height);
    } else if (v->gc[GC_MISC] & GC_MISC_GRAPHICS) {
        draw_planes(v, now, to, width, height);
    } else {
        vga_draw_text(v, now, to);
    }
}
