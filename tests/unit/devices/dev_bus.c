/* SPDX-License-Identifier: MIT */
/*
 * dev_bus.c - the bus: overlap, search, splitting, nobody home.
 * uses: devices/bus.c
 */
#include <criterion/criterion.h>

#include "devices/bus.h"

/* A device that logs its accesses and reads as offset bytes. */
struct probe {
    unsigned count;
    struct {
        uint32_t off, val;
        unsigned size;
    } log[16];
};

static uint32_t probe_read(void *dev, uint32_t off, unsigned size, ns_t now)
{
    uint32_t val = 0;

    (void)dev;
    (void)now;
    for (unsigned i = 0; i < size; i++)
        val |= (uint32_t)(uint8_t)(off + i) << (8 * i);
    return val;
}

static void probe_write(void *dev, uint32_t off, unsigned size, uint32_t val, ns_t now)
{
    struct probe *p = dev;

    (void)now;
    if (p->count < ARRAY_LEN(p->log)) {
        p->log[p->count].off = off;
        p->log[p->count].size = size;
        p->log[p->count].val = val;
    }
    p->count++;
}

static const struct dev_ops byte_ops = {
    .min_size = 1, .max_size = 1, .read = probe_read, .write = probe_write};
static const struct dev_ops any_ops = {
    .min_size = 1, .max_size = 4, .read = probe_read, .write = probe_write};
static const struct dev_ops dword_ops = {
    .min_size = 4, .max_size = 4, .read = probe_read, .write = probe_write};

Test(bus, ranges)
{
    static struct bus b;
    static struct probe p[BUS_MAX_RANGES + 1];
    static const struct {
        uint64_t first, last;
        int result;
    } rows[] = {
        {0x100, 0x10f, 0},  {0x110, 0x11f, 0},  {0x0f0, 0x0ff, 0},  {0x10f, 0x10f, -1},
        {0x0ff, 0x100, -1}, {0x000, 0xfff, -1}, {0x105, 0x106, -1}, {0x11f, 0x200, -1},
        {0x200, 0x1ff, -1}, {0x130, 0x130, 0},  {0x120, 0x12f, 0},  {0xfffffff0, 0x1000000ffull, 0},
        {0, 0, 0},
    };

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
        cr_expect_eq(bus_add(&b, rows[i].first, rows[i].last, &any_ops, &p[i], 0), rows[i].result,
                     "row %u", i);
    for (unsigned i = 0; i + 1 < b.count; i++)
        cr_expect(b.range[i].last < b.range[i + 1].first, "sorted at %u", i);
    cr_expect_eq(bus_find(&b, 0x10f)->dev, &p[0]);
    cr_expect_eq(bus_find(&b, 0x110)->dev, &p[1]);
    cr_expect_eq(bus_find(&b, 0x100000000ull)->dev, &p[11]);
    cr_expect_null(bus_find(&b, 1));
    cr_expect_null(bus_find(&b, 0x131));
    cr_expect_eq(bus_remove(&b, 0x100, &p[1]), -1);
    cr_expect_eq(bus_remove(&b, 0x101, &p[0]), -1);
    cr_expect_eq(bus_remove(&b, 0x100, &p[0]), 0);
    cr_expect_null(bus_find(&b, 0x105));
    cr_expect_eq(bus_add(&b, 0x100, 0x10f, &any_ops, &p[0], 0), 0);
    for (unsigned i = 0; b.count < BUS_MAX_RANGES; i++)
        cr_assert_eq(bus_add(&b, 0x1000 + i, 0x1000 + i, &any_ops, &p[0], 0), 0);
    cr_expect_eq(bus_add(&b, 0x9000, 0x9000, &any_ops, &p[0], 0), -1, "full");
}

Test(bus, reads)
{
    static struct bus b;
    static struct probe p;
    static const struct {
        uint64_t addr;
        unsigned size;
        uint32_t val;
        unsigned missed;
    } rows[] = {
        {0x10, 1, 0x00, 0},       {0x10, 4, 0x03020100, 0}, {0x11, 4, 0x04030201, 0},
        {0x1e, 4, 0x81800f0e, 0}, {0x20, 2, 0x8180, 0},     {0x2e, 4, 0xffff8f8e, 1},
        {0x30, 4, 0xffffffff, 1}, {0x30, 1, 0xff, 1},       {0x0f, 2, 0x00ff, 1},
        {0x41, 1, 0x01, 0},       {0x42, 2, 0x0302, 0},     {0x41, 2, 0x0201, 0},
        {0x43, 4, 0x06050403, 0}, {0x40, 4, 0x03020100, 0}, {0xffff, 4, 0xffffffff, 1},
    };

    bus_add(&b, 0x10, 0x1f, &any_ops, &p, 0);
    bus_add(&b, 0x20, 0x2f, &byte_ops, &p, 0x80);
    bus_add(&b, 0x40, 0x4f, &dword_ops, &p, 0);
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t before = b.unclaimed_reads;

        cr_expect_eq(bus_read(&b, rows[i].addr, rows[i].size, 0), rows[i].val, "row %u", i);
        cr_expect_eq(b.unclaimed_reads - before, rows[i].missed, "row %u counted", i);
    }
}

Test(bus, writes)
{
    static struct bus b;
    static struct probe p;

    bus_add(&b, 0x10, 0x1f, &any_ops, &p, 0);
    bus_add(&b, 0x20, 0x2f, &byte_ops, &p, 0);
    bus_add(&b, 0x40, 0x4f, &dword_ops, &p, 0);
    bus_write(&b, 0x11, 4, 0x44332211, 0); /* byte, word, byte */
    cr_assert_eq(p.count, 3);
    cr_expect(p.log[0].size == 1 && p.log[0].val == 0x11 && p.log[0].off == 1);
    cr_expect(p.log[1].size == 2 && p.log[1].val == 0x3322 && p.log[1].off == 2);
    cr_expect(p.log[2].size == 1 && p.log[2].val == 0x44 && p.log[2].off == 4);
    p.count = 0;
    bus_write(&b, 0x20, 4, 0xddccbbaa, 0);
    cr_assert_eq(p.count, 4);
    cr_expect(p.log[3].val == 0xdd && p.log[3].off == 3);
    p.count = 0;
    bus_write(&b, 0x42, 2, 0xffffbeef, 0); /* widened, other bytes zero */
    cr_assert_eq(p.count, 1);
    cr_expect(p.log[0].size == 4 && p.log[0].off == 0 && p.log[0].val == 0xbeef0000);
    bus_write(&b, 0x30, 4, 1, 0);
    cr_expect_eq(b.unclaimed_writes, 1);
    cr_expect_eq(b.last_unclaimed, 0x33);
}
