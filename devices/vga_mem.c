/* SPDX-License-Identifier: MIT */
/*
 * vga_mem.c - the CPU's way to the card's memory.
 *
 * An access of the CPU is some accesses of bytes. For each the graphics controller's address map
 * and the chaining say which planes it means at which offset; a write goes through the data path
 * of the four write modes, where each plane gets a byte of its own.
 */
#include "devices/vga_priv.h"

#define BANK_AT   0xa0000u
#define BANK_SIZE 0x10000u
#define ALL_ONES  0xffu

/* Where a byte is. */
struct place {
    uint32_t o;
    unsigned write_planes; /* bit n: plane n is meant, if the sequencer lets it */
    unsigned read_plane;
};

/* Offset in the window that the map selects; false: the card does not answer there. */
static bool window_offset(const struct vga *v, uint32_t off, uint32_t *at)
{
    static const struct {
        uint32_t first, size;
    } map[] = {{0, 0x20000}, {0, 0x10000}, {0x10000, 0x8000}, {0x18000, 0x8000}};
    unsigned n = v->gc[GC_MISC] >> 2 & 3;

    *at = off - map[n].first;
    return off >= map[n].first && *at < map[n].size;
}

static struct place place_of(const struct vga *v, uint32_t at)
{
    uint32_t bank = vga_vbe_on(v) ? v->vbe[VBE_BANK] * BANK_SIZE : 0, o = at & 0xffff;

    if (v->seq[SEQ_MEMORY] & SEQ_MEMORY_CHAIN4)
        return (struct place){bank | (o & ~3u), 1u << (o & 3), o & 3};

    struct place p = {bank | o, 0xf, v->gc[GC_READ] & 3};
    if (!(v->seq[SEQ_MEMORY] & SEQ_MEMORY_PLANAR))
        p.write_planes = o & 1 ? 0xa : 0x5;
    if (v->gc[GC_MODE] & GC_MODE_ODD_EVEN)
        p.read_plane = (p.read_plane & 2) | (o & 1);
    if (v->gc[GC_MISC] & GC_MISC_CHAIN_2)
        p.o &= ~1u;
    return p;
}

/* Planes are four bytes that lie together: one byte each of a dword, plane 0 in its low byte. */
static uint8_t *planes_at(const struct vga *v, uint32_t o)
{
    return v->mem + (vga_at(o, 0) & (v->mem_size - 1));
}

