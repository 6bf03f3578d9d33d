/* SPDX-License-Identifier: MIT */
/*
 * dev_vga.c - the VGA's registers: which bits each has, index and data, the flip-flop, write
 * protection, the DAC's two states, retrace from the timing, the VBE registers, the card on PCI.
 * uses: devices/vga.c devices/vga_vbe.c devices/vga_screen.c
 */
#include "tests/rig/vga_fixture.h"

#define MS 1000000ull

Test(vga, registers_have_their_bits)
{
    static const struct {
        uint16_t port;
        uint8_t index, bits;
    } rows[] = {
        {0x3c4, 0, 0x03},    {0x3c4, 1, 0x3d},    {0x3c4, 2, 0x0f},    {0x3c4, 3, 0x3f},
        {0x3c4, 4, 0x0e},    {0x3c4, 5, 0},       {0x3ce, 0, 0x0f},    {0x3ce, 1, 0x0f},
        {0x3ce, 2, 0x0f},    {0x3ce, 3, 0x1f},    {0x3ce, 4, 0x03},    {0x3ce, 5, 0x7b},
        {0x3ce, 6, 0x0f},    {0x3ce, 7, 0x0f},    {0x3ce, 8, 0xff},    {0x3ce, 9, 0},
        {0x3d4, 0, 0xff},    {0x3d4, 6, 0xff},    {0x3d4, 8, 0x7f},    {0x3d4, 9, 0xff},
        {0x3d4, 10, 0x3f},   {0x3d4, 11, 0x7f},   {0x3d4, 12, 0xff},   {0x3d4, 15, 0xff},
        {0x3d4, 0x14, 0x7f}, {0x3d4, 0x17, 0xef}, {0x3d4, 0x18, 0xff}, {0x3d4, 0x19, 0},
    };
    struct card *c = card_new(VGA_MEMORY);

    reg_put(c, 0x3d4, 0x11, 0); /* open registers 0-7 */
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        reg_put(c, rows[i].port, rows[i].index, 0xff);
        cr_expect_eq(reg_get(c, rows[i].port, rows[i].index), rows[i].bits, "row %u", i);
        reg_put(c, rows[i].port, rows[i].index, 0);
        cr_expect_eq(reg_get(c, rows[i].port, rows[i].index), 0, "row %u: zero", i);
    }
    out8(c, 0x3c4, 0xff);
    cr_expect_eq(in8(c, 0x3c4), 7);
    out8(c, 0x3ce, 0xff);
    cr_expect_eq(in8(c, 0x3ce), 15);
    out8(c, 0x3d4, 0xff);
    cr_expect_eq(in8(c, 0x3d4), 0x1f);
    out8(c, 0x3c2, 0xff);
    cr_expect_eq(in8(c, 0x3cc), 0xef, "miscellaneous output");
    out8(c, 0x3da, 0xff);
    cr_expect_eq(in8(c, 0x3ca), 0x0b, "feature control");
    cr_expect_eq(in8(c, 0x3cb), 0xff, "nobody");
    card_free(c);
}

/* Address and data share port 0x3c0. */
Test(vga, attribute_flip_flop)
{
    static const uint8_t bits[] = {
        [0] = 0x3f, [15] = 0x3f, [16] = 0xef, [17] = 0xff, [18] = 0x3f, [19] = 0x0f, [20] = 0x0f};
    struct card *c = card_new(VGA_MEMORY);

    for (unsigned i = 0; i < ARRAY_LEN(bits); i++) {
        if (!bits[i])
            continue;
        attr_put(c, i, 0xff);
        cr_expect_eq(attr_get(c, i), bits[i], "register %u", i);
        attr_put(c, i, 0);
        cr_expect_eq(attr_get(c, i), 0, "register %u", i);
    }
    in8(c, 0x3da);
    out8(c, 0x3c0, 0x31); /* address */
    out8(c, 0x3c0, 0x55); /* data of 0x11 */
    cr_expect_eq(in8(c, 0x3c0), 0x31);
    cr_expect_eq(in8(c, 0x3c1), 0x55);
    out8(c, 0x3c0, 0x34);
    in8(c, 0x3c1); /* a read of data turns nothing */
    out8(c, 0x3c0, 0x0a);
    cr_expect_eq(attr_get(c, 0x14), 0x0a);
    out8(c, 0x3c0, 0x22); /* data: attr_get() left the address there */
    cr_expect_eq(attr_get(c, 0x14), 0x02);
    in8(c, 0x3da);
    out8(c, 0x3c0, 0x32);
    in8(c, 0x3da); /* address comes again */
    out8(c, 0x3c0, 0x33);
    out8(c, 0x3c0, 0x07);
    cr_expect_eq(attr_get(c, 0x13), 0x07);
    card_free(c);
}

