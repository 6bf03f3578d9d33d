/* SPDX-License-Identifier: MIT */
/*
 * dev_i8259.c - the interrupt controllers as a script of port accesses and input levels.
 * uses: devices/i8259.c
 */
#include <criterion/criterion.h>

#include "devices/i8259.h"

static bool intr;
static void set_intr(void *t, unsigned pin, bool level)
{
    (void)t;
    (void)pin;
    intr = level;
}

/* M/S: master and slave ports, RD: expected value. */
enum op { END, OUT, IN, UP, DOWN, ACK, INTR };
#define M0 0
#define M1 1
#define S0 2
#define S1 3
#define E0 4
#define E1 5

struct step {
    enum op op;
    unsigned a, b;
};

#define INIT(m4, s4)                                                                               \
    {OUT, M0, 0x11}, {OUT, M1, 0x20}, {OUT, M1, 4}, {OUT, M1, m4}, {OUT, S0, 0x11},                \
        {OUT, S1, 0x28}, {OUT, S1, 2},                                                             \
    {                                                                                              \
        OUT, S1, s4                                                                                \
    }

static const struct {
    const char *name;
    struct step step[48];
} scripts[] = {
    {"before init", {{UP, 1, 0}, {INTR, 0, 0}, {END, 0, 0}}},
    {"priority and EOI",
     {INIT(1, 1),   {UP, 4, 0},      {UP, 1, 0},      {INTR, 1, 0},    {ACK, 0x21, 0},
      {INTR, 0, 0}, {IN, M0, 0x10},  {OUT, M0, 0x0b}, {IN, M0, 0x02},  {UP, 0, 0},
      {INTR, 1, 0}, {ACK, 0x20, 0},  {IN, M0, 0x03},  {OUT, M0, 0x20}, {IN, M0, 0x02},
      {INTR, 0, 0}, {OUT, M0, 0x20}, {INTR, 1, 0},    {ACK, 0x24, 0},  {END, 0, 0}}},
    {"cascade", {INIT(1, 1),      {UP, 12, 0},    {INTR, 1, 0},    {ACK, 0x2c, 0}, {OUT, M0, 0x0b},
                 {OUT, S0, 0x0b}, {IN, M0, 0x04}, {IN, S0, 0x10},  {UP, 8, 0},     {INTR, 0, 0},
                 {OUT, M0, 0x20}, {INTR, 1, 0},   {ACK, 0x28, 0},  {IN, S0, 0x11}, {OUT, S0, 0x20},
                 {OUT, M0, 0x20}, {IN, S0, 0x10}, {OUT, S0, 0x20}, {INTR, 0, 0},   {END, 0, 0}}},
    {"two slave requests, one after the other",
     {INIT(1, 1),
      {UP, 9, 0},
      {UP, 10, 0},
      {ACK, 0x29, 0},
      {OUT, S0, 0x20},
      {OUT, M0, 0x20},
      {INTR, 1, 0},
      {ACK, 0x2a, 0},
      {END, 0, 0}}},
    {"spurious 7",
     {INIT(1, 1),
      {UP, 3, 0},
      {DOWN, 3, 0},
      {INTR, 0, 0},
      {ACK, 0x27, 0},
      {OUT, M0, 0x0b},
      {IN, M0, 0},
      {END, 0, 0}}},
    {"mask",
     {INIT(1, 1),
      {OUT, M1, 0x08},
      {UP, 3, 0},
      {INTR, 0, 0},
      {IN, M1, 0x08},
      {IN, M0, 0x08},
      {OUT, M1, 0},
      {INTR, 1, 0},
      {ACK, 0x23, 0},
      {END, 0, 0}}},
    {"edge asks once, level asks again",
     {INIT(1, 1),     {OUT, E1, 0xff}, {IN, E1, 0xde},  {OUT, E0, 0xff}, {IN, E0, 0xf8},
      {UP, 1, 0},     {ACK, 0x21, 0},  {OUT, M0, 0x20}, {INTR, 0, 0},    {UP, 5, 0},
      {ACK, 0x25, 0}, {OUT, M0, 0x20}, {INTR, 1, 0},    {DOWN, 5, 0},    {INTR, 0, 0},
      {UP, 10, 0},    {ACK, 0x2a, 0},  {OUT, S0, 0x20}, {OUT, M0, 0x20}, {INTR, 1, 0},
      {ACK, 0x2a, 0}, {END, 0, 0}}},
    {"automatic EOI",
     {INIT(3, 1),
      {UP, 4, 0},
      {ACK, 0x24, 0},
      {OUT, M0, 0x0b},
      {IN, M0, 0},
      {UP, 6, 0},
      {INTR, 1, 0},
      {ACK, 0x26, 0},
      {END, 0, 0}}},
    {"rotate on non-specific EOI",
     {INIT(1, 1),
      {UP, 3, 0},
      {ACK, 0x23, 0},
      {OUT, M0, 0xa0},
      {DOWN, 3, 0},
      {UP, 3, 0},
      {UP, 5, 0},
      {ACK, 0x25, 0},
      {OUT, M0, 0x20},
      {ACK, 0x23, 0},
      {END, 0, 0}}},
    {"rotate in automatic EOI mode",
     {INIT(3, 1),
      {OUT, M0, 0x80},
      {UP, 1, 0},
      {ACK, 0x21, 0},
      {DOWN, 1, 0},
      {UP, 1, 0},
      {UP, 7, 0},
      {ACK, 0x27, 0},
      {ACK, 0x21, 0},
      {END, 0, 0}}},
    {"set priority, specific EOI",
     {INIT(1, 1),
      {OUT, M0, 0xc4},
      {UP, 1, 0},
      {UP, 5, 0},
      {ACK, 0x25, 0},
      {OUT, M0, 0x65},
      {ACK, 0x21, 0},
      {OUT, M0, 0xe1},
      {OUT, M0, 0x0b},
      {IN, M0, 0},
      {END, 0, 0}}},
    {"special mask lets lower ones through",
     {INIT(1, 1),
      {UP, 1, 0},
      {ACK, 0x21, 0},
      {UP, 4, 0},
      {INTR, 0, 0},
      {OUT, M1, 0x02},
      {INTR, 0, 0},
      {OUT, M0, 0x68},
      {INTR, 1, 0},
      {ACK, 0x24, 0},
      {OUT, M0, 0x20},
      {OUT, M0, 0x0b},
      {IN, M0, 0x02},
      {OUT, M0, 0x48},
      {END, 0, 0}}},
    {"poll",
     {INIT(1, 1),
      {OUT, M0, 0x0c},
      {IN, M0, 0x00},
      {UP, 6, 0},
      {OUT, M0, 0x0c},
      {IN, M0, 0x86},
      {INTR, 0, 0},
      {OUT, M0, 0x0b},
      {IN, M0, 0x40},
      {UP, 11, 0},
      {OUT, M0, 0x0c},
      {IN, M0, 0x82},
      {OUT, S0, 0x0c},
      {IN, S0, 0x83},
      {OUT, S0, 0x0b},
      {IN, S0, 0x08},
      {END, 0, 0}}},
    {"special fully nested: higher slave input interrupts the slave's handler",
     {INIT(0x11, 1),
      {UP, 12, 0},
      {ACK, 0x2c, 0},
      {UP, 9, 0},
      {INTR, 1, 0},
      {ACK, 0x29, 0},
      {UP, 3, 0},
      {INTR, 0, 0},
      {END, 0, 0}}},
    {"ICW1 forgets edges, wants new ones",
     {INIT(1, 1),
      {UP, 4, 0},
      {INTR, 1, 0},
      INIT(1, 1),
      {INTR, 0, 0},
      {DOWN, 4, 0},
      {UP, 4, 0},
      {INTR, 1, 0},
      {END, 0, 0}}},
    {"single, no ICW4",
     {{OUT, M0, 0x12},
      {OUT, M1, 0x47},
      {OUT, M1, 0xfd},
      {IN, M1, 0xfd},
      {UP, 1, 0},
      {ACK, 0x41, 0},
      {END, 0, 0}}},
};