static uint32_t load(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void store(uint8_t *p, uint32_t val)
{
    for (unsigned i = 0; i < 4; i++)
        p[i] = (uint8_t)(val >> 8 * i);
}

/* Bit n of `planes` in all bits of plane n. */
static uint32_t spread(unsigned planes)
{
    return (planes & 1 ? 0xffu : 0) | (planes & 2 ? 0xff00u : 0) | (planes & 4 ? 0xff0000u : 0) |
           (planes & 8 ? 0xff000000u : 0);
}

static uint8_t read_byte(struct vga *v, uint32_t at)
{
    struct place p = place_of(v, at);
    uint32_t all = load(planes_at(v, p.o)), differ;

    store(v->latch, all);
    if (!(v->gc[GC_MODE] & GC_MODE_READ_1))
        return (uint8_t)(all >> 8 * p.read_plane);
    differ = (all ^ spread(v->gc[GC_COMPARE])) & spread(v->gc[GC_CARE]);
    differ |= differ >> 16;
    return (uint8_t) ~(differ | differ >> 8);
}

/* What the planes get: the data path of the graphics controller. */
static uint32_t data_path(const struct vga *v, uint8_t byte)
{
    unsigned turn = v->gc[GC_ROTATE] & 7, mode = v->gc[GC_MODE] & 3;
    uint8_t turned = (uint8_t)(byte >> turn | byte << (8 - turn)), mask = v->gc[GC_MASK];
    uint32_t latch = load(v->latch), set = spread(v->gc[GC_SET]), val = turned * 0x01010101u;

    if (mode == 1)
        return latch;
    if (mode == 0) {
        uint32_t by = spread(v->gc[GC_SET_ENABLE]);
        val = (val & ~by) | (set & by);
    } else if (mode == 2) {
        val = spread(byte);
    } else {
        mask &= turned;
        val = set;
    }
    switch (v->gc[GC_ROTATE] >> 3) {
    case 1:
        val &= latch;
        break;
    case 2:
        val |= latch;
        break;
    case 3:
        val ^= latch;
        break;
    default:
        break;
    }
    uint32_t bits = mask * 0x01010101u;
    return (val & bits) | (latch & ~bits);
}

static void write_byte(struct vga *v, uint32_t at, uint8_t byte)
{
    struct place p = place_of(v, at);
    uint8_t *to = planes_at(v, p.o);
    uint32_t keep = ~spread(p.write_planes & v->seq[SEQ_PLANES]);

    store(to, (load(to) & keep) | (data_path(v, byte) & ~keep));
    vga_wrote(v, (uint32_t)(to - v->mem), 4);
}

static bool answers(const struct vga *v)
{
    return (v->misc & MISC_RAM) && (v->cfg.byte[PCI_COMMAND] & PCI_COMMAND_MEMORY);
}

/* The linear modes have 64 KiB of the memory, as it is, at 0xa0000. */
static uint8_t *banked(const struct vga *v, uint32_t off)
{
    if (!vga_vbe_on(v) || v->vbe[VBE_BPP] == 4 || off >= BANK_SIZE)
        return NULL;
    return v->mem + ((v->vbe[VBE_BANK] * BANK_SIZE + off) & (v->mem_size - 1));
}

/* Chain-4 with the graphics controller passing on what it gets: 64 KiB as they are (mode 13h). */
static bool is_plain_chain4(const struct vga *v)
{
    const uint8_t *gc = v->gc;

    return (v->seq[SEQ_MEMORY] & SEQ_MEMORY_CHAIN4) && v->seq[SEQ_PLANES] == 0xf &&
           (gc[GC_MISC] >> 2 & 3) < 2 && !(gc[GC_MODE] & (3 | GC_MODE_READ_1)) && !gc[GC_ROTATE] &&
           !gc[GC_SET_ENABLE] && gc[GC_MASK] == 0xff;
}

void vga_bank_update(struct vga *v)
{
    uint64_t at = DEV_MEMORY_NOWHERE, off = 0;

    if (!v->bank.show)
        return;
    if (answers(v) && (banked(v, 0) || (!vga_vbe_on(v) && is_plain_chain4(v)))) {
        at = BANK_AT;
        off = vga_vbe_on(v) ? v->vbe[VBE_BANK] * BANK_SIZE & (v->mem_size - 1) : 0;
    }
    if (at == v->bank_at && off == v->bank_off)
        return;
    v->bank_at = at;
    v->bank_off = off;
    v->bank.show(v->bank.opaque, at, off);
}

static uint32_t mem_read(void *dev, uint32_t off, unsigned size, ns_t now)
{
    struct vga *v = dev;
    uint32_t val = 0, at;

    (void)now;
    for (unsigned i = 0; i < size; i++) {
        uint8_t *flat = banked(v, off + i), byte = ALL_ONES;
        if (answers(v) && flat)
            byte = *flat;
        else if (answers(v) && window_offset(v, off + i, &at))
            byte = read_byte(v, at);
        val |= (uint32_t)byte << 8 * i;
    }
    return val;
}

static void mem_write(void *dev, uint32_t off, unsigned size, uint32_t val, ns_t now)
{
    struct vga *v = dev;
    uint32_t at;

    (void)now;
    if (!answers(v))
        return;
    for (unsigned i = 0; i < size; i++) {
        uint8_t *flat = banked(v, off + i), byte = (uint8_t)(val >> 8 * i);
        if (flat) {
            *flat = byte;
            vga_wrote(v, (uint32_t)(flat - v->mem), 1);
        } else if (window_offset(v, off + i, &at)) {
            write_byte(v, at, byte);
        }
    }
}

const struct dev_ops vga_mem_ops = {
    .name = "vga-memory", .min_size = 1, .max_size = 4, .read = mem_read, .write = mem_write};

/* ---- BAR 0: the memory as it is ---- */

static uint32_t lfb_read(void *dev, uint32_t off, unsigned size, ns_t now)
{
    const struct vga *v = dev;
    uint32_t val = 0;

    (void)now;
    for (unsigned i = 0; i < size; i++)
        val |= (uint32_t)(off + i < v->mem_size ? v->mem[off + i] : ALL_ONES) << 8 * i;
    return val;
}

static void lfb_write(void *dev, uint32_t off, unsigned size, uint32_t val, ns_t now)
{
    const struct vga *v = dev;

    (void)now;
    for (unsigned i = 0; i < size && off + i < v->mem_size; i++) {
        v->mem[off + i] = (uint8_t)(val >> 8 * i);
        vga_wrote(v, off + i, 1);
    }
}

const struct dev_ops vga_lfb_ops = {
    .name = "vga-frame-buffer", .min_size = 1, .max_size = 4, .read = lfb_read, .write = lfb_write};