Test(vga, palette_belongs_to_the_screen_or_to_the_cpu)
{
    struct card *c = card_new(VGA_MEMORY);

    in8(c, 0x3da);
    out8(c, 0x3c0, 0x05 | 0x20);
    out8(c, 0x3c0, 0x3a);
    cr_expect_eq(attr_get(c, 5), 5, "the screen has it");
    in8(c, 0x3da);
    out8(c, 0x3c0, 0x05);
    out8(c, 0x3c0, 0x3a);
    cr_expect_eq(attr_get(c, 5), 0x3a);
    in8(c, 0x3da);
    out8(c, 0x3c0, 0x11 | 0x20); /* the others are always open */
    out8(c, 0x3c0, 0x3a);
    cr_expect_eq(attr_get(c, 0x11), 0x3a);
    card_free(c);
}

Test(vga, crtc_write_protection)
{
    struct card *c = card_new(VGA_MEMORY);

    for (unsigned i = 0; i < 25; i++)
        cr_expect_eq(reg_get(c, 0x3d4, i), mode_03.crtc[i], "mode 3, register %u", i);
    for (unsigned i = 0; i < 8; i++)
        reg_put(c, 0x3d4, i, 0);
    for (unsigned i = 0; i < 7; i++)
        cr_expect_eq(reg_get(c, 0x3d4, i), mode_03.crtc[i], "register %u", i);
    cr_expect_eq(reg_get(c, 0x3d4, 7), 0x0f, "line compare's bit is open");
    reg_put(c, 0x3d4, 7, 0xff);
    cr_expect_eq(reg_get(c, 0x3d4, 7), 0x1f);
    reg_put(c, 0x3d4, 0x0e, 0x12);
    cr_expect_eq(reg_get(c, 0x3d4, 0x0e), 0x12, "8 and up are open");
    reg_put(c, 0x3d4, 0x11, 0x0e);
    reg_put(c, 0x3d4, 0, 0x44);
    cr_expect_eq(reg_get(c, 0x3d4, 0), 0x44);
    reg_put(c, 0x3d4, 3, 0x02); /* bit 7 would hide a light pen's place: there is none */
    cr_expect_eq(reg_get(c, 0x3d4, 0x11), 0x0e);
    card_free(c);
}

Test(vga, monochrome_ports)
{
    struct card *c = card_new(VGA_MEMORY);

    cr_expect_eq(in8(c, 0x3b4), 0xff);
    out8(c, 0x3c2, 0x66);
    out8(c, 0x3b4, 0x0f);
    out8(c, 0x3b5, 0x77);
    cr_expect_eq(in8(c, 0x3b5), 0x77);
    cr_expect_eq(in8(c, 0x3b4), 0x0f);
    cr_expect_neq(in8(c, 0x3ba), 0xff);
    cr_expect_eq(in8(c, 0x3d4), 0xff);
    cr_expect_eq(in8(c, 0x3da), 0xff);
    out8(c, 0x3d4, 0x0e);
    cr_expect_eq(in8(c, 0x3b4), 0x0f, "writes there are dropped");
    out8(c, 0x3c2, 0x67);
    cr_expect_eq(in8(c, 0x3d5), 0x77, "it is the same register");
    card_free(c);
}

Test(vga, dac_states)
{
    struct card *c = card_new(VGA_MEMORY);

    colour_put(c, 254, 1, 2, 3);
    out8(c, 0x3c9, 0xff); /* 255 follows */
    out8(c, 0x3c9, 5);
    cr_expect_eq(in8(c, 0x3c7), 0, "writing");
    cr_expect_eq(in8(c, 0x3c8), 255);
    out8(c, 0x3c7, 255);
    cr_expect_eq(in8(c, 0x3c7), 3, "reading");
    cr_expect_eq(in8(c, 0x3c9), 0, "two parts of three change nothing");
    out8(c, 0x3c8, 255);
    for (unsigned i = 0; i < 3; i++)
        out8(c, 0x3c9, 0xc0 + i);
    cr_expect_eq(in8(c, 0x3c8), 0, "wraps");
    out8(c, 0x3c7, 254);
    for (unsigned i = 0; i < 6; i++)
        cr_expect_eq(in8(c, 0x3c9), i < 3 ? i + 1 : i - 3, "part %u, six bits", i);
    cr_expect_eq(in8(c, 0x3c6), 0xff);
    out8(c, 0x3c6, 0x0f);
    cr_expect_eq(in8(c, 0x3c6), 0x0f);
    card_free(c);
}

