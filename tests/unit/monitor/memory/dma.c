/* SPDX-License-Identifier: MIT */
/* dma.c - monitor/memory/dma.c and what devices do with it: every byte is checked, watchers hear,
 * nothing wraps around. */
#include "monitor/memory/dma.h"
#include "devices/fw_cfg.h"
#include "devices/i8237.h"
#include "monitor/memory/dirty.h"
#include "monitor/memory/page.h"
#include "tests/rig/mmu_fixture.h"

#define CODE 0x04u

/* ---- a watcher ---- */

static struct {
    unsigned calls, first, last;
    gpa_t page;
} heard;

static void on_written(void *self, gpa_t page, unsigned first, unsigned last)
{
    (void)self;
    heard.calls++;
    heard.page = page;
    heard.first = first;
    heard.last = last;
}

static const struct page_watcher watcher = {.mark = CODE, .written = on_written};

/* ---- guest memory for a device ---- */

static bool fx_read(void *o, gpa_t gpa, void *out, uint32_t len)
{
    return vm_dma_read(o, gpa, out, len);
}
static bool fx_write(void *o, gpa_t gpa, const void *in, uint32_t len)
{
    return vm_dma_write(o, gpa, in, len);
}
static uint32_t fx_map(void *o, gpa_t gpa, uint32_t len, bool write, struct dma_map *m)
{
    return vm_dma_map(o, gpa, len, write, m);
}
static void fx_unmap(void *o, struct dma_map *m, uint32_t written)
{
    vm_dma_unmap(o, m, written);
}
static const struct dma fx_dma = {&fx_vm, fx_read, fx_write, fx_map, fx_unmap};

Test(dma, holes_and_rom)
{
    static const struct {
        gpa_t gpa;
        unsigned len, missing; /* bytes from the end that are no memory */
        bool rom;
    } rows[] = {
        {0, 16, 0, false},
        {FX_RAM - 16, 16, 0, false},
        {FX_RAM - 16, 32, 16, false},
        {FX_RAM, 8, 8, false},
        {FX_MMIO, 8, 8, false},
        {0x9fffc, 8, 4, false}, /* the page behind is a device's */
        {0xf0000, 8, 0, true},
        {0xffffffffu, 8, 8, false},
        {UINT64_MAX - 3, 8, 8, false}, /* does not go on at 0 */
        {UINT64_MAX, 1, 1, false},
        {1ull << 36, 8, 8, false},
    };
    uint8_t bytes[32], ones[32];
    uint64_t missed = 0;

    fx_open("ring1");
    memset(ones, 0xff, sizeof ones);
    vm_set_page_kind(&fx_vm, 0xa0000, 0x20000, PAGE_MMIO);
    vm_set_page_kind(&fx_vm, 0xf0000, 0x10000, PAGE_ROM);
    for (unsigned n = 0; n < ARRAY_LEN(rows); n++) {
        unsigned there = rows[n].len - rows[n].missing;
        bool readable = !rows[n].missing, writable = readable && !rows[n].rom;

        if (there)
            memset(fx_vm.ram + rows[n].gpa, 0x33, there);
        cr_expect_eq(dma_read(&fx_dma, rows[n].gpa, bytes, rows[n].len), readable, "row %u", n);
        for (unsigned k = 0; k < rows[n].len; k++)
            cr_expect_eq(bytes[k], k < there ? 0x33 : 0xff, "row %u, byte %u", n, k);
        memset(bytes, 0x44, sizeof bytes);
        cr_expect_eq(dma_write(&fx_dma, rows[n].gpa, bytes, rows[n].len), writable, "row %u", n);
        for (unsigned k = 0; k < there; k++)
            cr_expect_eq(fx_vm.ram[rows[n].gpa + k], rows[n].rom ? 0x33 : 0x44, "row %u", n);
        missed += !readable;
        cr_expect_eq(fx_vm.dma.missed_reads, missed, "row %u", n);
    }
    cr_expect_eq(fx_vm.dma.missed_writes, missed + 1);
    cr_expect_eq(fx_vm.ram[1], 0x44, "only row 0 wrote there");
    cr_expect_eq(dma_read_int(&fx_dma, 0, 4), 0x44444444);
    cr_expect(dma_write_int(&fx_dma, 0x10, 0x123456789aull, 5));
    cr_expect(fx_get32(0x10) == 0x3456789a && fx_vm.ram[0x14] == 0x12 && !fx_vm.ram[0x15]);
    struct dma none = {0};
    cr_expect(!dma_read(&none, 0, bytes, 8) && !memcmp(bytes, ones, 8));
    cr_expect(!dma_write(&none, 0, bytes, 8));
}

