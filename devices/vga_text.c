/* SPDX-License-Identifier: MIT */
/*
 * vga_text.c - text modes: characters in plane 0, attributes in plane 1, the font in plane 2.
 *
 * A blinking cursor is on for 8 frames of 16, blinking characters are on for 16 of 32.
 */
#include "devices/vga_priv.h"

static uint8_t plane_byte(const struct vga *v, unsigned plane, unsigned o)
{
    return v->mem[vga_at(o & 0xffff, plane) & (v->mem_size - 1)];
}

/* Where a font of 256 characters of 32 bytes begins in plane 2: by bits of SEQ_FONTS. */
static unsigned font_at(unsigned select)
{
    return (select & 3) << 14 | (select & 4) << 11;
}

/* What all characters have in common. */
struct text {
    const struct vga *v;
    struct vga_scan scan;
    uint32_t colour[16];
    unsigned font[2];     /* by bit 3 of the attribute */
    unsigned cursor;      /* its counter */
    unsigned first, last; /* its lines; first > last: none */
    bool cursor_on, blink_on;
};

static void prepare(struct text *t, const struct vga *v, ns_t now)
{
    uint8_t fonts = v->seq[SEQ_FONTS];
    uint64_t frame = vga_frame(v, now);

    t->v = v;
    vga_scan(v, &t->scan);
    vga_palette(v, t->colour);
    t->font[0] = font_at((fonts & 3) | (fonts >> 2 & 4));
    t->font[1] = font_at((fonts >> 2 & 3) | (fonts >> 3 & 4));
    t->cursor = (unsigned)v->crtc[CRTC_CURSOR_HIGH] << 8 | v->crtc[CRTC_CURSOR_LOW];
    t->first = v->crtc[CRTC_CURSOR_START] & 0x1f;
    t->last = v->crtc[CRTC_CURSOR_END] & 0x1f;
    t->cursor_on = !(v->crtc[CRTC_CURSOR_START] & CRTC_CURSOR_OFF) && !(frame & 8);
    t->blink_on = !(frame & 16);
}

/* Is the attribute that of an underlined character on a monochrome screen? */
static bool underlined(const struct text *t, uint8_t attr, unsigned row_scan)
{
    return (t->v->attr[ATTR_MODE] & ATTR_MODE_MONO) && (attr & 7) == 1 &&
           row_scan == (t->v->crtc[CRTC_UNDERLINE] & 0x1f);
}

/* The dots of a character in one line: bit 8 is the leftmost, bit 0 the ninth. */
static unsigned pattern(const struct text *t, uint8_t code, uint8_t attr, unsigned row_scan)
{
    unsigned dots = plane_byte(t->v, 2, t->font[attr >> 3 & 1] + code * 32u + row_scan) << 1;

    if ((code & 0xe0) == 0xc0 && (t->v->attr[ATTR_MODE] & ATTR_MODE_LINES))
        dots |= dots >> 1 & 1;
    return underlined(t, attr, row_scan) ? 0x1ff : dots;
}

struct cell {
    unsigned dots;
    uint32_t fore, back;
};

static struct cell cell_at(const struct text *t, unsigned counter, unsigned row_scan)
{
    const struct vga *v = t->v;
    unsigned at = vga_address(v, counter, row_scan);
    uint8_t code = plane_byte(v, 0, at), attr = plane_byte(v, 1, at);
    bool blink = v->attr[ATTR_MODE] & ATTR_MODE_BLINK;
    struct cell c = {.dots = pattern(t, code, attr, row_scan),
                     .fore = t->colour[attr & 0xf],
                     .back = t->colour[attr >> 4 & (blink ? 7 : 0xf)]};

    if (blink && (attr & 0x80) && !t->blink_on)
        c.dots = 0;
    if (t->cursor_on && (counter & 0xffff) == t->cursor && row_scan >= t->first &&
        row_scan <= t->last)
        c.dots = 0x1ff;
    return c;
}

static void draw_line(const struct text *t, unsigned y, uint32_t *to, unsigned width)
{
    const struct vga_scan *s = &t->scan;
    struct vga_line line;
    unsigned x = 0, dot;

    vga_line(t->v, s, y, &line);
    dot = line.pan;
    for (unsigned n = 0; n <= s->chars && x < width; n++, dot = 0) {
        struct cell c = cell_at(t, line.counter + n, line.row_scan);

        for (; dot < s->dots; dot++)
            for (unsigned i = 0; i < s->dot_width && x < width; i++)
                to[x++] = c.dots << dot & 0x100 ? c.fore : c.back;
    }
}

void vga_draw_text(const struct vga *v, ns_t now, const struct surface *to)
{
    struct text t;
    unsigned width, height;

    prepare(&t, v, now);
    vga_size(v, &width, &height);
    if (width > to->width)
        width = to->width;
    for (unsigned y = 0; y < height && y < to->height; y++)
        draw_line(&t, y, to->pixel + (size_t)y * to->pitch, width);
}

/* ---- as characters ---- */

bool vga_text(const struct vga *v, struct vga_text *out)
{
    struct vga_scan s;
    unsigned cursor = (unsigned)v->crtc[CRTC_CURSOR_HIGH] << 8 | v->crtc[CRTC_CURSOR_LOW], from;

    *out = (struct vga_text){0};
    if (!vga_shows(v) || vga_vbe_on(v) || (v->gc[GC_MISC] & GC_MISC_GRAPHICS))
        return false;
    vga_scan(v, &s);
    out->columns = s.chars;
    out->rows = (s.lines >> s.doubled) / s.row_lines;
    from = (cursor - s.start) & 0xffff;
    if (!s.offset || (v->crtc[CRTC_CURSOR_START] & CRTC_CURSOR_OFF))
        return true;
    out->cursor_column = from % s.offset;
    out->cursor_row = from / s.offset;
    out->cursor = out->cursor_column < out->columns && out->cursor_row < out->rows;
    return true;
}

uint16_t vga_text_cell(const struct vga *v, unsigned column, unsigned row)
{
    struct vga_scan s;
    struct vga_line line;

    vga_scan(v, &s);
    vga_line(v, &s, row * s.row_lines << s.doubled, &line);
    unsigned at = vga_address(v, line.counter + column, 0);
    return (uint16_t)(plane_byte(v, 0, at) | plane_byte(v, 1, at) << 8);
}
