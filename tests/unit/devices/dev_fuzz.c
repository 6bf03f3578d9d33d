/* SPDX-License-Identifier: MIT */
/*
 * dev_fuzz.c - random accesses with random jumps in time on every classic chip, run under the
 * sanitizers: nothing may crash, loop without bound, or ask to be woken in the past. uses:
 * devices/bus.c and every chip included below
 */
#include <criterion/criterion.h>
#include <string.h>

#include "devices/bus.h"
#include "devices/debugcon.h"
#include "devices/fw_cfg.h"
#include "devices/i8042.h"
#include "devices/i8237.h"
#include "devices/i8254.h"
#include "devices/i8259.h"
#include "devices/mc146818.h"
#include "devices/ns16550.h"
#include "devices/pc_testdev.h"
#include "devices/port61.h"
#include "devices/port92.h"

static struct {
    struct bus io;
    struct i8259 pic;
    struct i8254 pit;
    struct port61 p61;
    struct mc146818 rtc;
    struct ns16550 uart;
    struct i8042 kbc;
    struct port92 p92;
    struct debugcon e9;
    struct fw_cfg fw;
    struct pc_testdev td;
    struct i8237 dma;
    unsigned sent;
} m;

static void send(void *o, const uint8_t *bytes, size_t len)
{
    (void)o;
    for (size_t i = 0; i < len; i++)
        m.sent += bytes[i];
}

static bool irq0_taken(void *ctx)
{
    (void)ctx;
    return i8259_irq_taken(&m.pic, 0);
}

static struct wire irq(unsigned pin)
{
    return (struct wire){i8259_set_irq, &m.pic, pin};
}

static void build(void)
{
    struct wire none = {0};
    struct chardev chr = {NULL, send};
    struct fw_cfg_config cfg = {.ram_size = 1 << 27, .cpu_count = 1};
    const struct {
        uint64_t first, last;
        const struct dev_ops *ops;
        void *dev;
        uint32_t base;
    } map[] = {
        {0x00, 0x0f, &i8237_ops, &m.dma, 0},
        {0x20, 0x21, &i8259_ops, &m.pic, 0},
        {0x40, 0x43, &i8254_ops, &m.pit, 0},
        {0x60, 0x60, &i8042_ops, &m.kbc, 0},
        {0x61, 0x61, &port61_ops, &m.p61, 0},
        {0x64, 0x64, &i8042_ops, &m.kbc, 4},
        {0x70, 0x73, &mc146818_ops, &m.rtc, 0},
        {0x80, 0x8f, &i8237_ops, &m.dma, 0x200},
        {0x92, 0x92, &port92_ops, &m.p92, 0},
        {0xa0, 0xa1, &i8259_ops, &m.pic, 2},
        {0xc0, 0xdf, &i8237_ops, &m.dma, 0x100},
        {0xe0, 0xe7, &pc_testdev_ops, &m.td, 0},
        {0xe9, 0xe9, &debugcon_ops, &m.e9, 0},
        {0x3f8, 0x3ff, &ns16550_ops, &m.uart, 0},
        {0x4d0, 0x4d1, &i8259_ops, &m.pic, 4},
        {0x510, 0x511, &fw_cfg_ops, &m.fw, 0},
        {0x2000, 0x2017, &pc_testdev_irq_ops, &m.td, 0},
        {0x8000, 0x8fff, &pc_testdev_mem_ops, &m.td, 0xf000},
    };

    memset(&m, 0, sizeof(m));
    i8259_init(&m.pic, none);
    i8254_init(&m.pit, irq(0), none, irq0_taken, NULL);
    port61_init(&m.p61, &m.pit, none);
    mc146818_init(&m.rtc, 1790000000, irq(8), none);
    mc146818_set_memory(&m.rtc, 1 << 27);
    ns16550_init(&m.uart, chr, irq(4), none);
    i8042_init(&m.kbc, irq(1), irq(12), none, none, none);
    port92_init(&m.p92, none, none);
    debugcon_init(&m.e9, chr, none);
    fw_cfg_init(&m.fw, &cfg);
    pc_testdev_init(&m.td, irq(0));
    i8237_init(&m.dma, &(struct dma){0});
    for (unsigned i = 0; i < ARRAY_LEN(map); i++)
        cr_assert_eq(bus_add(&m.io, map[i].first, map[i].last, map[i].ops, map[i].dev, map[i].base),
                     0);
}

static uint64_t rnd(uint64_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s;
}

/* Calls every timer; their deadlines lie in the future. */
static ns_t run_all(ns_t now)
{
    const struct {
        const struct dev_ops *ops;
        void *dev;
    } timers[] = {{&i8254_ops, &m.pit},
                  {&mc146818_ops, &m.rtc},
                  {&ns16550_ops, &m.uart},
                  {&i8042_ops, &m.kbc},
                  {&debugcon_ops, &m.e9}};
    ns_t first = NS_NEVER;

    for (unsigned i = 0; i < ARRAY_LEN(timers); i++) {
        ns_t due = timers[i].ops->run_until(timers[i].dev, now);

        cr_assert(due > now, "%s: deadline %lu at %lu", timers[i].ops->name, (unsigned long)due,
                  (unsigned long)now);
        if (due < first)
            first = due;
    }
    return first;
}

Test(fuzz, registers)
{
    uint64_t s = 0x9e3779b97f4a7c15ull;

    for (unsigned round = 0; round < 40; round++) {
        ns_t now = 0, due = NS_NEVER;

        build();
        for (unsigned n = 0; n < 10000; n++) {
            const struct bus_range *r = &m.io.range[rnd(&s) % m.io.count];
            uint64_t port = r->first + rnd(&s) % (r->last - r->first + 1);
            unsigned size = 1u << rnd(&s) % 3;
            uint64_t kind = rnd(&s) % 64;

            if (kind < 28)
                bus_write(&m.io, port, size, (uint32_t)rnd(&s), now);
            else if (kind < 50)
                bus_read(&m.io, port, size, now);
            else if (kind < 54 && due != NS_NEVER)
                now = due;
            else if (kind < 58)
                now += rnd(&s) % 100000;
            else if (kind == 58)
                now += rnd(&s) % (NS_PER_SEC * 100);
            else if (kind == 59 && rnd(&s) % 50 == 0)
                now += rnd(&s) % (NS_PER_SEC * 86400 * 400);
            else if (kind == 60)
                ns16550_receive(&m.uart, (const uint8_t *)&s, (unsigned)(rnd(&s) % 9), now);
            else if (kind == 61)
                i8042_key(&m.kbc, (uint8_t)rnd(&s), now);
            else if (kind == 62)
                i8259_intack(&m.pic);
            else if (rnd(&s) % 200 == 0)
                for (unsigned i = 0; i < m.io.count; i++)
                    if (m.io.range[i].ops->reset)
                        m.io.range[i].ops->reset(m.io.range[i].dev);
            due = run_all(now);
        }
    }
}
