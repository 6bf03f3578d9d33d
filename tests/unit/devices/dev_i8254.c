/* SPDX-License-Identifier: MIT */
/*
 * dev_i8254.c - the timer: all modes tick by tick, reading back, exact rate over ten minutes,
 * catching up.
 * uses: devices/i8254.c devices/port61.c
 */
#include <criterion/criterion.h>

#include "devices/i8254.h"
#include "devices/port61.h"

#define CTL 3

static unsigned rises, kicks;
static bool line, taken = true;

static void irq0(void *t, unsigned pin, bool level)
{
    (void)t;
    (void)pin;
    rises += level && !line;
    line = level;
}
static void kick(void *t, unsigned pin, bool level)
{
    (void)t;
    (void)pin;
    (void)level;
    kicks++;
}
static bool is_taken(void *ctx)
{
    (void)ctx;
    return taken;
}

/* First nanosecond of a tick. */
static ns_t at(uint64_t tick)
{
    return (ns_t)(((unsigned __int128)tick * NS_PER_SEC + I8254_HZ - 1) / I8254_HZ);
}

static void out(struct i8254 *p, unsigned reg, uint8_t val, uint64_t tick)
{
    i8254_ops.write(p, reg, 1, val, at(tick));
}
static unsigned in(struct i8254 *p, unsigned reg, uint64_t tick)
{
    return i8254_ops.read(p, reg, 1, at(tick));
}
static void fresh(struct i8254 *p)
{
    rises = 0;
    line = false;
    taken = true;
    i8254_init(p, (struct wire){irq0, NULL, 0}, (struct wire){kick, NULL, 0}, is_taken, NULL);
}
static unsigned latched(struct i8254 *p, unsigned n, uint64_t tick)
{
    unsigned low;

    out(p, CTL, (uint8_t)(n << 6), tick);
    low = in(p, n, tick);
    return low | in(p, n, tick) << 8;
}

/* The count is written at tick 1000, so the counting element holds it from tick 1001 on. */
Test(i8254, modes)
{
    static const struct {
        uint8_t mode;
        unsigned n;
        const char *wave;   /* OUT at ticks 1001, 1002, ... */
        unsigned count[10]; /* counting element at the same ticks */
    } rows[] = {
        {0, 4, "0000111111", {4, 3, 2, 1, 0, 0xffff, 0xfffe, 0xfffd, 0xfffc, 0xfffb}},
        {2, 3, "1101101101", {3, 2, 1, 3, 2, 1, 3, 2, 1, 3}},
        {2, 2, "1010101010", {2, 1, 2, 1, 2, 1, 2, 1, 2, 1}},
        {3, 4, "1100110011", {4, 2, 4, 2, 4, 2, 4, 2, 4, 2}},
        {3, 5, "1110011100", {4, 2, 0, 4, 2, 4, 2, 0, 4, 2}},
        {4, 3, "1110111111", {3, 2, 1, 0, 0xffff, 0xfffe, 0xfffd, 0xfffc, 0xfffb, 0xfffa}},
        {6, 3, "1101101101", {3, 2, 1, 3, 2, 1, 3, 2, 1, 3}},
        {7, 4, "1100110011", {4, 2, 4, 2, 4, 2, 4, 2, 4, 2}},
    };

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct i8254 p;

        fresh(&p);
        out(&p, CTL, (uint8_t)(0xb0 | rows[i].mode << 1), 900);
        i8254_set_gate(&p, 2, true, at(950));
        cr_expect_eq(i8254_out(&p, 2, at(960)), rows[i].mode != 0, "row %u before", i);
        out(&p, 2, (uint8_t)rows[i].n, 999);
        out(&p, 2, (uint8_t)(rows[i].n >> 8), 1000);
        for (unsigned k = 0; k < 10; k++) {
            cr_expect_eq(i8254_out(&p, 2, at(1001 + k)), rows[i].wave[k] == '1', "row %u out %u", i,
                         k);
            cr_expect_eq(latched(&p, 2, 1001 + k), rows[i].count[k], "row %u count %u", i, k);
        }
    }
}

