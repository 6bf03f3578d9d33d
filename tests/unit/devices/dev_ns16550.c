/* SPDX-License-Identifier: MIT */
/*
 * dev_ns16550.c - the UART: registers, FIFOs, interrupt identification, loopback, batching of
 * what is sent.
 * uses: devices/ns16550.c
 */
#include <criterion/criterion.h>
#include <string.h>

#include "devices/ns16550.h"

static bool line;
static unsigned rises, sends, sent;
static char text[4096];

static void irq(void *t, unsigned pin, bool level)
{
    (void)t;
    (void)pin;
    rises += level && !line;
    line = level;
}
static void send(void *o, const uint8_t *bytes, size_t len)
{
    (void)o;
    sends++;
    for (size_t i = 0; i < len && sent < sizeof(text) - 1; i++)
        text[sent++] = (char)bytes[i];
}
static void fresh(struct ns16550 *u)
{
    line = false;
    rises = sends = sent = 0;
    memset(text, 0, sizeof(text));
    ns16550_init(u, (struct chardev){NULL, send}, (struct wire){irq, NULL, 0}, (struct wire){0});
}
static unsigned in(struct ns16550 *u, unsigned reg)
{
    return ns16550_ops.read(u, reg, 1, 1000);
}
static void out(struct ns16550 *u, unsigned reg, unsigned val)
{
    ns16550_ops.write(u, reg, 1, val, 1000);
}

Test(ns16550, registers)
{
    struct ns16550 u;

    fresh(&u);
    cr_expect_eq(in(&u, 5), 0x60);
    cr_expect_eq(in(&u, 2), 0x01);
    cr_expect_eq(in(&u, 6), 0xb0);
    out(&u, 7, 0xa5);
    cr_expect_eq(in(&u, 7), 0xa5);
    out(&u, 3, 0x83);
    out(&u, 0, 0x0c);
    out(&u, 1, 0x01);
    cr_expect_eq(in(&u, 0), 0x0c);
    cr_expect_eq(in(&u, 1), 0x01);
    out(&u, 3, 0x03);
    out(&u, 1, 0xff);
    cr_expect_eq(in(&u, 1), 0x0f);
    out(&u, 4, 0xff);
    cr_expect_eq(in(&u, 4), 0x1f);
    out(&u, 2, 0xc1);
    cr_expect_eq(in(&u, 2) & 0xc0, 0xc0);
    out(&u, 2, 0x00);
    cr_expect_eq(in(&u, 2) & 0xc0, 0x00);
}

Test(ns16550, sending)
{
    struct ns16550 u;

    fresh(&u);
    out(&u, 3, 3);
    for (const char *c = "hello\n"; *c; c++)
        out(&u, 0, (unsigned char)*c);
    cr_expect_str_eq(text, "hello\n");
    cr_expect_eq(sends, 1);
    out(&u, 0, '>');
    cr_expect_eq(sends, 1);
    cr_expect_leq(ns16550_ops.run_until(&u, 1000), 1000 + 1000000, "not more than 1 ms");
    cr_expect_eq(ns16550_ops.run_until(&u, 1000 + 1000000), NS_NEVER);
    cr_expect_str_eq(text, "hello\n>");
    for (unsigned i = 0; i < 1000; i++)
        out(&u, 0, 'x');
    ns16550_flush(&u);
    cr_expect_eq(sent, 1007);
    out(&u, 3, 0); /* five data bits */
    out(&u, 0, 0xff);
    ns16550_ops.reset(&u);
    cr_expect_eq(text[1007], 0x1f);
}

Test(ns16550, transmit_interrupt)
{
    struct ns16550 u;

    fresh(&u);
    out(&u, 3, 3);
    out(&u, 1, 2);
    cr_expect(line, "whatever OUT2 is");
    out(&u, 4, 0x0b);
    cr_expect(line);
    cr_expect_eq(in(&u, 2), 0x02);
    cr_expect(!line, "reading the identification takes it");
    cr_expect_eq(in(&u, 2), 0x01);
    rises = 0;
    out(&u, 0, 'a');
    out(&u, 0, 'b');
    cr_expect_eq(rises, 2, "each byte makes an edge");
    out(&u, 1, 0);
    cr_expect(!line);
    out(&u, 1, 2);
    cr_expect(line, "enabling raises it");
    out(&u, 4, 0x1b);
    cr_expect(line, "interrupts work in loopback too");
    out(&u, 1, 0);
    cr_expect(!line);
}

