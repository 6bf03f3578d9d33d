/* SPDX-License-Identifier: MIT */
/*
 * vga.c - the VGA's ports, and the card as a PCI function. See vga.h.
 *
 * Offsets are from 0x3b0. The CRT controller and two more registers are at 0x3bx or at 0x3dx, as
 * MISC_COLOUR says; the other place is nobody's then.
 */
#include "devices/vga_priv.h"
#include "include/ring1/mem.h"

#define NOBODY 0xffu

enum port {
    P_MONO_INDEX = 0x04,
    P_MONO_DATA = 0x05,
    P_MONO_STATUS = 0x0a,
    P_ATTR = 0x10,
    P_ATTR_READ = 0x11,
    P_MISC = 0x12, /* read: input status 0 */
    P_SEQ_INDEX = 0x14,
    P_SEQ_DATA = 0x15,
    P_DAC_MASK = 0x16,
    P_DAC_READ = 0x17, /* read: state */
    P_DAC_WRITE = 0x18,
    P_DAC_DATA = 0x19,
    P_FEATURE = 0x1a, /* read only */
    P_MISC_READ = 0x1c,
    P_GC_INDEX = 0x1e,
    P_GC_DATA = 0x1f,
    P_COLOUR_INDEX = 0x24,
    P_COLOUR_DATA = 0x25,
    P_COLOUR_STATUS = 0x2a,
};

/* The bits that each register has. */
static const uint8_t seq_bits[VGA_SEQ_REGS] = {0x03, 0x3d, 0x0f, 0x3f, 0x0e};
static const uint8_t gc_bits[VGA_GC_REGS] = {0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff};
static const uint8_t crtc_bits[VGA_CRTC_REGS] = {
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0xff, 0x3f, 0x7f, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xef, 0xff};
static const uint8_t attr_bits[VGA_ATTR_REGS] = {0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f,
                                                 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f,
                                                 0x3f, 0x3f, 0xef, 0xff, 0x3f, 0x0f, 0x0f};

static void attr_write(struct vga *v, uint8_t val)
{
    unsigned n = v->attr_index & 0x1f;

    v->attr_data = !v->attr_data;
    if (v->attr_data)
        v->attr_index = val & 0x3f;
    else if (n < 16 && (v->attr_index & ATTR_INDEX_ON))
        return; /* the screen has the palette */
    else if (n < VGA_ATTR_REGS)
        v->attr[n] = val & attr_bits[n];
}

static uint8_t attr_read(const struct vga *v)
{
    unsigned n = v->attr_index & 0x1f;

    return n < VGA_ATTR_REGS ? v->attr[n] : 0;
}

static void crtc_write(struct vga *v, uint8_t val)
{
    unsigned n = v->crtc_index;

    if (n >= VGA_CRTC_REGS)
        return;
    if (n <= CRTC_OVERFLOW && (v->crtc[CRTC_V_SYNC_END] & CRTC_PROTECT)) {
        if (n == CRTC_OVERFLOW) /* but for bit 8 of the line compare */
            v->crtc[n] = (uint8_t)((v->crtc[n] & ~0x10) | (val & 0x10));
        return;
    }
    v->crtc[n] = val & crtc_bits[n];
}

static void dac_select(struct vga *v, uint8_t index, bool reading)
{
    v->dac_index = index;
    v->dac_part = 0;
    v->dac_reading = reading;
}

/* A colour changes when its third part comes. */
static void dac_write(struct vga *v, uint8_t val)
{
    uint8_t *colour = &v->dac[3 * v->dac_index];

    val &= v->vbe[VBE_ENABLE] & VBE_DAC8 ? 0xff : 0x3f;
    if (v->dac_part < 2) {
        v->dac_new[v->dac_part++] = val;
        return;
    }
    colour[0] = v->dac_new[0];
    colour[1] = v->dac_new[1];
    colour[2] = val;
    v->dac_part = 0;
    v->dac_index++;
}

static uint8_t dac_read(struct vga *v)
{
    uint8_t val = v->dac[3 * v->dac_index + v->dac_part];

    if (++v->dac_part == 3) {
        v->dac_part = 0;
        v->dac_index++;
    }
    return val;
}

/* The CRT controller's and the status port, where they are: as if the card were a colour one. */
static uint32_t canonical(const struct vga *v, uint32_t off)
{
    bool mono = off == P_MONO_INDEX || off == P_MONO_DATA || off == P_MONO_STATUS;
    bool colour = off == P_COLOUR_INDEX || off == P_COLOUR_DATA || off == P_COLOUR_STATUS;

    if (mono && !(v->misc & MISC_COLOUR))
        return off + P_COLOUR_INDEX - P_MONO_INDEX;
    return mono || (colour && !(v->misc & MISC_COLOUR)) ? NOBODY : off;
}

