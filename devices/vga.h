/* SPDX-License-Identifier: MIT */
/*
 * vga.h - the graphics card: an IBM VGA with 16 MiB of memory, the Bochs VBE registers on top, as a
 * PCI function.
 *
 * Promises   Registers keep the bits that the VGA has, and are read back as the VGA gives them.
 *            Every bit that decides what is on the screen decides it here, by the counters of the
 *            CRT controller: a mode is nothing but its registers. Retrace follows from the
 *            programmed timing and the board's time. No value of any register leads out of the
 *            memory, or makes a picture larger than VGA_MAX_WIDTH x VGA_MAX_HEIGHT.
 * Invariant  All that the guest decides is in the saved part and in the memory. The caller owns the
 *            memory and saves it.
 * Windows    0x3b0-0x3df -> offset 0; VBE: 0x1ce-0x1d1 -> offset 0; memory 0xa0000-0xbffff ->
 *            offset 0; BAR 0 the whole memory as it is; BAR 2 both register sets (vga_mmio_ops).
 * Direct     Where the memory is seen as it is, the guest need not ask (vga_map()). Then a read
 *            loads no latches: see docs/DEVIATIONS.md.
 * Memory     Byte `o` of plane p lies at vga_at(o, p): chain-4 and the linear modes then are
 *            linear.
 * Not here   Firmware (its ROM, int 10h); a light pen; the vertical interrupt (a PCI VGA has no
 *            pin for it). docs/DEVIATIONS.md, section 7.
 * Source     IBM PS/2 Hardware Interface Technical Reference, "Video Subsystem"; the Bochs VBE
 *            interface as QEMU's docs/specs/standard-vga describes it.
 *
 * vga.c         ports: sequencer, CRT, graphics, attribute controller, DAC; PCI
 * vga_vbe.c     the VBE registers and what a linear mode is
 * vga_mem.c     the CPU's way to the memory: planes, latches, write modes
 * vga_screen.c  what the CRT controller scans: sizes, timing, addresses
 * vga_text.c    text modes as pixels and as characters
 * vga_draw.c    graphics modes as pixels
 * vga_firmware.c, vga_font.c  mode 3 as a video BIOS leaves it
 */
#ifndef RING1_DEVICES_VGA_H
#define RING1_DEVICES_VGA_H

#include "devices/pci.h"

#define VGA_MEMORY     (16u << 20) /* also what -vga std of QEMU has */
#define VGA_BAR0       0xfd000000u /* where firmware puts the memory on this board */
#define VGA_BAR2       0xfebf0000u
#define VGA_MAX_WIDTH  16000u
#define VGA_MAX_HEIGHT 12000u

#define VGA_SEQ_REGS  5u
#define VGA_CRTC_REGS 25u
#define VGA_GC_REGS   9u
#define VGA_ATTR_REGS 21u
#define VGA_VBE_REGS  11u

enum vga_vbe_reg {
    VBE_ID,
    VBE_XRES,
    VBE_YRES,
    VBE_BPP,
    VBE_ENABLE,
    VBE_BANK,
    VBE_VIRT_WIDTH,
    VBE_VIRT_HEIGHT,
    VBE_X_OFFSET,
    VBE_Y_OFFSET,
    VBE_MEMORY_64K,
};

struct vga {
    uint8_t misc, feature; /* 0x3c2, 0x3da */
    uint8_t seq_index, crtc_index, gc_index, attr_index;
    bool attr_data; /* the flip-flop: the next write to 0x3c0 is data */
    uint8_t seq[VGA_SEQ_REGS], crtc[VGA_CRTC_REGS], gc[VGA_GC_REGS], attr[VGA_ATTR_REGS];
    uint8_t latch[4];
    uint8_t dac[768]; /* red, green, blue of each colour; 6 bits, or 8 when VBE says so */
    uint8_t dac_mask, dac_index, dac_part, dac_new[2];
    bool dac_reading; /* what 0x3c7 says */
    uint16_t vbe_index, vbe[VGA_VBE_REGS];
    uint8_t vbe_low; /* a word to the odd port 0x1cf comes as two bytes */
    struct pci_cfg cfg;
    char wires_begin[1];
    struct pci_fn fn;
    uint8_t *mem;
    uint32_t mem_size;       /* a power of two, 256 KiB to 16 MiB */
    struct dev_memory frame; /* vga_map(); zeroes: nothing is reached directly */
    struct dev_view bank;
    uint64_t bank_at, bank_off; /* where the bank is shown: bank_at DEV_MEMORY_NOWHERE: nowhere */
};

extern const struct dev_ops vga_ops; /* the ports; also reset and state */
extern const struct dev_ops vga_vbe_ops, vga_mem_ops, vga_lfb_ops, vga_mmio_ops;

/* Makes the card. `mem`: mem_size zeroed bytes, which the caller owns and keeps. */
void vga_init(struct vga *v, uint8_t *mem, uint32_t mem_size);
/* The guest reaches the memory directly where it lies as it is: at BAR 0, and in the linear modes
 * its bank at 0xa0000 (vga_mem.c). What the card itself writes it tells *frame. */
void vga_map(struct vga *v, const struct dev_memory *frame, const struct dev_view *bank);
/* Sets the card up as a video BIOS leaves it: mode 3 with a font, an empty screen, the base
 * addresses assigned. */
void vga_firmware_setup(struct vga *v);

/* ---- the picture ---- */

/* Pixels are 0x00RRGGBB, rows from the top. */
struct surface {
    uint32_t *pixel;
    unsigned width, height;
    unsigned pitch; /* pixels from one row to the next */
};

/* Size of the picture in pixels now; never 0. The border is not part of it. */
void vga_size(const struct vga *v, unsigned *width, unsigned *height);
/* Draws the picture as it is at `now`, cut to the surface. The time decides what blinks. */
void vga_render(const struct vga *v, ns_t now, const struct surface *to);

/* The screen as characters; false in graphics modes, and when nothing is shown. */
struct vga_text {
    unsigned columns, rows;
    bool cursor; /* it is on and on the screen; blinking does not count */
    unsigned cursor_column, cursor_row;
};
bool vga_text(const struct vga *v, struct vga_text *out);
/* A cell of that screen: its code in bits 0-7 (a place in the guest's font, mostly code page 437),
 * its attribute in bits 8-15. */
uint16_t vga_text_cell(const struct vga *v, unsigned column, unsigned row);

#endif