Test(dma, watchers_hear)
{
    uint64_t bits[FX_RAM >> 18], out[FX_RAM >> 18];
    uint8_t bytes[8] = {1, 2, 3, 4, 5, 6, 7, 8};

    fx_open("ring1");
    page_watch(&fx_vm, &watcher, &heard);
    dirty_log_start(&fx_vm, bits);
    page_mark(&fx_vm, 0x20000, CODE);
    cr_expect(dma_write(&fx_dma, 0x1fffc, bytes, 8));
    cr_expect(heard.calls == 1 && heard.page == 0x20000 && heard.first == 0 && heard.last == 3);
    cr_expect_eq(dirty_log_collect(&fx_vm, out), 2);
    cr_expect(dma_write(&fx_dma, 0x20000, bytes + 4, 4));
    cr_expect_eq(heard.calls, 1, "no byte changed: the code is as it was");
    cr_expect_eq(dirty_log_collect(&fx_vm, out), 1, "a log notes that too");
    dma_read(&fx_dma, 0x20000, bytes, 8);
    cr_expect(heard.calls == 1 && !dirty_log_collect(&fx_vm, out));
}

/* The CPU sees its APIC, a device the RAM below; A20 is the CPU's. */
Test(dma, is_not_the_cpu)
{
    uint32_t x = 0x12345678;

    fx_open("ring1");
    fx_put32(0x50000, 0x55);
    vm_cover_page(&fx_vm, 0x50000);
    cr_expect_eq(dma_read_int(&fx_dma, 0x50000, 4), 0x55);
    cr_expect(dma_write(&fx_dma, 0x50004, &x, 4));
    cr_expect_eq(fx_get32(0x50004), x);
    vm_set_a20(&fx_vm, false);
    cr_expect(dma_write(&fx_dma, 0x100000, &x, 4));
    cr_expect(fx_get32(0x100000) == x && fx_get32(0) == 0);
}

Test(dma, mappings)
{
    struct dma_map m, many[4];
    uint8_t *bytes;

    fx_open("ring1");
    page_watch(&fx_vm, &watcher, &heard);
    vm_set_page_kind(&fx_vm, 0xa0000, 0x20000, PAGE_MMIO);
    vm_set_page_kind(&fx_vm, 0xc0000, 0x1000, PAGE_ROM);
    cr_expect_eq(dma_map(&fx_dma, 0x9f004, 0x5000, true, &m), 0xffc, "to the devices");
    cr_assert(m.bytes == fx_vm.ram + 0x9f004 && fx_vm.dma.maps == 1);
    page_mark(&fx_vm, 0x9f000, CODE);
    memset(m.bytes, 0x77, 16);
    dma_unmap(&fx_dma, &m, 16);
    cr_expect(heard.calls == 1 && heard.first == 4 && heard.last == 19);
    cr_expect(!m.bytes && !fx_vm.dma.maps);
    dma_unmap(&fx_dma, &m, 0);
    cr_expect_eq(fx_vm.dma.maps, 0, "once is enough");
    cr_expect_eq(dma_map(&fx_dma, 0xa0000, 16, false, &m), 0);
    cr_expect_eq(dma_map(&fx_dma, UINT64_MAX - 4, 16, false, &m), 0);
    cr_expect_eq(dma_map(&fx_dma, 0xc0000, 0x2000, true, &m), 0, "ROM");
    cr_expect_eq(dma_map(&fx_dma, 0xc0000, 0x2000, false, &m), 0x2000);
    dma_unmap(&fx_dma, &m, 0);
    cr_expect_eq(dma_map(&fx_dma, FX_RAM - 8, 16, true, &m), 8);
    bytes = m.bytes;
    cr_expect_eq(bytes, fx_vm.ram + FX_RAM - 8);
    dma_unmap(&fx_dma, &m, 0);
    for (unsigned n = 0; n < DMA_MAPS_MAX; n++)
        cr_assert_eq(dma_map(&fx_dma, 0, 8, false, &many[n & 1]), 8);
    cr_expect_eq(dma_map(&fx_dma, 0, 8, false, &m), 0, "too many");
}

