/* SPDX-License-Identifier: MIT */
/*
 * vga_priv.h - names of registers and bits, and what the vga*.c files have from each other.
 */
#ifndef RING1_DEVICES_VGA_PRIV_H
#define RING1_DEVICES_VGA_PRIV_H

#include "devices/vga.h"

#define MISC_COLOUR   0x01u /* ports at 0x3dx, not 0x3bx */
#define MISC_RAM      0x02u
#define MISC_CLOCK(m) ((m) >> 2 & 3u)

enum { SEQ_RESET, SEQ_CLOCK, SEQ_PLANES, SEQ_FONTS, SEQ_MEMORY };
#define SEQ_CLOCK_8_DOTS  0x01u
#define SEQ_CLOCK_HALF    0x08u
#define SEQ_CLOCK_OFF     0x20u
#define SEQ_MEMORY_PLANAR 0x04u /* 0: odd/even */
#define SEQ_MEMORY_CHAIN4 0x08u

enum {
    CRTC_H_TOTAL,
    CRTC_H_DISPLAY,
    CRTC_V_TOTAL = 6,
    CRTC_OVERFLOW,
    CRTC_PRESET_ROW,
    CRTC_MAX_SCAN,
    CRTC_CURSOR_START,
    CRTC_CURSOR_END,
    CRTC_START_HIGH,
    CRTC_START_LOW,
    CRTC_CURSOR_HIGH,
    CRTC_CURSOR_LOW,
    CRTC_V_SYNC_START,
    CRTC_V_SYNC_END,
    CRTC_V_DISPLAY,
    CRTC_OFFSET,
    CRTC_UNDERLINE,
    CRTC_MODE = 0x17,
    CRTC_LINE_COMPARE,
};
#define CRTC_PROTECT         0x80u /* of V_SYNC_END */
#define CRTC_DOUBLE_SCAN     0x80u /* of MAX_SCAN */
#define CRTC_CURSOR_OFF      0x20u /* of CURSOR_START */
#define CRTC_DWORD           0x40u /* of UNDERLINE */
#define CRTC_COUNT_4         0x20u
#define CRTC_MODE_NO_CGA     0x01u /* 0: address bit 13 is row scan bit 0 */
#define CRTC_MODE_NO_HGC     0x02u /* 0: address bit 14 is row scan bit 1 */
#define CRTC_MODE_HALF_LINES 0x04u
#define CRTC_MODE_COUNT_2    0x08u
#define CRTC_MODE_WRAP_15    0x20u
#define CRTC_MODE_BYTE       0x40u
#define CRTC_MODE_ON         0x80u

enum { GC_SET, GC_SET_ENABLE, GC_COMPARE, GC_ROTATE, GC_READ, GC_MODE, GC_MISC, GC_CARE, GC_MASK };
#define GC_MODE_READ_1   0x08u
#define GC_MODE_ODD_EVEN 0x10u
#define GC_MODE_PAIRS    0x20u
#define GC_MODE_256      0x40u
#define GC_MISC_GRAPHICS 0x01u
#define GC_MISC_CHAIN_2  0x02u

enum { ATTR_MODE = 16, ATTR_BORDER, ATTR_PLANES, ATTR_PAN, ATTR_SELECT };
#define ATTR_INDEX_ON      0x20u /* of the index: the screen has the palette, not the CPU */
#define ATTR_MODE_GRAPHICS 0x01u
#define ATTR_MODE_MONO     0x02u
#define ATTR_MODE_LINES    0x04u /* ninth dot of 0xc0-0xdf is the eighth */
#define ATTR_MODE_BLINK    0x08u
#define ATTR_MODE_PAN_TOP  0x20u
#define ATTR_MODE_256      0x40u
#define ATTR_MODE_P54      0x80u

#define VBE_ENABLED  0x01u /* of VBE_ENABLE */
#define VBE_GETCAPS  0x02u
#define VBE_DAC8     0x20u
#define VBE_LFB      0x40u
#define VBE_NOCLEAR  0x80u
#define VBE_ID_FIRST 0xb0c0u
#define VBE_ID_LAST  0xb0c5u

/* vga.h, Memory: bits 0-1 of the offset in a 64-KiB bank are bits 14-15 here. */
static inline uint32_t vga_at(uint32_t o, unsigned plane)
{
    return (o & ~0xffffu) << 2 | (o & 0xfffcu) | (o & 3) << 16 | plane;
}

static inline bool vga_vbe_on(const struct vga *v)
{
    return v->vbe[VBE_ENABLE] & VBE_ENABLED;
}

/* The card itself wrote these bytes of its memory. */
static inline void vga_wrote(const struct vga *v, uint32_t off, uint32_t len)
{
    if (v->frame.written)
        v->frame.written(v->frame.opaque, off, len);
}

/* vga_mem.c: registers have changed that decide what is seen at 0xa0000. */
void vga_bank_update(struct vga *v);

/* vga_vbe.c */
uint32_t vga_vbe_read(const struct vga *v);
void vga_vbe_write(struct vga *v, uint16_t value);
void vga_vbe_reset(struct vga *v);
/* Brings the registers into what the memory can hold. */
void vga_vbe_fit(struct vga *v);
unsigned vga_vbe_pitch(const struct vga *v); /* bytes; of one plane in the 16-colour mode */

/* vga_screen.c: what the CRT controller is programmed to. */
struct vga_scan {
    unsigned chars, dots; /* characters of a row; dots of a character, 8 or 9 */
    unsigned dot_width;   /* pixels of a dot: 1, or 2 at half the clock */
    unsigned lines;       /* of the picture */
    unsigned row_lines;   /* lines of a character row */
    unsigned doubled;     /* 1: each line is scanned twice */
    unsigned offset;      /* counter from one row to the next */
    unsigned start;       /* counter of the first row */
    unsigned compare;     /* the line after this one begins at counter 0 */
    unsigned pan;         /* dots */
};
void vga_scan(const struct vga *v, struct vga_scan *out);
/* Where line y of the picture comes from. */
struct vga_line {
    unsigned counter; /* of its first character */
    unsigned row_scan;
    unsigned pan; /* dots */
};
void vga_line(const struct vga *v, const struct vga_scan *s, unsigned y, struct vga_line *out);
/* The offset in a plane to which a counter leads in this row scan. */
unsigned vga_address(const struct vga *v, unsigned counter, unsigned row_scan);
/* Frames shown so far, at `now`. */
uint64_t vga_frame(const struct vga *v, ns_t now);
/* What port 0x3da shows of the beam: bit 0 no display, bit 3 vertical retrace. */
uint8_t vga_retrace(const struct vga *v, ns_t now);
/* Is anything shown? */
bool vga_shows(const struct vga *v);

/* vga_draw.c: the pixel, 0x00RRGGBB, of a DAC entry, and of the 16 colours through the palette. */
uint32_t vga_dac_pixel(const struct vga *v, unsigned n);
void vga_palette(const struct vga *v, uint32_t out[16]);
/* vga_text.c */
void vga_draw_text(const struct vga *v, ns_t now, const struct surface *to);

#endif
