/* SPDX-License-Identifier: MIT */
/*
 * vga_screen.c - what the CRT controller scans: how large the picture is, when the beam is where,
 * and which bytes a line shows.
 */
#include "devices/vga_priv.h"

/* Dots per second of the two crystals; the others are nobody's on this card. */
static const uint32_t dot_clock[4] = {25175000, 28322000, 25175000, 25175000};

static unsigned overflow(const struct vga *v, unsigned bit8, unsigned bit9)
{
    uint8_t o = v->crtc[CRTC_OVERFLOW];

    return (o >> bit8 & 1u) << 8 | (o >> bit9 & 1u) << 9;
}

static unsigned character_dots(const struct vga *v)
{
    return v->seq[SEQ_CLOCK] & SEQ_CLOCK_8_DOTS ? 8 : 9;
}

/* ---- the picture ---- */

static unsigned panning(const struct vga *v, unsigned dots)
{
    unsigned pan = v->attr[ATTR_PAN] & 0xf;

    if (v->attr[ATTR_MODE] & ATTR_MODE_256)
        return pan & 7 & ~1u; /* a pixel is two dots */
    if (dots == 9)
        return pan >= 8 ? 0 : pan + 1;
    return pan & 7;
}

void vga_scan(const struct vga *v, struct vga_scan *s)
{
    uint8_t max = v->crtc[CRTC_MAX_SCAN];

    s->chars = v->crtc[CRTC_H_DISPLAY] + 1u;
    s->dots = character_dots(v);
    s->dot_width = v->seq[SEQ_CLOCK] & SEQ_CLOCK_HALF ? 2 : 1;
    s->lines = (v->crtc[CRTC_V_DISPLAY] | overflow(v, 1, 6)) + 1u;
    if (v->crtc[CRTC_MODE] & CRTC_MODE_HALF_LINES)
        s->lines *= 2;
    s->row_lines = (max & 0x1f) + 1u;
    s->doubled = max & CRTC_DOUBLE_SCAN ? 1 : 0;
    s->offset = v->crtc[CRTC_OFFSET] * 2u;
    s->start = (unsigned)v->crtc[CRTC_START_HIGH] << 8 | v->crtc[CRTC_START_LOW];
    s->start += v->crtc[CRTC_PRESET_ROW] >> 5 & 3;
    s->compare =
        v->crtc[CRTC_LINE_COMPARE] | (overflow(v, 4, 4) & 0x100) | (unsigned)(max & 0x40) << 3;
    if (v->crtc[CRTC_MODE] & CRTC_MODE_HALF_LINES)
        s->compare = s->compare * 2 + 1;
    s->pan = panning(v, s->dots);
}

void vga_size(const struct vga *v, unsigned *width, unsigned *height)
{
    struct vga_scan s;

    if (vga_vbe_on(v)) {
        *width = v->vbe[VBE_XRES];
        *height = v->vbe[VBE_YRES];
        return;
    }
    vga_scan(v, &s);
    *width = s.chars * s.dots * s.dot_width;
    *height = s.lines;
}

bool vga_shows(const struct vga *v)
{
    if (!(v->attr_index & ATTR_INDEX_ON))
        return false;
    return vga_vbe_on(v) || (v->seq[SEQ_RESET] == 3 && !(v->seq[SEQ_CLOCK] & SEQ_CLOCK_OFF) &&
                             (v->crtc[CRTC_MODE] & CRTC_MODE_ON));
}

/* Lines are scanned once or twice; s->row_lines of them are a row. Below the line compare it begins
 * anew, at counter 0 and row scan 0. */
void vga_line(const struct vga *v, const struct vga_scan *s, unsigned y, struct vga_line *out)
{
    unsigned scan, start = s->start;

    out->pan = s->pan;
    if (y > s->compare) {
        y -= s->compare + 1;
        start = 0;
        scan = y >> s->doubled;
        if (v->attr[ATTR_MODE] & ATTR_MODE_PAN_TOP)
            out->pan = 0;
    } else {
        scan = (y >> s->doubled) + (v->crtc[CRTC_PRESET_ROW] & 0x1f);
    }
    out->row_scan = scan % s->row_lines;
    out->counter = start + scan / s->row_lines * s->offset;
}

/* The counter's bits on the memory's address lines: as they are, or turned by one (words) or two
 * (dwords), so that the lowest plane offsets step by 2 or 4. Row scan bits take the place of
 * address bits 13 and 14 where the CGA and the Hercules card had them. */
unsigned vga_address(const struct vga *v, unsigned counter, unsigned row_scan)
{
    uint8_t mode = v->crtc[CRTC_MODE];
    unsigned at = counter & 0xffff;

    if (v->crtc[CRTC_UNDERLINE] & CRTC_DWORD)
        at = (at << 2 & 0xfffc) | at >> 14;
    else if (!(mode & CRTC_MODE_BYTE))
        at = (at << 1 & 0xfffe) | (at >> (mode & CRTC_MODE_WRAP_15 ? 15 : 13) & 1);
    if (!(mode & CRTC_MODE_NO_CGA))
        at = (at & ~0x2000u) | (row_scan & 1) << 13;
    if (!(mode & CRTC_MODE_NO_HGC))
        at = (at & ~0x4000u) | (row_scan >> 1 & 1) << 14;
    return at;
}

/* ---- time ---- */

struct timing {
    uint32_t clock;         /* dots per second */
    unsigned line, display; /* dots of a line, and of its shown part */
    unsigned total, shown;  /* lines */
    unsigned sync, sync_end;
    uint64_t frame_ns;
};

static struct timing timing_of(const struct vga *v)
{
    unsigned dots = character_dots(v) * (v->seq[SEQ_CLOCK] & SEQ_CLOCK_HALF ? 2 : 1);
    struct timing t = {.clock = dot_clock[MISC_CLOCK(v->misc)]};

    t.line = (v->crtc[CRTC_H_TOTAL] + 5u) * dots;
    t.display = (v->crtc[CRTC_H_DISPLAY] + 1u) * dots;
    t.total = (v->crtc[CRTC_V_TOTAL] | overflow(v, 0, 5)) + 2u;
    t.shown = (v->crtc[CRTC_V_DISPLAY] | overflow(v, 1, 6)) + 1u;
    t.sync = v->crtc[CRTC_V_SYNC_START] | overflow(v, 2, 7);
    /* It ends where the low 4 bits of the line are these. */
    t.sync_end = t.sync + ((v->crtc[CRTC_V_SYNC_END] - t.sync - 1) & 0xf) + 1;
    if (v->crtc[CRTC_MODE] & CRTC_MODE_HALF_LINES) {
        t.total *= 2, t.shown *= 2;
        t.sync *= 2, t.sync_end *= 2;
    }
    t.frame_ns = (uint64_t)t.line * t.total * NS_PER_SEC / t.clock;
    return t;
}

uint64_t vga_frame(const struct vga *v, ns_t now)
{
    return now / timing_of(v).frame_ns;
}

uint8_t vga_retrace(const struct vga *v, ns_t now)
{
    struct timing t = timing_of(v);
    uint64_t dot = now % t.frame_ns * t.clock / NS_PER_SEC;
    unsigned line = (unsigned)(dot / t.line), at = (unsigned)(dot % t.line);
    bool sync = line >= t.sync && line < t.sync_end, dark = line >= t.shown || at >= t.display;

    return (uint8_t)((sync ? 8u : 0) | (dark || sync ? 1u : 0));
}