Test(i8254, gate)
{
    struct i8254 p;

    /* Mode 1: a one-shot, retriggerable. */
    fresh(&p);
    out(&p, CTL, 0xb2, 0);
    out(&p, 2, 10, 0);
    out(&p, 2, 0, 0);
    cr_expect(i8254_out(&p, 2, at(50)), "waits for the trigger");
    i8254_set_gate(&p, 2, true, at(100));
    i8254_set_gate(&p, 2, false, at(102));
    cr_expect(!i8254_out(&p, 2, at(101)) && !i8254_out(&p, 2, at(110)));
    cr_expect(i8254_out(&p, 2, at(111)));
    i8254_set_gate(&p, 2, true, at(200));
    i8254_set_gate(&p, 2, false, at(203));
    i8254_set_gate(&p, 2, true, at(205));
    cr_expect(!i8254_out(&p, 2, at(215)) && i8254_out(&p, 2, at(216)), "retriggered");
    /* Mode 5: strobe of one tick. */
    fresh(&p);
    out(&p, CTL, 0xba, 0);
    out(&p, 2, 3, 0);
    out(&p, 2, 0, 0);
    i8254_set_gate(&p, 2, true, at(100));
    cr_expect(i8254_out(&p, 2, at(103)) && !i8254_out(&p, 2, at(104)) && i8254_out(&p, 2, at(105)));
    /* Mode 0: the gate suspends. */
    fresh(&p);
    out(&p, CTL, 0xb0, 0);
    out(&p, 2, 10, 0);
    out(&p, 2, 0, 0);
    cr_expect_eq(latched(&p, 2, 40), 10);
    i8254_set_gate(&p, 2, true, at(50));
    cr_expect_eq(latched(&p, 2, 54), 6);
    i8254_set_gate(&p, 2, false, at(54));
    cr_expect_eq(latched(&p, 2, 90), 6);
    i8254_set_gate(&p, 2, true, at(100));
    cr_expect(!i8254_out(&p, 2, at(105)) && i8254_out(&p, 2, at(106)));
    /* Mode 3: a low gate holds OUT high, its rise restarts. */
    fresh(&p);
    i8254_set_gate(&p, 2, true, 0);
    out(&p, CTL, 0x96, 0);
    out(&p, 2, 100, 0);
    cr_expect(!i8254_out(&p, 2, at(60)));
    i8254_set_gate(&p, 2, false, at(60));
    cr_expect(i8254_out(&p, 2, at(61)));
    i8254_set_gate(&p, 2, true, at(1000));
    cr_expect(i8254_out(&p, 2, at(1050)) && !i8254_out(&p, 2, at(1051)));
}