/* Mode 3: 100 by 449 characters of 9 dots at 28.322 MHz, 70.08 Hz; 400 lines shown, retrace in
 * lines 412 and 413. */
Test(vga, retrace_follows_the_timing)
{
    struct card *c = card_new(VGA_MEMORY);
    const double line = 900e9 / 28322000, frame = line * 449;
    static const struct {
        double line;
        unsigned status;
    } rows[] = {{0.1, 0},   {0.79, 0},  {0.81, 1},  {399.5, 0}, {400.1, 1}, {411.9, 1},
                {412.1, 9}, {413.9, 9}, {414.1, 1}, {448.9, 1}, {449.1, 0}};

    for (unsigned n = 0; n < 3; n++)
        for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
            c->now = (ns_t)(frame * (n * 100) + rows[i].line * line) + 1;
            cr_expect_eq(in8(c, 0x3da) & 9, rows[i].status, "row %u, frame %u", i, n * 100);
        }
    mode_set(c, &mode_12); /* 100 by 525 characters of 8 dots at 25.175 MHz: 59.94 Hz */
    const double line12 = 800e9 / 25175000;
    c->now = (ns_t)(line12 * 490.5);
    cr_expect_eq(in8(c, 0x3da) & 9, 9);
    c->now = (ns_t)(line12 * 524.9);
    cr_expect_eq(in8(c, 0x3da) & 9, 1);
    c->now = (ns_t)(line12 * 525.1);
    cr_expect_eq(in8(c, 0x3da) & 9, 0);
    card_free(c);
}

Test(vga, vbe_registers)
{
    struct card *c = card_new(VGA_MEMORY);

    cr_expect_eq(vbe_get(c, 0), 0xb0c5);
    cr_expect_eq(vbe_get(c, 10), 256, "16 MiB");
    cr_expect_eq(vbe_get(c, 11), 0);
    vbe_put(c, 0, 0xb0c2);
    cr_expect_eq(vbe_get(c, 0), 0xb0c2);
    vbe_put(c, 0, 0x1234);
    cr_expect_eq(vbe_get(c, 0), 0xb0c2, "not an id");
    vbe_put(c, 4, 2);
    cr_expect_eq(vbe_get(c, 1), 16000);
    cr_expect_eq(vbe_get(c, 2), 12000);
    cr_expect_eq(vbe_get(c, 3), 32);
    vbe_put(c, 4, 0);
    vbe_put(c, 1, 1024);
    vbe_put(c, 2, 768);
    vbe_put(c, 3, 16);
    memset(c->v.mem, 0x5a, 1024 * 768 * 2 + 1);
    vbe_put(c, 4, 0x41);
    cr_expect_eq(vbe_get(c, 4), 0x41);
    cr_expect_eq(c->v.mem[1024 * 768 * 2 - 1], 0, "cleared");
    cr_expect_eq(c->v.mem[1024 * 768 * 2], 0x5a, "no more than the picture");
    cr_expect_eq(vbe_get(c, 6), 1024);
    cr_expect_eq(vbe_get(c, 7), 8192, "rows of 2048 bytes in 16 MiB");
    vbe_put(c, 6, 2048);
    cr_expect_eq(vbe_get(c, 6), 2048);
    cr_expect_eq(vbe_get(c, 7), 4096);
    vbe_put(c, 8, 1024);
    vbe_put(c, 9, 4096 - 769);
    cr_expect_eq(vbe_get(c, 9), 4096 - 769);
    vbe_put(c, 9, 4096);
    cr_expect_eq(vbe_get(c, 9), 0, "the picture would leave the memory");
    cr_expect_eq(vbe_get(c, 8), 0);
    vbe_put(c, 6, 100);
    cr_expect_eq(vbe_get(c, 6), 1024, "not narrower than the picture");
    vbe_put(c, 5, 300);
    cr_expect_eq(vbe_get(c, 5), 255, "the last bank");
    vbe_put(c, 4, 0);
    cr_expect_eq(vbe_get(c, 5), 0);
    vbe_put(c, 3, 13);
    vbe_put(c, 1, 1366);
    vbe_put(c, 2, 60000);
    vbe_put(c, 4, 0xc1);
    cr_expect_eq(vbe_get(c, 3), 8, "no such depth");
    cr_expect_eq(vbe_get(c, 1), 1360);
    cr_expect_eq(vbe_get(c, 2), 12000);
    cr_expect_eq(c->v.mem[1024 * 768 * 2], 0x5a, "not cleared");
    bus_write(&c->port, 0x1ce, 2, 2, 0); /* the aligned data port is the same */
    cr_expect_eq(bus_read(&c->port, 0x1d0, 2, 0), 12000);
    card_free(c);
}