/* ---- the 8237 ---- */

static void channel_set(struct i8237 *d, unsigned channel, unsigned mode, uint32_t at,
                        unsigned count)
{
    static const uint8_t page[8] = {7, 3, 1, 2, 0xf, 0xb, 9, 0xa};
    bool words = channel >= 4;
    unsigned n = channel & 3, base = words ? 0x100 : 0, step = words ? 2 : 1;
    uint32_t addr = words ? at >> 1 : at;

    i8237_ops.write(d, base + 0xc * step, 1, 0, 0);
    i8237_ops.write(d, base + 0xb * step, 1, mode | n, 0);
    for (unsigned k = 0; k < 2; k++)
        i8237_ops.write(d, base + 2 * n * step, 1, addr >> 8 * k & 0xff, 0);
    for (unsigned k = 0; k < 2; k++)
        i8237_ops.write(d, base + (2 * n + 1) * step, 1, (count - 1) >> 8 * k & 0xff, 0);
    i8237_ops.write(d, 0x200 + page[channel], 1, at >> 16, 0);
    i8237_ops.write(d, base + 0xa * step, 1, n, 0); /* unmasked */
}

Test(dma, i8237_moves)
{
    uint8_t bytes[64], back[64];
    struct i8237 d;
    bool end;

    fx_open("ring1");
    for (unsigned n = 0; n < 64; n++)
        bytes[n] = (uint8_t)(n + 1);
    i8237_init(&d, &fx_dma);
    channel_set(&d, 2, 0x44, 0x12340, 32); /* to memory */
    cr_expect_eq(i8237_transfer(&d, 2, bytes, 8, &end), 0, "the second chip's channel 4 is masked");
    i8237_ops.write(&d, 0x100 + 2 * 0xb, 1, 0xc0, 0);
    i8237_ops.write(&d, 0x100 + 2 * 0xa, 1, 0, 0);
    cr_expect(i8237_transfer(&d, 2, bytes, 8, &end) == 8 && !end);
    cr_expect(i8237_transfer(&d, 2, bytes + 8, 56, &end) == 24 && end, "the count ends it");
    cr_expect(!memcmp(fx_vm.ram + 0x12340, bytes, 32) && !fx_vm.ram[0x12360]);
    cr_expect_eq(i8237_ops.read(&d, 8, 1, 0) & 0xf, 4, "terminal count");
    cr_expect_eq(i8237_transfer(&d, 2, bytes, 8, &end), 0, "masks itself");
    channel_set(&d, 5, 0x48, 0x212340, 8); /* words, from memory */
    memcpy(fx_vm.ram + 0x212340, bytes, 16);
    cr_expect(i8237_transfer(&d, 5, back, 15, &end) == 14 && !end);
    cr_expect(!memcmp(back, bytes, 14));
    channel_set(&d, 1, 0x54, 0x1fff8, 16); /* wraps within its page, begins again */
    cr_expect(i8237_transfer(&d, 1, bytes, 16, &end) == 16 && end);
    cr_expect(!memcmp(fx_vm.ram + 0x1fff8, bytes, 8) && !memcmp(fx_vm.ram + 0x10000, bytes + 8, 8));
    cr_expect_eq(fx_vm.ram[0x20000], 0);
    cr_expect(i8237_transfer(&d, 1, bytes + 1, 1, &end) == 1 && fx_vm.ram[0x1fff8] == 2);
    channel_set(&d, 3, 0x64, 0x30003, 4); /* downwards */
    cr_expect(i8237_transfer(&d, 3, bytes, 4, &end) == 4 && end);
    cr_expect(fx_get32(0x30000) == 0x01020304);
    channel_set(&d, 0, 0x40, 0x40000, 4); /* verify */
    cr_expect(i8237_transfer(&d, 0, bytes, 4, &end) == 4 && end && !fx_get32(0x40000));
    channel_set(&d, 0, 0x44, 0xff0000, 16); /* beyond RAM */
    cr_expect_eq(i8237_transfer(&d, 0, bytes, 16, &end), 16);
    i8237_ops.write(&d, 8, 1, 4, 0);
    channel_set(&d, 1, 0x54, 0x1fff8, 16);
    cr_expect_eq(i8237_transfer(&d, 1, bytes, 1, &end), 0, "the controller is off");
}

