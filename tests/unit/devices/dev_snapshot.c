/* SPDX-License-Identifier: MIT */
/*
 * dev_snapshot.c - the board saved in whatever state a guest brings it into, and loaded into
 * another one; and loaded from bytes that somebody has forged.
 */
#include "devices/snapshot.h"
#include "tests/rig/pc_fixture.h"
#include "tests/rig/xorshift.h"

#define ROOM (1u << 20)

static void shake(struct machine *m, uint32_t *x, unsigned accesses)
{
    while (accesses--) {
        uint16_t port = xorshift(x) % 4 ? xorshift(x) % 0x400 : 0xcf8 + xorshift(x) % 8;

        m->now += xorshift(x) % 2000000;
        pc_run_until(m->pc, m->now);
        if (port == 0xf4 || port == 0x64 || port == 0x92 || port == 0xcf9)
            continue; /* ends the machine */
        if (xorshift(x) % 8 == 0)
            bus_write(&m->mem, 0xa0000 + xorshift(x) % 0x20000, 1u << xorshift(x) % 3, xorshift(x),
                      m->now);
        if (xorshift(x) % 3)
            out(m, port, 1u << xorshift(x) % 3, xorshift(x));
        else
            in(m, port, 1u << xorshift(x) % 3);
        pc_intr_ack(m->pc, 0);
    }
}

static struct snapshot board_save(const struct machine *m)
{
    struct snapshot s = {.bytes = malloc(ROOM), .size = ROOM};

    pc_save(m->pc, &s);
    cr_assert(!s.error, "%s", s.error);
    s.size = s.at;
    s.at = 0;
    return s;
}

Test(dev_snapshot, is_the_same_board)
{
    for (uint32_t seed = 1; seed <= 40; seed++) {
        struct machine *a = machine_new(2), *b = machine_new(2);
        uint32_t x = seed;

        shake(a, &x, 300);
        b->now = a->now;
        struct snapshot s = board_save(a);
        cr_assert(pc_load(b->pc, &s, b->now), "seed %u: %s", seed, s.error);
        struct snapshot t = board_save(b);
        cr_expect(s.size == t.size && !memcmp(s.bytes, t.bytes, s.size), "seed %u", seed);
        free(s.bytes);
        free(t.bytes);
        machine_free(a);
        machine_free(b);
    }
}

/* Some are refused; what is taken runs without harm. */
Test(dev_snapshot, takes_no_harm_from_forged_bytes)
{
    struct machine *m = machine_new(1);
    struct snapshot good = board_save(m);
    uint8_t *bytes = malloc(good.size);
    unsigned refused = 0, taken = 0;
    uint32_t x = 77;

    for (unsigned n = 0; n < 1500; n++) {
        struct snapshot s = {.bytes = bytes, .size = good.size};

        memcpy(bytes, good.bytes, good.size);
        for (unsigned k = 1 + xorshift(&x) % 3; k--;)
            bytes[xorshift(&x) % (xorshift(&x) % 2 ? 4000 : good.size)] = (uint8_t)xorshift(&x);
        if (!pc_load(m->pc, &s, m->now)) {
            refused++;
            pc_reset(m->pc, m->now);
            continue;
        }
        taken++;
        shake(m, &x, 20);
    }
    cr_expect(refused > 20 && taken > 20, "%u refused, %u taken", refused, taken);
    free(bytes);
    free(good.bytes);
    machine_free(m);
}
