/* SPDX-License-Identifier: MIT */
/*
 * vga_firmware.c - the card as a video BIOS leaves it: mode 3, 80 by 25 characters of 9 by 16 dots,
 * an empty screen, the colours of a PC.
 */
#include "devices/vga_font.h"
#include "devices/vga_priv.h"
#include "include/ring1/mem.h"

#define COLUMNS 80u
#define ROWS    25u
#define EMPTY   0x20u
#define GREY    0x07u /* attribute: light grey on black */

/* IBM PS/2 Hardware Interface Technical Reference, "BIOS mode initialization", mode 3+. */
static const uint8_t mode3_seq[VGA_SEQ_REGS] = {0x03, 0x00, 0x03, 0x00, 0x02};
static const uint8_t mode3_crtc[VGA_CRTC_REGS] = {
    0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0x00,
    0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff};
static const uint8_t mode3_gc[VGA_GC_REGS] = {0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0e, 0x00, 0xff};
static const uint8_t mode3_attr[VGA_ATTR_REGS] = {0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14,
                                                  0x07, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d,
                                                  0x3e, 0x3f, 0x0c, 0x00, 0x0f, 0x08, 0x00};
#define MODE3_MISC 0x67u

/* The 64 colours of an EGA screen: bits 0-2 are two thirds of blue, green, red, bits 3-5 one
 * third. */
static void set_colours(struct vga *v)
{
    memset(v->dac, 0, sizeof v->dac);
    for (unsigned n = 0; n < 64; n++)
        for (unsigned part = 0; part < 3; part++)
            v->dac[3 * n + part] =
                (uint8_t)((n >> (2 - part) & 1) * 0x2a + (n >> (5 - part) & 1) * 0x15);
}

static void put(struct vga *v, unsigned plane, uint32_t o, uint8_t byte)
{
    v->mem[vga_at(o, plane)] = byte;
    vga_wrote(v, vga_at(o, plane), 1);
}

static void set_text(struct vga *v)
{
    uint8_t rows[FONT_HEIGHT];

    for (unsigned code = 0; code < 256; code++) {
        vga_font_glyph((uint8_t)code, rows);
        for (unsigned y = 0; y < 32; y++)
            put(v, 2, code * 32 + y, y < FONT_HEIGHT ? rows[y] : 0);
    }
    for (unsigned n = 0; n < COLUMNS * ROWS; n++) {
        put(v, 0, 2 * n, EMPTY);
        put(v, 1, 2 * n, GREY);
    }
}

void vga_firmware_setup(struct vga *v)
{
    v->misc = MODE3_MISC;
    memcpy(v->seq, mode3_seq, sizeof v->seq);
    memcpy(v->crtc, mode3_crtc, sizeof v->crtc);
    memcpy(v->gc, mode3_gc, sizeof v->gc);
    memcpy(v->attr, mode3_attr, sizeof v->attr);
    v->attr_index = ATTR_INDEX_ON;
    set_colours(v);
    set_text(v);
    pci_config_write(&v->fn, PCI_BAR0, 4, VGA_BAR0);
    pci_config_write(&v->fn, PCI_BAR0 + 8, 4, VGA_BAR2);
    pci_config_write(&v->fn, PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
}
