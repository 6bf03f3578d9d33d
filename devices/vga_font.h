/* SPDX-License-Identifier: MIT */
/* vga_font.h - the font of a screen that no video BIOS has given one. */
#ifndef RING1_DEVICES_VGA_FONT_H
#define RING1_DEVICES_VGA_FONT_H

#include "include/ring1/types.h"

#define FONT_HEIGHT 16u

/* Rows from the top; bit 7 is the left dot. */
void vga_font_glyph(uint8_t code, uint8_t out[FONT_HEIGHT]);

#endif
