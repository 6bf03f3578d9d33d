/* SPDX-License-Identifier: MIT */
/*
 * dev_mc146818.c - the clock: calendar against the C library, modes, UIP, the three interrupts,
 * setting it.
 * uses: devices/mc146818.c
 */
#include <criterion/criterion.h>
#include <time.h>

#include "devices/mc146818.h"

#define SEC NS_PER_SEC
#define MS  1000000ull

static bool line;
static unsigned rises;

static void irq8(void *t, unsigned pin, bool level)
{
    (void)t;
    (void)pin;
    rises += level && !line;
    line = level;
}

static void fresh(struct mc146818 *r, int64_t wall)
{
    line = false;
    rises = 0;
    mc146818_init(r, wall, (struct wire){irq8, NULL, 0}, (struct wire){0});
}
static unsigned get(struct mc146818 *r, unsigned reg, ns_t now)
{
    mc146818_ops.write(r, 0, 1, reg, now);
    return mc146818_ops.read(r, 1, 1, now);
}
static void put(struct mc146818 *r, unsigned reg, unsigned val, ns_t now)
{
    mc146818_ops.write(r, 0, 1, reg, now);
    mc146818_ops.write(r, 1, 1, val, now);
}
static unsigned bcd(unsigned v)
{
    return v / 10 << 4 | v % 10;
}

static void expect_time(struct mc146818 *r, time_t t, ns_t now)
{
    struct tm tm;

    gmtime_r(&t, &tm);
    cr_expect_eq(get(r, 0, now), bcd((unsigned)tm.tm_sec), "%ld", (long)t);
    cr_expect_eq(get(r, 2, now), bcd((unsigned)tm.tm_min), "%ld", (long)t);
    cr_expect_eq(get(r, 4, now), bcd((unsigned)tm.tm_hour), "%ld", (long)t);
    cr_expect_eq(get(r, 6, now), (unsigned)tm.tm_wday + 1, "%ld: day of week", (long)t);
    cr_expect_eq(get(r, 7, now), bcd((unsigned)tm.tm_mday), "%ld: day", (long)t);
    cr_expect_eq(get(r, 8, now), bcd((unsigned)tm.tm_mon + 1), "%ld: month", (long)t);
    cr_expect_eq(get(r, 9, now), bcd((unsigned)tm.tm_year % 100), "%ld: year", (long)t);
    cr_expect_eq(get(r, 0x32, now), bcd((unsigned)tm.tm_year / 100 + 19), "%ld: century", (long)t);
}

Test(mc146818, calendar)
{
    static const time_t start[] = {0,          946684799,  951782399,   1456703999,
                                   4107542399, 1790000000, 253402300799};
    struct mc146818 r;

    for (unsigned i = 0; i < ARRAY_LEN(start); i++) {
        fresh(&r, start[i]);
        expect_time(&r, start[i], SEC - 1);
        if (start[i] < 253402300799)
            expect_time(&r, start[i] + 1, SEC);
    }
    /* In odd jumps through 40 years, over the leap day of 2000 and the end of the century. */
    fresh(&r, 915148800);
    for (uint64_t s = 0; s < 40ull * 366 * 86400; s += 864013 + s % 777)
        expect_time(&r, (time_t)(915148800 + s), s * SEC + 5);
    fresh(&r, 4102444800 - 10); /* 2100 is no leap year */
    expect_time(&r, 4102444800 + 59 * 86400, (10 + 59 * 86400ull) * SEC);
}

Test(mc146818, formats)
{
    static const struct {
        uint8_t b;
        unsigned hour;
        uint8_t raw;
    } rows[] = {
        {0x02, 0, 0x00}, {0x02, 23, 0x23},      {0x06, 23, 23},        {0x00, 0, 0x12},
        {0x00, 1, 0x01}, {0x00, 12, 0x92},      {0x00, 13, 0x81},      {0x00, 23, 0x91},
        {0x04, 0, 12},   {0x04, 12, 0x80 | 12}, {0x04, 22, 0x80 | 10},
    };

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct mc146818 r;

        fresh(&r, 1000000000);
        put(&r, 0x0b, 0x80 | rows[i].b, 0);
        put(&r, 4, rows[i].raw, 0);
        put(&r, 2, 0, 0);
        put(&r, 0, 0, 0);
        put(&r, 7, 9, 0);
        put(&r, 8, 9, 0);
        put(&r, 0x0b, rows[i].b, 0);
        cr_expect_eq(get(&r, 4, 3599 * SEC), rows[i].raw, "row %u", i);
        put(&r, 0x0b, 0x80, 3600 * SEC + 1); /* one update later, whatever the mode */
        cr_expect_eq(r.ram[2], 0, "row %u", i);
        put(&r, 0x0b, rows[i].b, 3600 * SEC + 1);
        cr_expect_eq(get(&r, 4, (24 * 3600ull) * SEC), rows[i].raw, "row %u: a day later", i);
    }
}