Test(i8259, scripts)
{
    for (unsigned i = 0; i < ARRAY_LEN(scripts); i++) {
        struct i8259 pic;

        intr = false;
        i8259_init(&pic, (struct wire){set_intr, NULL, 0});
        for (unsigned n = 0; scripts[i].step[n].op != END; n++) {
            const struct step *s = &scripts[i].step[n];
            unsigned got = s->a;

            switch (s->op) {
            case OUT:
                i8259_ops.write(&pic, s->a, 1, s->b, 0);
                break;
            case IN:
                got = i8259_ops.read(&pic, s->a, 1, 0);
                cr_expect_eq(got, s->b, "%s: step %u: read 0x%x, want 0x%x", scripts[i].name, n,
                             got, s->b);
                break;
            case UP:
            case DOWN:
                i8259_set_irq(&pic, s->a, s->op == UP);
                break;
            case ACK:
                got = (unsigned)i8259_intack(&pic);
                cr_expect_eq(got, s->a, "%s: step %u: vector 0x%x, want 0x%x", scripts[i].name, n,
                             got, s->a);
                break;
            default:
                cr_expect_eq(intr, s->a != 0, "%s: step %u: INTR %d", scripts[i].name, n, intr);
                cr_expect_eq(i8259_pending(&pic), intr);
                break;
            }
        }
    }
}