Test(i8254, reading)
{
    struct i8254 p;

    fresh(&p);
    /* BCD */
    out(&p, CTL, 0x31, 0);
    out(&p, 0, 0x00, 0);
    out(&p, 0, 0x10, 0); /* 1000 */
    cr_expect_eq(latched(&p, 0, 2), 0x0999);
    cr_expect_eq(latched(&p, 0, 1002), 0x9999);
    /* A latch keeps the first value until read; status goes before count. */
    out(&p, CTL, 0x34, 2000);
    out(&p, 0, 0xe8, 2000);
    out(&p, CTL, 0xe2, 2000); /* read back the status only */
    cr_expect_eq(in(&p, 0, 2000), 0xf4, "null count, OUT high");
    out(&p, 0, 0x03, 2000);
    out(&p, CTL, 0xc2, 2011);
    out(&p, CTL, 0x00, 2500);
    cr_expect_eq(in(&p, 0, 2600), 0xb4);
    cr_expect_eq(in(&p, 0, 2600), (1000 - 10) & 0xff);
    cr_expect_eq(in(&p, 0, 2600), (1000 - 10) >> 8);
    /* Unlatched, low byte then high byte. */
    cr_expect_eq(in(&p, 0, 2601), (1000 - 600) & 0xff);
    cr_expect_eq(in(&p, 0, 2601), (1000 - 600) >> 8);
    /* A new count in mode 2 takes over at the end of the period. */
    out(&p, 0, 100, 2700);
    out(&p, 0, 0, 2700);
    out(&p, CTL, 0xe2, 2700);
    cr_expect_eq(in(&p, 0, 2700), 0xf4, "null count again");
    cr_expect_eq(latched(&p, 0, 3000), 1);
    cr_expect_eq(latched(&p, 0, 3001), 100);
    /* ... in mode 3 at the end of the half period. */
    out(&p, CTL, 0x36, 4000);
    out(&p, 0, 100, 4000);
    out(&p, 0, 0, 4000);
    out(&p, 0, 20, 4010);
    out(&p, 0, 0, 4010);
    cr_expect(i8254_out(&p, 0, at(4050)) && !i8254_out(&p, 0, at(4051)) &&
              !i8254_out(&p, 0, at(4060)));
    cr_expect(i8254_out(&p, 0, at(4061)) && !i8254_out(&p, 0, at(4071)));
    /* LSB only, MSB only */
    out(&p, CTL, 0x14, 5000);
    out(&p, 0, 0x40, 5000);
    cr_expect_eq(in(&p, 0, 5001), 0x40);
    cr_expect_eq(in(&p, 0, 5002), 0x3f);
    out(&p, CTL, 0x24, 6000);
    out(&p, 0, 0x40, 6000);
    cr_expect_eq(in(&p, 0, 6001), 0x40);
    cr_expect_eq(in(&p, 0, 6002), 0x3f);
    cr_expect_eq(in(&p, CTL, 6002), 0xff);
}

/* Wakes up when asked to, plus `late` now and then; every interrupt is taken at once. */
Test(i8254, ten_minutes)
{
    static const unsigned counts[] = {11932, 4772, 1193, 65536, 59659};
    static const ns_t lates[] = {0, 7777, 3000000, 250000000};

    for (unsigned i = 0; i < ARRAY_LEN(counts); i++) {
        for (unsigned k = 0; k < ARRAY_LEN(lates); k++) {
            struct i8254 p;
            ns_t now = 0, end = 600 * NS_PER_SEC;
            uint64_t want, turns = 0;

            fresh(&p);
            out(&p, CTL, 0x34, 0);
            out(&p, 0, (uint8_t)counts[i], 0);
            out(&p, 0, (uint8_t)(counts[i] >> 8), 0);
            rises = 0;
            while (now < end) {
                ns_t due = i8254_ops.run_until(&p, now);

                cr_assert(due > now);
                now = due + (turns++ % 1000 == 0 ? lates[k] : 0);
            }
            now = i8254_ops.run_until(&p, end + 2 * lates[k]); /* whatever is late */
            while (p.backlog)
                now = i8254_ops.run_until(&p, now);
            want = (p.tick - 1) / counts[i];
            cr_expect_eq(rises, want, "count %u late %lu: %u of %lu", counts[i],
                         (unsigned long)lates[k], rises, (unsigned long)want);
            cr_expect_eq(p.ticks_dropped, 0);
        }
    }
}

Test(i8254, deadline_is_exact)
{
    struct i8254 p;
    ns_t now = at(0);

    fresh(&p);
    out(&p, CTL, 0x34, 0);
    out(&p, 0, 0x9c, 0);
    out(&p, 0, 0x2e, 0);                    /* 11932 */
    for (uint64_t n = 1; n <= 60000; n++) { /* ten minutes at 100 Hz */
        now = i8254_ops.run_until(&p, now);
        cr_assert_eq(now, at(1 + n * 11932), "tick %lu", (unsigned long)n);
    }
    now = i8254_ops.run_until(&p, now);
    cr_expect_eq(rises, 60001, "and the one when mode 2 raised OUT");
}