Test(ns16550, receiving)
{
    static const struct {
        uint8_t fcr;
        unsigned trigger;
    } rows[] = {{0x00, 1}, {0x01, 1}, {0x41, 4}, {0x81, 8}, {0xc1, 14}};
    static const uint8_t bytes[] = "0123456789abcdefghij";

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct ns16550 u;
        unsigned n = rows[i].fcr ? 16 : 1;

        fresh(&u);
        out(&u, 3, 0x83);
        out(&u, 0, 1);
        out(&u, 3, 0x03);
        out(&u, 2, rows[i].fcr);
        out(&u, 1, 5);
        out(&u, 4, 8);
        cr_expect_eq(ns16550_room(&u), n);
        for (unsigned k = 1; k < rows[i].trigger; k++) {
            ns16550_receive(&u, bytes + k - 1, 1, 1000);
            cr_expect(!line, "row %u byte %u", i, k);
        }
        ns16550_receive(&u, bytes + rows[i].trigger - 1, 1, 1000);
        cr_expect(line, "row %u", i);
        cr_expect_eq(in(&u, 2) & 0x0f, 4);
        cr_expect_eq(in(&u, 5) & 0x01, 1);
        cr_expect_eq(in(&u, 0), '0');
        cr_expect(!line || rows[i].trigger == 0);
        if (rows[i].trigger >
            1) { /* what is left below the trigger comes with the timeout: 4 characters */
            ns_t due = ns16550_ops.run_until(&u, 1000);

            cr_expect_eq(due, 1000 + 4 * 86805ull, "row %u: %lu", i, (unsigned long)due);
            ns16550_ops.run_until(&u, due);
            cr_expect(line);
            cr_expect_eq(in(&u, 2) & 0x0f, 0x0c);
            in(&u, 0);
            cr_expect(!line);
        }
        while (in(&u, 5) & 1)
            in(&u, 0);
        /* Overrun: the FIFO keeps the old bytes, a lone buffer the new one. */
        ns16550_receive(&u, bytes, n + 1, 1000);
        cr_expect_eq(ns16550_room(&u), 0);
        cr_expect_eq(in(&u, 2) & 0x0f, 6);
        cr_expect_eq(in(&u, 5) & 0x1f, 0x03);
        cr_expect_eq(in(&u, 5) & 0x1f, 0x01, "shown once");
        cr_expect_eq(in(&u, 0), n == 1 ? '1' : '0');
        out(&u, 2, rows[i].fcr | 2);
        cr_expect_eq(in(&u, 5) & 1, n == 1 && u.rx_count);
        ns16550_break(&u, 1000);
        cr_expect_eq(in(&u, 5) & 0x1f, 0x11);
        cr_expect_eq(in(&u, 0), 0);
    }
}

Test(ns16550, loopback)
{
    struct ns16550 u;
    static const uint8_t byte = 'z';

    fresh(&u);
    out(&u, 3, 3);
    in(&u, 6);
    out(&u, 4, 0x10);
    cr_expect_eq(in(&u, 6), 0x0b, "all inputs fell; ring did not");
    for (unsigned m = 0; m < 16; m++) {
        unsigned want =
            (m & 2 ? 0x10u : 0) | (m & 1 ? 0x20u : 0) | (m & 4 ? 0x40u : 0) | (m & 8 ? 0x80u : 0);

        out(&u, 4, 0x10 | m);
        cr_expect_eq(in(&u, 6) & 0xf0, want, "MCR 0x%x", m);
    }
    out(&u, 4, 0x14);
    in(&u, 6);
    out(&u, 4, 0x10);
    cr_expect_eq(in(&u, 6), 0x04, "trailing edge of ring");
    out(&u, 0, 0x5a);
    cr_expect_eq(sent, 0);
    cr_expect_eq(in(&u, 5), 0x61);
    cr_expect_eq(in(&u, 0), 0x5a);
    cr_expect_eq(ns16550_room(&u), 0);
    ns16550_receive(&u, &byte, 1, 0);
    cr_expect_eq(in(&u, 5), 0x60);
    out(&u, 3, 0x43);
    cr_expect_eq(in(&u, 5), 0x71, "break");
}
