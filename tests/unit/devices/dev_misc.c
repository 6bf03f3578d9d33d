/* SPDX-License-Identifier: MIT */
/*
 * dev_misc.c - fw_cfg, pc-testdev, isa-debug-exit, port E9h, DMA registers, all through the bus.
 * uses: devices/bus.c devices/fw_cfg.c devices/pc_testdev.c devices/isa_debug_exit.c
 * devices/debugcon.c devices/i8237.c
 */
#include <criterion/criterion.h>
#include <string.h>

#include "devices/bus.h"
#include "devices/debugcon.h"
#include "devices/fw_cfg.h"
#include "devices/i8237.h"
#include "devices/isa_debug_exit.h"
#include "devices/pc_testdev.h"

static struct bus io;
static struct fw_cfg fw;
static struct pc_testdev td;

static unsigned in(unsigned port, unsigned size)
{
    return bus_read(&io, port, size, 0);
}
static void out(unsigned port, unsigned size, unsigned val)
{
    bus_write(&io, port, size, val, 0);
}

static uint64_t fw_int(unsigned key, unsigned bytes)
{
    uint64_t val = 0;

    out(0x510, 2, key);
    for (unsigned i = 0; i < bytes; i++)
        val |= (uint64_t)in(0x511, 1) << (8 * i);
    return val;
}

Test(fw_cfg, items)
{
    static const uint8_t kernel[5] = {1, 2, 3, 4, 5};
    static const struct {
        unsigned key, bytes;
        uint64_t val;
    } rows[] = {
        {0x00, 4, 0x554d4551},  {0x00, 6, 0x554d4551}, {0x01, 4, 1},
        {0x03, 8, 0x8000000},   {0x04, 2, 1},          {0x05, 2, 3},
        {0x0f, 2, 3},           {0x08, 4, 5},          {0x11, 8, 0x0504030201},
        {0x0b, 4, 0},           {0x12, 4, 0},          {0x14, 4, 8},
        {0x4003, 8, 0x8000000}, {0x7777, 4, 0},        {0xffff, 8, 0},
        {0x8002, 4, 1},         {0x07, 4, 0x100000},
    };
    struct fw_cfg_config cfg = {.ram_size = 0x8000000,
                                .cpu_count = 3,
                                .nographic = true,
                                .cmdline = "a=b c=d",
                                .kernel = kernel,
                                .kernel_size = 5,
                                .kernel_addr = 0x100000};
    char text[9] = {0};

    fw_cfg_init(&fw, &cfg);
    cr_assert_eq(bus_add(&io, 0x510, 0x511, &fw_cfg_ops, &fw, 0), 0);
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
        cr_expect_eq(fw_int(rows[i].key, rows[i].bytes), rows[i].val, "key 0x%x", rows[i].key);
    out(0x510, 2, 0x15);
    for (unsigned i = 0; i < 8; i++)
        text[i] = (char)in(0x511, 1);
    cr_expect_str_eq(text, "a=b c=d");
    cr_expect_eq(fw_cfg_add_file(&fw, "etc/test", kernel, 5), 0);
    cr_expect_eq(fw_cfg_add_bytes(&fw, 0x11, kernel, 5), -1, "key exists");
    cr_expect_eq(fw_int(0x19, 4), 0x02000000, "two files, big-endian");
    cr_expect_eq(fw_int(0x19, 8) >> 32, 20u << 24, "the first is etc/e820, 20 bytes");
    cr_expect_eq(memcmp(&fw.dir[4 + 8], "etc/e820", 9), 0);
    cr_expect_eq(fw_int(0x21, 8), 0x0504030201);
    out(0x510, 2, 0x20);
    for (unsigned i = 0; i < 8; i++)
        in(0x511, 1);
    cr_expect_eq(in(0x511, 1) | in(0x511, 1) << 8 | in(0x511, 1) << 16, 0);
    cr_expect_eq(in(0x511, 1), 0x08);
    for (unsigned i = 2; i < FW_CFG_MAX_FILES; i++)
        fw_cfg_add_file(&fw, "x", kernel, 5);
    cr_expect_eq(fw_cfg_add_file(&fw, "x", kernel, 5), -1, "full");
}

static bool lines[24];
static void set_line(void *t, unsigned pin, bool level)
{
    (void)t;
    lines[pin] = level;
}
static uint32_t code;
static void request(void *ctx, uint32_t c)
{
    (void)ctx;
    code = c;
}
static char printed[64];
static void send(void *o, const uint8_t *bytes, size_t len)
{
    (void)o;
    strncat(printed, (const char *)bytes, len);
}

