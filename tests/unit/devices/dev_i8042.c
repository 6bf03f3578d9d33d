/* SPDX-License-Identifier: MIT */
/*
 * dev_i8042.c - keyboard controller, keyboard, mouse; A20 and reset also through port 92h.
 * uses: devices/i8042.c devices/port92.c
 */
#include <criterion/criterion.h>

#include "devices/i8042.h"
#include "devices/port92.h"

static bool irq[16], a20;
static unsigned resets, rises[16];
static ns_t now;

static void set_irq(void *t, unsigned pin, bool level)
{
    (void)t;
    rises[pin] += level && !irq[pin];
    irq[pin] = level;
}
static void set_a20(void *t, unsigned pin, bool level)
{
    (void)t;
    (void)pin;
    a20 = level;
}
static void reset(void *t, unsigned pin, bool level)
{
    (void)t;
    (void)pin;
    resets += level;
}
static void fresh(struct i8042 *k)
{
    resets = rises[1] = rises[12] = 0;
    irq[1] = irq[12] = false;
    a20 = true;
    now = 0;
    i8042_init(k, (struct wire){set_irq, NULL, 1}, (struct wire){set_irq, NULL, 12},
               (struct wire){set_a20, NULL, 0}, (struct wire){reset, NULL, 0}, (struct wire){0});
}
static unsigned status(struct i8042 *k)
{
    return i8042_ops.read(k, 4, 1, now);
}
static void command(struct i8042 *k, unsigned val)
{
    i8042_ops.write(k, 4, 1, val, now);
}
static void data(struct i8042 *k, unsigned val)
{
    i8042_ops.write(k, 0, 1, val, now);
}
/* The next byte, with time going on until it is there; 0x1xx from the mouse; 0xfff: none. */
static unsigned next(struct i8042 *k)
{
    unsigned s, val;

    for (unsigned i = 0; i < 20 && !(status(k) & 1); i++)
        now += 100000;
    s = status(k);
    if (!(s & 1))
        return 0xfff;
    val = i8042_ops.read(k, 0, 1, now);
    return val | (s & 0x20 ? 0x100 : 0);
}

/* One row: write these (command when >= 0x1000, mouse byte when >= 0x2000), then expect the
 * answers. */
Test(i8042, protocol)
{
    static const struct {
        unsigned write[4];
        unsigned answer[6];
    } rows[] = {
        {{0x10aa}, {0x55}},
        {{0x10ab}, {0x00}},
        {{0x10a9}, {0x00}},
        {{0x10a4}, {0xf1}},
        {{0x10c0}, {0x80}},
        {{0x1020}, {0x65}},
        {{0x1060, 0x44, 0x1020}, {0x44}},
        {{0x107f, 0x5a, 0x103f}, {0x5a}},
        {{0x10ad, 0x1020}, {0x54}},
        {{0x10ae, 0x1020}, {0x44}},
        {{0x10a7, 0x1020}, {0x64}},
        {{0x10a8, 0x1020}, {0x44}},
        {{0x10d2, 0x77}, {0x77}},
        {{0x10d3, 0x88}, {0x188}},
        {{0x10d0}, {0xc3}},
        {{0x10ff}, {0xfff}},
        {{0xff}, {0xfa, 0xaa}},
        {{0xf2}, {0xfa, 0xab, 0x41}}, /* translated */
        {{0xed, 0x07}, {0xfa, 0xfa}},
        {{0xee}, {0xee}},
        {{0xf0, 0x100}, {0xfa, 0xfa, 0x41}},
        {{0xf0, 0x09}, {0xfa, 0xfe}},
        {{0xf3, 0x20}, {0xfa, 0xfa}},
        {{0xf4}, {0xfa}},
        {{0xf6}, {0xfa}},
        {{0x01}, {0xfe}},
        {{0xee, 0xfe}, {0xee, 0xee}},
        {{0x1060, 0x04, 0xf2}, {0xfa, 0xab, 0x83}},
        {{0x20ff}, {0x1fa, 0x1aa, 0x100}},
        {{0x20f2}, {0x1fa, 0x100}},
        {{0x20f3, 0x2028}, {0x1fa, 0x1fa}},
        {{0x20e8, 0x2003}, {0x1fa, 0x1fa}},
        {{0x20e7}, {0x1fa}},
        {{0x20f4}, {0x1fa}},
        {{0x20e9}, {0x1fa, 0x130, 0x103, 0x128}},
        {{0x20eb}, {0x1fa, 0x108, 0x100, 0x100}},
        {{0x20ee, 0x2012, 0x20ec}, {0x1fa, 0x112, 0x1fa}},
        {{0x2055}, {0x1fe}},
        {{0x20f6, 0x20e9}, {0x1fa, 0x1fa, 0x100, 0x102, 0x164}},
    };
    struct i8042 k;

    fresh(&k);
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        unsigned got, n = 0;

        for (unsigned w = 0; w < 4 && (w == 0 || rows[i].write[w]); w++) {
            unsigned val = rows[i].write[w];

            if (val >= 0x2000)
                command(&k, 0xd4);
            if (val >= 0x1000 && val < 0x2000)
                command(&k, val & 0xff);
            else
                data(&k, val & 0xff);
            /* Device commands are answered one by one, as drivers wait for them. */
            if (w < 3 && rows[i].write[w + 1] &&
                (val >= 0x2000 || (val < 0x1000 && rows[i].write[0] < 0x1000))) {
                got = next(&k);
                cr_expect_eq(got, rows[i].answer[n], "row %u answer %u: 0x%x", i, n, got);
                n++;
            }
        }
        for (; n < 6 && (n == 0 || rows[i].answer[n]); n++) {
            got = next(&k);
            cr_expect_eq(got, rows[i].answer[n], "row %u answer %u: 0x%x", i, n, got);
        }
        cr_expect_eq(next(&k), 0xfff, "row %u: nothing more", i);
    }
    cr_expect_eq(resets, 0);
}