static uint8_t register_read(struct vga *v, uint32_t off, ns_t now)
{
    switch (canonical(v, off)) {
    case P_ATTR:
        return v->attr_index;
    case P_ATTR_READ:
        return attr_read(v);
    case P_MISC:
        return 0; /* no vertical interrupt; the switch is open */
    case P_SEQ_INDEX:
        return v->seq_index;
    case P_SEQ_DATA:
        return v->seq_index < VGA_SEQ_REGS ? v->seq[v->seq_index] : 0;
    case P_DAC_MASK:
        return v->dac_mask;
    case P_DAC_READ:
        return v->dac_reading ? 3 : 0;
    case P_DAC_WRITE:
        return v->dac_index;
    case P_DAC_DATA:
        return dac_read(v);
    case P_FEATURE:
        return v->feature;
    case P_MISC_READ:
        return v->misc;
    case P_GC_INDEX:
        return v->gc_index;
    case P_GC_DATA:
        return v->gc_index < VGA_GC_REGS ? v->gc[v->gc_index] : 0;
    case P_COLOUR_INDEX:
        return v->crtc_index;
    case P_COLOUR_DATA:
        return v->crtc_index < VGA_CRTC_REGS ? v->crtc[v->crtc_index] : 0;
    case P_COLOUR_STATUS:
        v->attr_data = false;
        return vga_retrace(v, now);
    default:
        return NOBODY;
    }
}

static void register_write(struct vga *v, uint32_t off, uint8_t val)
{
    switch (canonical(v, off)) {
    case P_ATTR:
        attr_write(v, val);
        break;
    case P_MISC:
        v->misc = val & 0xef;
        vga_bank_update(v);
        break;
    case P_SEQ_INDEX:
        v->seq_index = val & 0x07;
        break;
    case P_SEQ_DATA:
        if (v->seq_index < VGA_SEQ_REGS)
            v->seq[v->seq_index] = val & seq_bits[v->seq_index];
        vga_bank_update(v);
        break;
    case P_DAC_MASK:
        v->dac_mask = val;
        break;
    case P_DAC_READ:
        dac_select(v, val, true);
        break;
    case P_DAC_WRITE:
        dac_select(v, val, false);
        break;
    case P_DAC_DATA:
        dac_write(v, val);
        break;
    case P_GC_INDEX:
        v->gc_index = val & 0x0f;
        break;
    case P_GC_DATA:
        if (v->gc_index < VGA_GC_REGS)
            v->gc[v->gc_index] = val & gc_bits[v->gc_index];
        vga_bank_update(v);
        break;
    case P_COLOUR_INDEX:
        v->crtc_index = val & 0x1f;
        break;
    case P_COLOUR_DATA:
        crtc_write(v, val);
        break;
    case P_COLOUR_STATUS:
        v->feature = val & 0x0b;
        break;
    default:
        break;
    }
}

/* ---- the card: PCI decides whether it answers at its old addresses ---- */

static bool decodes_ports(const struct vga *v)
{
    return v->cfg.byte[PCI_COMMAND] & PCI_COMMAND_IO;
}

static uint32_t port_read(void *dev, uint32_t off, unsigned size, ns_t now)
{
    (void)size;
    return decodes_ports(dev) ? register_read(dev, off, now) : NOBODY;
}

static void port_write(void *dev, uint32_t off, unsigned size, uint32_t val, ns_t now)
{
    (void)size;
    (void)now;
    if (decodes_ports(dev))
        register_write(dev, off, (uint8_t)val);
}

/* 0x1ce index, 0x1cf and 0x1d0 data. A word at 0x1cf is no aligned access: the bus makes bytes of
 * it. */
static uint32_t vbe_read(void *dev, uint32_t off, unsigned size, ns_t now)
{
    const struct vga *v = dev;
    uint32_t val = off == 0 ? v->vbe_index : vga_vbe_read(v);

    (void)now;
    if (!decodes_ports(v) || off == 3)
        return 0xffff;
    return size == 1 && off == 2 ? val >> 8 : val;
}

static void vbe_write(void *dev, uint32_t off, unsigned size, uint32_t val, ns_t now)
{
    struct vga *v = dev;

    (void)now;
    if (!decodes_ports(v))
        return;
    if (off == 0 && size == 2)
        v->vbe_index = (uint16_t)val;
    else if (off == 1)
        v->vbe_low = (uint8_t)val;
    else if (off == 2)
        vga_vbe_write(v, size == 2 ? (uint16_t)val : (uint16_t)(val << 8 | v->vbe_low));
}