Test(misc, testdev)
{
    static struct bus mem;

    pc_testdev_init(&td, (struct wire){set_line, NULL, 0});
    bus_add(&io, 0xe0, 0xe7, &pc_testdev_ops, &td, 0);
    bus_add(&io, 0xe8, 0xeb, &pc_testdev_byte_ops, &td, 0);
    bus_add(&io, 0x2000, 0x2017, &pc_testdev_irq_ops, &td, 0);
    bus_add(&mem, 0xff000000, 0xff00ffff, &pc_testdev_mem_ops, &td, 0);
    out(0xe0, 4, 0x12345678);
    cr_expect_eq(in(0xe0, 4), 0x12345678);
    cr_expect_eq(in(0xe1, 1), 0x56);
    out(0xe2, 2, 0xbeef);
    cr_expect_eq(in(0xe0, 4), 0xbeef5678);
    cr_expect_eq(in(0xe8, 4), 0xbeef5678, "by bytes");
    out(0xe4, 4, 0x1000);
    cr_expect_eq(in(0xe0, 4), 0xbeef5678);
    out(0x2017, 1, 1);
    cr_expect(lines[23] && !lines[22]);
    out(0x2017, 1, 0);
    cr_expect(!lines[23]);
    bus_write(&mem, 0xff00fffe, 2, 0xa55a, 0);
    bus_write(&mem, 0xff000001, 4, 0x44332211, 0);
    cr_expect_eq(bus_read(&mem, 0xff00fffe, 2, 0), 0xa55a);
    cr_expect_eq(bus_read(&mem, 0xff000000, 4, 0), 0x33221100);
    cr_expect_eq(bus_read(&mem, 0xff00fffe, 4, 0), 0xffffa55a);
}

Test(misc, exits_and_console)
{
    struct isa_debug_exit x;
    struct debugcon d;
    static const uint32_t values[][2] = {{0, 1}, {0x10, 0x21}, {0x7f, 0xff}, {0x80000001, 3}};

    isa_debug_exit_init(&x, request, NULL);
    bus_add(&io, 0xf4, 0xf7, &isa_debug_exit_ops, &x, 0);
    for (unsigned i = 0; i < ARRAY_LEN(values); i++) {
        out(0xf4, 4, values[i][0]);
        cr_expect_eq(code, values[i][1]);
    }
    out(0xf4, 1, 0x1005);
    cr_expect_eq(code, 11);
    cr_expect_eq(in(0xf4, 4), 0);
    debugcon_init(&d, (struct chardev){NULL, send}, (struct wire){0});
    bus_add(&io, 0xe9, 0xe9, &debugcon_ops, &d, 0);
    cr_expect_eq(in(0xe9, 1), 0xe9);
    out(0xe9, 1, 'o');
    out(0xe9, 1, 'k');
    cr_expect_str_eq(printed, "");
    cr_expect_leq(debugcon_ops.run_until(&d, 0), 1000000);
    debugcon_ops.run_until(&d, 1000000);
    cr_expect_str_eq(printed, "ok");
    out(0xe9, 1, '\n');
    cr_expect_str_eq(printed, "ok\n");
}

Test(misc, dma)
{
    struct i8237 dma;

    i8237_init(&dma, &(struct dma){0});
    bus_add(&io, 0x00, 0x0f, &i8237_ops, &dma, 0);
    bus_add(&io, 0xc0, 0xdf, &i8237_ops, &dma, 0x100);
    bus_add(&io, 0x80, 0x8f, &i8237_ops, &dma, 0x200);
    for (unsigned n = 0; n < 8; n++) {
        unsigned port = n < 4 ? 2 * n : 0xc0 + 4 * (n - 4), clear = n < 4 ? 0x0c : 0xd8;

        out(clear, 1, 0);
        out(port, 1, 0x34 + n);
        out(port, 1, 0x12);
        cr_expect_eq(in(port, 1), 0x34 + n);
        cr_expect_eq(in(port, 1), 0x12);
    }
    cr_expect_eq(in(0x0f, 1), 0xff);
    out(0x0a, 1, 2);
    cr_expect_eq(in(0x0f, 1), 0xfb);
    out(0x0d, 1, 0);
    cr_expect_eq(in(0x0f, 1), 0xff);
    cr_expect_eq(in(0x08, 1), 0);
    out(0x80, 1, 0x5a);
    cr_expect_eq(in(0x80, 1), 0x5a);
    out(0x87, 1, 0x11);
    cr_expect_eq(in(0x87, 1), 0x11);
}