Test(i8042, keys)
{
    static const uint8_t scan[] = {0x1c, 0xf0, 0x1c, 0xe0, 0x75, 0xe0, 0xf0, 0x75, 0x83};
    static const unsigned set1[] = {0x1e, 0x9e, 0xe0, 0x48, 0xe0, 0xc8, 0x41};
    struct i8042 k;
    ns_t due;

    fresh(&k);
    for (unsigned i = 0; i < ARRAY_LEN(scan); i++)
        cr_expect(i8042_key(&k, scan[i], now));
    for (unsigned i = 0; i < ARRAY_LEN(set1); i++)
        cr_expect_eq(next(&k), set1[i], "byte %u", i);
    cr_expect_eq(rises[1], ARRAY_LEN(set1));
    /* The next byte keeps its distance; reading again shows the old one. */
    now += 10000000;
    i8042_key(&k, 0x1c, now);
    i8042_key(&k, 0x32, now);
    cr_expect_eq(i8042_ops.read(&k, 0, 1, now), 0x1e);
    cr_expect(!irq[1]);
    cr_expect_eq(i8042_ops.read(&k, 0, 1, now), 0x1e);
    due = i8042_ops.run_until(&k, now);
    cr_expect(due > now && due <= now + 1000000);
    i8042_ops.run_until(&k, due);
    cr_expect(irq[1]);
    now = due;
    cr_expect_eq(next(&k), 0x30);
    /* Interface off: bytes wait. */
    command(&k, 0xad);
    i8042_key(&k, 0x1c, now);
    cr_expect_eq(next(&k), 0xfff);
    cr_expect_eq(i8042_ops.run_until(&k, now), NS_NEVER);
    command(&k, 0xae);
    cr_expect_eq(next(&k), 0x1e);
    /* Scanning off, queue full: dropped and counted. */
    data(&k, 0xf5);
    cr_expect_eq(next(&k), 0xfa);
    cr_expect(!i8042_key(&k, 0x1c, now));
    data(&k, 0xf4);
    cr_expect_eq(next(&k), 0xfa);
    for (unsigned i = 0; i < 100; i++)
        i8042_key(&k, 0x1c, now);
    cr_expect_geq(k.keys_dropped, 60);
    /* AUX loop raises IRQ 12 when enabled. */
    fresh(&k);
    command(&k, 0x60);
    data(&k, 0x47);
    command(&k, 0xd3);
    data(&k, 0x5a);
    cr_expect(irq[12] && !irq[1]);
}

Test(i8042, a20_and_reset)
{
    struct i8042 k;
    struct port92 p;

    fresh(&k);
    command(&k, 0xd1);
    data(&k, 0xdd);
    cr_expect(!a20);
    command(&k, 0xd0);
    cr_expect_eq(next(&k) & 2, 0);
    command(&k, 0xdf);
    cr_expect(a20);
    command(&k, 0xdd);
    cr_expect(!a20);
    i8042_a20_follow(&k, true);
    command(&k, 0xd0);
    cr_expect_eq(next(&k) & 2, 2);
    command(&k, 0xfe);
    cr_expect_eq(resets, 1);
    command(&k, 0xff);
    cr_expect_eq(resets, 1);
    command(&k, 0xd1);
    data(&k, 0x02);
    cr_expect_eq(resets, 2);
    port92_init(&p, (struct wire){set_a20, NULL, 0}, (struct wire){reset, NULL, 0});
    cr_expect_eq(port92_ops.read(&p, 0, 1, 0), 2);
    port92_ops.write(&p, 0, 1, 0, 0);
    cr_expect(!a20);
    port92_ops.write(&p, 0, 1, 0xfe, 0);
    cr_expect(a20);
    cr_expect_eq(port92_ops.read(&p, 0, 1, 0), 2);
    cr_expect_eq(resets, 2);
    port92_ops.write(&p, 0, 1, 3, 0);
    port92_ops.write(&p, 0, 1, 3, 0);
    cr_expect_eq(resets, 3, "on the edge");
    port92_a20_follow(&p, false);
    cr_expect_eq(port92_ops.read(&p, 0, 1, 0), 1);
}