/* BAR 2: the ports from 0x3c0 at 0x400, the VBE registers at 0x500. */
static uint32_t mmio_read(void *dev, uint32_t off, unsigned size, ns_t now)
{
    struct vga *v = dev;
    uint32_t val = 0;

    if (off >= 0x400 && off < 0x420) {
        for (unsigned i = 0; i < size; i++)
            val |= (uint32_t)register_read(v, off + i - 0x400 + P_ATTR, now) << 8 * i;
    } else if (off >= 0x500 && off < 0x500 + 2 * VGA_VBE_REGS) {
        v->vbe_index = (uint16_t)((off - 0x500) / 2);
        val = vga_vbe_read(v) >> 8 * (off & 1);
    }
    return val;
}

static void mmio_write(void *dev, uint32_t off, unsigned size, uint32_t val, ns_t now)
{
    struct vga *v = dev;

    (void)now;
    if (off >= 0x400 && off < 0x420) {
        for (unsigned i = 0; i < size; i++)
            register_write(v, off + i - 0x400 + P_ATTR, (uint8_t)(val >> 8 * i));
    } else if (size == 2 && off >= 0x500 && off < 0x500 + 2 * VGA_VBE_REGS) {
        v->vbe_index = (uint16_t)((off - 0x500) / 2);
        vga_vbe_write(v, (uint16_t)val);
    }
}

static void vga_reset(void *dev)
{
    struct vga *v = dev;

    memset(v, 0, offsetof(struct vga, cfg));
    v->dac_mask = 0xff;
    vga_vbe_reset(v);
    pci_fn_reset(&v->fn);
    pci_fn_reg(&v->fn, 0x2c, 4, 0x11001af4, 0); /* subsystem: QEMU's */
    vga_bank_update(v);
}

static void config_changed(void *dev, unsigned off)
{
    if (off == PCI_COMMAND)
        vga_bank_update(dev);
}

void vga_init(struct vga *v, uint8_t *mem, uint32_t mem_size)
{
    v->mem = mem;
    v->mem_size = mem_size;
    pci_fn_init(&v->fn, &v->cfg, v, 0x1234, 0x1111, 0x030000, 2);
    pci_fn_bar(&v->fn, 0, false, VGA_MEMORY, &vga_lfb_ops, v);
    pci_fn_reg(&v->fn, PCI_BAR0, 4, 8, ~(VGA_MEMORY - 1)); /* prefetchable */
    pci_fn_bar(&v->fn, 2, false, 0x1000, &vga_mmio_ops, v);
}

void vga_map(struct vga *v, const struct dev_memory *frame, const struct dev_view *bank)
{
    v->frame = *frame;
    v->bank = *bank;
    v->bank_at = DEV_MEMORY_NOWHERE;
    pci_fn_memory(&v->fn, 0, &v->frame);
    v->fn.changed = config_changed;
}

static bool vga_loaded(void *dev, ns_t now)
{
    struct vga *v = dev;

    (void)now;
    if (vga_vbe_on(v))
        vga_vbe_fit(v);
    pci_fn_loaded(&v->fn);
    vga_bank_update(v);
    return true;
}

/* What the code counts on when the state comes from a file. */
static const struct state_rule rules[] = {
    STATE_RULE(struct vga, seq_index, 0, 0x07),  STATE_RULE(struct vga, gc_index, 0, 0x0f),
    STATE_RULE(struct vga, crtc_index, 0, 0x1f), STATE_RULE(struct vga, attr_index, 0, 0x3f),
    STATE_RULE(struct vga, dac_part, 0, 2),      STATE_BOOL(struct vga, attr_data),
    STATE_BOOL(struct vga, dac_reading),         STATE_BOOL(struct vga, cfg.intx),
    STATE_BOOL(struct vga, cfg.intx_seen),
};

const struct dev_ops vga_ops = {
    .name = "vga",
    .state_size = offsetof(struct vga, wires_begin),
    .min_size = 1,
    .max_size = 1,
    .read = port_read,
    .write = port_write,
    .reset = vga_reset,
    .version = 1,
    .rules = rules,
    .rule_count = ARRAY_LEN(rules),
    .loaded = vga_loaded,
};

const struct dev_ops vga_vbe_ops = {
    .name = "vga-vbe", .min_size = 1, .max_size = 2, .read = vbe_read, .write = vbe_write};

const struct dev_ops vga_mmio_ops = {
    .name = "vga-mmio", .min_size = 1, .max_size = 4, .read = mmio_read, .write = mmio_write};
