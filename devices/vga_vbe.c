/* SPDX-License-Identifier: MIT */
/*
 * vga_vbe.c - the Bochs VBE registers: a linear mode of any size, and where the picture begins in
 * memory.
 *
 * Whatever is written is brought at once into what the memory can hold, and reads back so: width a
 * multiple of 8, a picture that fits, offsets of 0 where the picture would end outside.
 */
#include "devices/vga_priv.h"
#include "include/ring1/mem.h"

#define BANK_SIZE 0x10000u

/* Bits of a pixel in memory; 0: there is no such mode. */
static unsigned pixel_bits(unsigned bpp)
{
    switch (bpp) {
    case 4: /* planes of 1 bit */
    case 8:
    case 16:
    case 24:
    case 32:
        return bpp;
    case 15:
        return 16;
    default:
        return 0;
    }
}

/* Bytes of memory that a row of the picture occupies; planes lie beside each other. */
static uint64_t row_bytes(const struct vga *v, unsigned width)
{
    return (uint64_t)width * pixel_bits(v->vbe[VBE_BPP]) / 8;
}

unsigned vga_vbe_pitch(const struct vga *v)
{
    unsigned bytes = (unsigned)row_bytes(v, v->vbe[VBE_VIRT_WIDTH]);

    return v->vbe[VBE_BPP] == 4 ? bytes / 4 : bytes;
}

static uint16_t clamp(unsigned val, unsigned least, unsigned most)
{
    return (uint16_t)(val < least ? least : val > most ? most : val);
}

void vga_vbe_fit(struct vga *v)
{
    uint16_t *r = v->vbe;

    r[VBE_ID] = clamp(r[VBE_ID], VBE_ID_FIRST, VBE_ID_LAST);
    if (!pixel_bits(r[VBE_BPP]))
        r[VBE_BPP] = 8;
    r[VBE_XRES] = clamp(r[VBE_XRES] & ~7u, 8, VGA_MAX_WIDTH);
    r[VBE_VIRT_WIDTH] = clamp(r[VBE_VIRT_WIDTH] & ~7u, r[VBE_XRES], 0xfff8);
    if (row_bytes(v, r[VBE_VIRT_WIDTH]) * (r[VBE_YRES] ? r[VBE_YRES] : 1) > v->mem_size)
        r[VBE_VIRT_WIDTH] = r[VBE_XRES];
    uint64_t rows = v->mem_size / row_bytes(v, r[VBE_VIRT_WIDTH]); /* 256 KiB are 4 of the widest */
    r[VBE_VIRT_HEIGHT] = clamp(rows > 0xffff ? 0xffff : (unsigned)rows, 1, 0xffff);
    r[VBE_YRES] = clamp(r[VBE_YRES], 1, rows < VGA_MAX_HEIGHT ? (unsigned)rows : VGA_MAX_HEIGHT);
    if (row_bytes(v, r[VBE_X_OFFSET]) +
            row_bytes(v, r[VBE_VIRT_WIDTH]) * ((uint64_t)r[VBE_Y_OFFSET] + r[VBE_YRES]) >
        v->mem_size)
        r[VBE_X_OFFSET] = r[VBE_Y_OFFSET] = 0;
    r[VBE_BANK] = clamp(r[VBE_BANK], 0, v->mem_size / BANK_SIZE - 1);
    r[VBE_MEMORY_64K] = (uint16_t)(v->mem_size / BANK_SIZE);
}

static void clear(struct vga *v, uint32_t len)
{
    memset(v->mem, 0, len);
    vga_wrote(v, 0, len);
}

/* A mode begins with an empty picture, seen from its corner, unless the memory is to stay. */
static void enable(struct vga *v, uint16_t value)
{
    bool starts = (value & VBE_ENABLED) && !vga_vbe_on(v);

    if ((value ^ v->vbe[VBE_ENABLE]) & VBE_DAC8)
        for (unsigned i = 0; i < sizeof v->dac; i++) /* colours stay the same */
            v->dac[i] = value & VBE_DAC8 ? (uint8_t)(v->dac[i] << 2) : v->dac[i] >> 2;
    v->vbe[VBE_ENABLE] = value & (VBE_ENABLED | VBE_GETCAPS | VBE_DAC8 | VBE_LFB | VBE_NOCLEAR);
    if (!(value & VBE_ENABLED))
        v->vbe[VBE_BANK] = 0;
    if (!starts)
        return;
    v->vbe[VBE_VIRT_WIDTH] = v->vbe[VBE_XRES];
    v->vbe[VBE_X_OFFSET] = v->vbe[VBE_Y_OFFSET] = 0;
    vga_vbe_fit(v);
    if (!(value & VBE_NOCLEAR))
        clear(v, (uint32_t)(row_bytes(v, v->vbe[VBE_VIRT_WIDTH]) * v->vbe[VBE_YRES]));
}

uint32_t vga_vbe_read(const struct vga *v)
{
    bool caps = v->vbe[VBE_ENABLE] & VBE_GETCAPS;

    if (v->vbe_index >= VGA_VBE_REGS)
        return 0;
    if (caps && v->vbe_index == VBE_XRES)
        return VGA_MAX_WIDTH;
    if (caps && v->vbe_index == VBE_YRES)
        return VGA_MAX_HEIGHT;
    if (caps && v->vbe_index == VBE_BPP)
        return 32;
    return v->vbe[v->vbe_index];
}

void vga_vbe_write(struct vga *v, uint16_t value)
{
    switch (v->vbe_index) {
    case VBE_ID:
        if (value >= VBE_ID_FIRST && value <= VBE_ID_LAST)
            v->vbe[VBE_ID] = value;
        break;
    case VBE_ENABLE:
        enable(v, value);
        break;
    case VBE_XRES:
    case VBE_YRES:
    case VBE_BPP:
    case VBE_BANK:
    case VBE_VIRT_WIDTH:
    case VBE_X_OFFSET:
    case VBE_Y_OFFSET:
        v->vbe[v->vbe_index] = value;
        if (vga_vbe_on(v))
            vga_vbe_fit(v);
        break;
    default: /* read-only, or not there */
        break;
    }
    vga_bank_update(v);
}

void vga_vbe_reset(struct vga *v)
{
    v->vbe[VBE_ID] = VBE_ID_LAST;
    v->vbe[VBE_MEMORY_64K] = (uint16_t)(v->mem_size / BANK_SIZE);
}