/* ---- fw_cfg ---- */

static void be32(gpa_t at, uint32_t x)
{
    fx_put32(at, __builtin_bswap32(x));
}

static uint32_t fw_command(struct fw_cfg *f, uint32_t control, uint32_t len, uint64_t to)
{
    be32(0x1000, control);
    be32(0x1004, len);
    be32(0x1008, (uint32_t)(to >> 32));
    be32(0x100c, (uint32_t)to);
    fw_cfg_dma_ops.write(f, 0, 4, 0, 0);
    fw_cfg_dma_ops.write(f, 4, 4, __builtin_bswap32(0x1000), 0);
    return __builtin_bswap32(fx_get32(0x1000));
}

Test(dma, fw_cfg_commands)
{
    static const uint8_t kernel[5] = {1, 2, 3, 4, 5};
    struct fw_cfg_config cfg = {.cpu_count = 1, .kernel = kernel, .kernel_size = 5, .dma = fx_dma};
    static struct fw_cfg f;

    fx_open("ring1");
    fw_cfg_init(&f, &cfg);
    cr_expect_eq(fw_command(&f, 0x0001000a, 4, 0x2000), 0);
    cr_expect_eq(fx_get32(0x2000), 3, "the ID says that there is DMA");
    cr_expect_eq(fw_command(&f, 0x0011000a, 3, 0x3000), 0);
    cr_expect_eq(fx_get32(0x3000), 0x030201);
    cr_expect_eq(fw_command(&f, 0x02, 2, 0x3003), 0, "goes on");
    cr_expect(fx_get32(0x3002) == 0x050403, "%x", fx_get32(0x3002));
    cr_expect_eq(fw_command(&f, 0x0011000c, 4, 0), 0, "skips");
    cr_expect_eq(fw_command(&f, 0x02, 1, 0x3008), 0);
    cr_expect_eq(fx_get32(0x3008), 5);
    cr_expect_eq(fw_command(&f, 0x0011001a, 3, 0x3000), 0, "reads, though it asks for a write too");
    cr_expect_eq(fw_command(&f, 0x00110018, 3, 0x3000), 1, "no item can be written");
    cr_expect_eq(fw_command(&f, 0x0011000a, 4, 0x2000000000ull), 1, "a hole");
    fx_put32(0x4005, 0x77777777);
    cr_expect_eq(fw_command(&f, 0x0011000a, 8, 0x4000), 0);
    cr_expect_eq(fx_get32(0x4005), 0x77000000, "zeroes to the end that was asked for");
    cr_expect_eq(fw_command(&f, 0x0011000a, UINT32_MAX, 0x4000), 1, "no command takes long");
    fw_cfg_dma_ops.write(&f, 0, 4, UINT32_MAX, 0);
    fw_cfg_dma_ops.write(&f, 4, 4, UINT32_MAX, 0); /* a command where there is no memory */
    cr_expect_eq(fw_cfg_dma_ops.read(&f, 2, 4, 0), 0x4320554d);
}