/* The slave's request vanishes between the master's decision and INTA: 15, with the cascade
 * input in service. */
Test(i8259, spurious_15)
{
    struct i8259 pic;
    static const struct step init[] = {INIT(1, 1)};

    i8259_init(&pic, (struct wire){0});
    for (unsigned i = 0; i < ARRAY_LEN(init); i++)
        i8259_ops.write(&pic, init[i].a, 1, init[i].b, 0);
    i8259_set_irq(&pic, 9, true);
    pic.chip[1].edge = 0; /* as if the line fell during the first INTA pulse */
    cr_expect_eq(i8259_intack(&pic), 0x2f);
    i8259_ops.write(&pic, M0, 1, 0x0b, 0);
    i8259_ops.write(&pic, S0, 1, 0x0b, 0);
    cr_expect_eq(i8259_ops.read(&pic, M0, 1, 0), 0x04);
    cr_expect_eq(i8259_ops.read(&pic, S0, 1, 0), 0x00);
    cr_expect_eq(pic.spurious, 1);
}

/* A request is latched while the one before is in service; "taken" is about the latch alone. */
Test(i8259, edge_in_service)
{
    struct i8259 pic;
    static const struct step init[] = {INIT(1, 1)};

    i8259_init(&pic, (struct wire){0});
    for (unsigned i = 0; i < ARRAY_LEN(init); i++)
        i8259_ops.write(&pic, init[i].a, 1, init[i].b, 0);
    i8259_ops.write(&pic, M1, 1, 0, 0);
    cr_expect(i8259_irq_taken(&pic, 0));
    i8259_set_irq(&pic, 0, true);
    cr_expect(!i8259_irq_taken(&pic, 0));
    cr_expect_eq(i8259_intack(&pic), 0x20);
    cr_expect(i8259_irq_taken(&pic, 0), "in service");
    i8259_set_irq(&pic, 0, false);
    i8259_set_irq(&pic, 0, true);
    cr_expect(!i8259_irq_taken(&pic, 0) && !i8259_pending(&pic));
    i8259_ops.write(&pic, M0, 1, 0x20, 0);
    cr_expect(i8259_pending(&pic), "the EOI frees it");
    cr_expect_eq(i8259_intack(&pic), 0x20);
}