Test(mc146818, setting)
{
    struct mc146818 r;

    fresh(&r, 0);
    put(&r, 0x0b, 0x82, 300 * MS);
    put(&r, 0x0a, 0x70, 300 * MS); /* the divider in reset */
    put(&r, 0, 0x58, 300 * MS);
    put(&r, 2, 0x59, 300 * MS);
    put(&r, 4, 0x23, 300 * MS);
    put(&r, 7, 0x28, 300 * MS);
    put(&r, 8, 0x02, 300 * MS);
    put(&r, 9, 0x24, 300 * MS);
    put(&r, 0x32, 0x20, 300 * MS);
    put(&r, 6, 0x04, 300 * MS);
    cr_expect_eq(get(&r, 0, 90 * SEC), 0x58, "stands still");
    cr_expect_eq(get(&r, 0x0a, 90 * SEC), 0x70);
    put(&r, 0x0b, 0x02, 100 * SEC);
    put(&r, 0x0a, 0x26, 100 * SEC);
    cr_expect_eq(get(&r, 0, 100 * SEC + 499 * MS), 0x58);
    cr_expect_eq(get(&r, 0, 100 * SEC + 500 * MS), 0x59,
                 "first update half a second after the start");
    cr_expect_eq(get(&r, 7, 101 * SEC + 500 * MS), 0x29, "leap day");
    cr_expect_eq(get(&r, 8, 101 * SEC + 500 * MS), 0x02);
    cr_expect_eq(get(&r, 6, 101 * SEC + 500 * MS), 0x05);
    /* One register at a time without SET: nothing is normalised until the next update. */
    put(&r, 8, 0x01, 102 * SEC);
    put(&r, 7, 0x31, 102 * SEC);
    put(&r, 8, 0x02, 102 * SEC);
    put(&r, 7, 0x15, 102 * SEC);
    cr_expect_eq(get(&r, 7, 103 * SEC), 0x15);
    cr_expect_eq(get(&r, 8, 103 * SEC), 0x02);
    /* Reset keeps time and RAM. */
    put(&r, 0x40, 0xa5, 103 * SEC);
    put(&r, 0x0b, 0x72, 103 * SEC);
    mc146818_ops.reset(&r);
    cr_expect_eq(get(&r, 0x0b, 103 * SEC), 0x02);
    cr_expect_eq(get(&r, 0x40, 103 * SEC), 0xa5);
    cr_expect_eq(get(&r, 7, 104 * SEC), 0x15);
    cr_expect_eq(get(&r, 0x0d, 0), 0x80);
    cr_expect_eq(mc146818_ops.read(&r, 0, 1, 0), 0xff);
    mc146818_ops.write(&r, 2, 1, 5, 0);
    mc146818_ops.write(&r, 3, 1, 0x77, 0);
    cr_expect_eq(mc146818_ops.read(&r, 3, 1, 0), 0x77);
    cr_expect_eq(r.ram[0x85], 0x77);
}

Test(mc146818, update)
{
    struct mc146818 r;

    fresh(&r, 0);
    cr_expect_eq(get(&r, 0x0a, SEC - 2300000), 0x26);
    cr_expect_eq(get(&r, 0x0a, SEC - 2200000), 0xa6);
    cr_expect_eq(get(&r, 0x0a, SEC - 1), 0xa6);
    cr_expect_eq(get(&r, 0x0a, SEC), 0x26);
    cr_expect_eq(get(&r, 0x0c, SEC), 0x50, "flags are set without their enables; no interrupt");
    cr_expect_eq(mc146818_ops.run_until(&r, SEC), NS_NEVER);
    put(&r, 0x0b, 0x12, SEC);
    cr_expect_eq(mc146818_ops.run_until(&r, SEC), 2 * SEC);
    mc146818_ops.run_until(&r, 2 * SEC);
    cr_expect(line);
    cr_expect_eq(get(&r, 0x0c, 2 * SEC) & 0xb0, 0x90);
    cr_expect(!line);
    cr_expect_eq(get(&r, 0x0c, 2 * SEC), 0);
    put(&r, 0x0b, 0x92, 2 * SEC);
    cr_expect_eq(get(&r, 0x0b, 2 * SEC), 0x82, "SET clears UIE");
    cr_expect_eq(get(&r, 0x0a, 3 * SEC - 1000), 0x26, "no update while SET");
}