Test(i8254, catch_up)
{
    struct i8254 p;
    ns_t now;
    unsigned before;

    fresh(&p);
    out(&p, CTL, 0x34, 0);
    out(&p, 0, 0xa9, 0);
    out(&p, 0, 0x04, 0); /* 1193: 1 ms */
    rises = 0;
    taken = false;
    now = 50 * 1000000;
    i8254_ops.run_until(&p, now);
    cr_expect_eq(rises, 0, "the guest has not taken the last one");
    cr_expect_eq(p.backlog, 50);
    for (unsigned n = 1; n <= 20; n++) {
        taken = true;
        now = i8254_ops.run_until(&p, now + 100000);
        cr_expect_eq(rises, n, "one at a time");
        taken = false;
        i8254_ops.run_until(&p, now);
    }
    /* A guest that takes none for a second is left alone: no polling, ticks as the hardware
     * gives them. */
    for (unsigned n = 0; n < 15000 && !p.deaf; n++)
        now = i8254_ops.run_until(&p, now);
    cr_expect(p.deaf);
    cr_expect_eq(p.backlog, 0);
    before = rises;
    for (unsigned n = 0; n < 100; n++)
        now = i8254_ops.run_until(&p, now);
    cr_expect_leq(rises - before, 101);
    cr_expect_geq(rises - before, 99);
    taken = true;
    i8254_ops.run_until(&p, now);
    cr_expect(!p.deaf);
    /* Bounded. */
    taken = false;
    i8254_ops.run_until(&p, now + 3600 * NS_PER_SEC);
    cr_expect_leq(p.backlog, 10002);
    cr_expect_gt(p.ticks_dropped, 3500000);
}

/* The rise of a mode that makes one goes out when it is due, whether or not the guest took the one
 * before, and only once. */
Test(i8254, one_shot_never_waits)
{
    static const uint8_t modes[] = {0, 4};

    for (unsigned i = 0; i < ARRAY_LEN(modes); i++) {
        struct i8254 p;

        fresh(&p);
        taken = false;
        for (uint64_t n = 0; n < 3; n++) {
            out(&p, CTL, (uint8_t)(0x30 | modes[i] << 1), 1000 * n);
            out(&p, 0, 100, 1000 * n);
            out(&p, 0, 0, 1000 * n);
            rises = 0;
            i8254_ops.run_until(&p, at(1000 * n + 100));
            cr_expect_eq(rises, 0, "mode %u early", modes[i]);
            i8254_ops.run_until(&p, at(1000 * n + 102));
            cr_expect_eq(rises, 1, "mode %u", modes[i]);
            cr_expect_eq(i8254_ops.run_until(&p, at(1000 * n + 900)), NS_NEVER);
            cr_expect_eq(rises, 1, "mode %u once", modes[i]);
        }
    }
}

Test(port61, bits)
{
    struct i8254 p;
    struct port61 s;
    unsigned toggles = 0, last = 0;

    fresh(&p);
    port61_init(&s, &p, (struct wire){0});
    port61_ops.write(&s, 0, 1, 0x01, 0);
    out(&p, CTL, 0xb0, 10);
    out(&p, 2, 100, 10);
    out(&p, 2, 0, 10);
    cr_expect_eq(port61_ops.read(&s, 0, 1, at(110)) & 0x2f, 0x01);
    cr_expect_eq(port61_ops.read(&s, 0, 1, at(111)) & 0x2f, 0x21);
    port61_ops.write(&s, 0, 1, 0xff, at(112));
    cr_expect_eq(port61_ops.read(&s, 0, 1, at(113)) & 0xcf, 0x0f);
    for (ns_t t = NS_PER_SEC; t < NS_PER_SEC + 1000000; t += 1000) {
        unsigned bit = port61_ops.read(&s, 0, 1, t) & 0x10;

        toggles += bit != last;
        last = bit;
    }
    cr_expect(toggles >= 65 && toggles <= 67, "refresh every 15.085 us: %u in 1 ms", toggles);
}