Test(vga, eight_bit_colours)
{
    struct card *c = card_new(VGA_MEMORY);

    colour_put(c, 9, 0x3f, 0x20, 0x01);
    vbe_put(c, 4, 0x21);
    out8(c, 0x3c7, 9);
    cr_expect_eq(in8(c, 0x3c9), 0xfc, "colours stay");
    cr_expect_eq(in8(c, 0x3c9), 0x80);
    colour_put(c, 9, 0xff, 0x81, 0x07);
    out8(c, 0x3c7, 9);
    cr_expect_eq(in8(c, 0x3c9), 0xff);
    vbe_put(c, 4, 0);
    out8(c, 0x3c7, 9);
    cr_expect_eq(in8(c, 0x3c9), 0x3f);
    cr_expect_eq(in8(c, 0x3c9), 0x20);
    cr_expect_eq(in8(c, 0x3c9), 0x01);
    card_free(c);
}

static uint32_t config(struct card *c, unsigned off)
{
    uint32_t val = 0;

    for (unsigned i = 0; i < 4; i++)
        val |= (uint32_t)pci_config_read8(&c->v.fn, off + i) << 8 * i;
    return val;
}

Test(vga, on_pci)
{
    struct card *c = card_new(VGA_MEMORY);

    cr_expect_eq(config(c, 0), 0x11111234);
    cr_expect_eq(config(c, 8), 0x03000002);
    cr_expect_eq(config(c, 0x2c), 0x11001af4);
    cr_expect_eq(config(c, 0x10), VGA_BAR0 | 8);
    cr_expect_eq(config(c, 0x18), VGA_BAR2);
    pci_config_write(&c->v.fn, 0x10, 4, UINT32_MAX);
    cr_expect_eq(config(c, 0x10), 0xff000008, "16 MiB, prefetchable");
    pci_config_write(&c->v.fn, 0x10, 4, 0xe0000000);
    c->v.mem[0x123456] = 0x77;
    cr_expect_eq(peek(c, 0xe0123456), 0x77);
    bus_write(&c->mem, 0xe0fffffc, 4, 0x12345678, 0);
    cr_expect_eq(c->v.mem[VGA_MEMORY - 1], 0x12);
    bus_write(&c->mem, VGA_BAR2 + 0x500 + 2 * 1, 2, 640, 0);
    cr_expect_eq(bus_read(&c->mem, VGA_BAR2 + 0x502, 2, 0), 640);
    cr_expect_eq(vbe_get(c, 1), 640);
    bus_write(&c->mem, VGA_BAR2 + 0x400 + 4, 2, 0x0b02, 0); /* 0x3c4: index 2, data 0x0b */
    cr_expect_eq(reg_get(c, 0x3c4, 2), 0x0b);
    cr_expect_eq(peek(c, VGA_BAR2), 0, "no display data");
    pci_config_write(&c->v.fn, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    cr_expect_eq(in8(c, 0x3cc), 0xff, "ports off");
    out8(c, 0x3c2, 0);
    pci_config_write(&c->v.fn, PCI_COMMAND, 2, PCI_COMMAND_IO);
    cr_expect_eq(in8(c, 0x3cc), 0x67);
    cr_expect_eq(peek(c, 0xb8000), 0xff, "memory off");
    cr_expect_eq(peek(c, 0xe0123456), 0xff);
    card_free(c);
}