Test(mc146818, alarm)
{
    static const struct {
        uint8_t b, h, m, s;
        uint64_t after; /* seconds from 1970-01-01 00:00:00; 0: never */
    } rows[] = {
        {0x22, 0x00, 0x00, 0x05, 5},     {0x22, 0x00, 0x00, 0x00, 86400},
        {0x22, 0xff, 0x00, 0x00, 3600},  {0x22, 0xff, 0xff, 0x30, 30},
        {0x22, 0xc0, 0xc0, 0xc0, 1},     {0x22, 0x23, 0x59, 0x59, 86399},
        {0x22, 0x13, 0xff, 0x07, 46807}, {0x22, 0x24, 0x00, 0x00, 0},
        {0x22, 0x00, 0x6a, 0x00, 0},     {0x20, 0x81, 0x00, 0x00, 46800},
        {0x26, 13, 30, 10, 48610},
    };

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct mc146818 r;
        ns_t due;

        fresh(&r, 0);
        put(&r, 0x0b, rows[i].b, 0);
        if (!(rows[i].b & 2))
            put(&r, 4, 0x12, 0);
        put(&r, 5, rows[i].h, 0);
        put(&r, 3, rows[i].m, 0);
        put(&r, 1, rows[i].s, 0);
        due = mc146818_ops.run_until(&r, 0);
        cr_expect_eq(due, rows[i].after ? rows[i].after * SEC : NS_NEVER, "row %u: %lu", i,
                     (unsigned long)due);
        if (!rows[i].after)
            continue;
        mc146818_ops.run_until(&r, due - 1);
        cr_expect(!line, "row %u", i);
        mc146818_ops.run_until(&r, due + 3 * SEC); /* late: still seen */
        cr_expect(line, "row %u", i);
        cr_expect_eq(get(&r, 0x0c, due + 3 * SEC) & 0xa0, 0xa0, "row %u", i);
    }
}

Test(mc146818, periodic)
{
    static const unsigned hz[16] = {0,   256, 128, 8192, 4096, 2048, 1024, 512,
                                    256, 128, 64,  32,   16,   8,    4,    2};

    for (unsigned rs = 0; rs < 16; rs++) {
        struct mc146818 r;
        ns_t now = 0;
        unsigned seen = 0;

        fresh(&r, 0);
        put(&r, 0x0a, 0x20 | rs, 0);
        put(&r, 0x0b, 0x42, 0);
        while (now < 10 * SEC) {
            ns_t due = mc146818_ops.run_until(&r, now);

            if (line && (get(&r, 0x0c, now) & 0xc0) == 0xc0) {
                seen++;
                continue;
            }
            if (due == NS_NEVER)
                break;
            cr_assert(due > now);
            now = due + (seen % 1000 == 999 ? 20 * MS : 0);
        }
        mc146818_ops.run_until(&r, 10 * SEC);
        for (unsigned n = 0; n < 10000 && (r.backlog || line); n++) {
            seen += (get(&r, 0x0c, 0) & 0x40) != 0;
            mc146818_ops.run_until(&r, r.poll_at);
        }
        cr_expect(seen >= hz[rs] * 10 && seen <= hz[rs] * 10 + hz[rs] / 4 + 1, "rate %u: %u", rs,
                  seen);
        cr_expect_eq(r.periodic_dropped, 0);
    }
    /* Nobody acknowledges: bounded. */
    {
        struct mc146818 r;

        fresh(&r, 0);
        put(&r, 0x0b, 0x42, 0);
        mc146818_ops.run_until(&r, 3600 * SEC);
        cr_expect_eq(rises, 1);
        cr_expect_leq(r.backlog, 10240);
    }
}

Test(mc146818, memory)
{
    static const struct {
        uint64_t mib;
        unsigned low, high;
    } rows[] = {{1, 0, 0},        {8, 7168, 0},        {16, 15360, 0},
                {64, 64512, 768}, {128, 0xffff, 1792}, {2048, 0xffff, 32512}};

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct mc146818 r;
        unsigned sum = 0;

        fresh(&r, 0);
        mc146818_set_memory(&r, rows[i].mib << 20);
        cr_expect_eq(r.ram[0x15] | r.ram[0x16] << 8, 640);
        cr_expect_eq((unsigned)(r.ram[0x17] | r.ram[0x18] << 8), rows[i].low, "row %u", i);
        cr_expect_eq((unsigned)(r.ram[0x30] | r.ram[0x31] << 8), rows[i].low, "row %u", i);
        cr_expect_eq((unsigned)(r.ram[0x34] | r.ram[0x35] << 8), rows[i].high, "row %u", i);
        for (unsigned at = 0x10; at < 0x2e; at++)
            sum += r.ram[at];
        cr_expect_eq((unsigned)(r.ram[0x2e] << 8 | r.ram[0x2f]), sum);
    }
}
