/* SPDX-License-Identifier: MIT */
/* uses: bt/run/adapt.c */
/*
 * bt_adapt.c - what is decided by what guests keep doing: which instructions, pages and modes go
 * another way, for how long, and that they come back. (What that does to guests:
 * tests/cli/cliffs.py.)
 */
#include "tests/rig/bt_rig.h"

#include <criterion/criterion.h>

#include "bt/cache/context.h"
#include "bt/run/adapt.h"
#include "bt/run/run_priv.h"
#include "bt/translate/adapt_form.h"

#define RAM  (16u << 20)
#define PAGE GUEST_PAGE_SIZE

static struct bt_rig *r;

static struct adapt *start(void)
{
    r = bt_rig_zeroed(sizeof *r);
    bt_rig_create(r, RAM, true);
    bt_rig_flat(r, 0);
    return &r->cpu->translator->adapt;
}

static enum adapt_form form(gpa_t gpa)
{
    uint8_t user;

    return adapt_form(r->cpu->translator, gpa, &user);
}

static void traps(gpa_t gpa, enum adapt_why why, unsigned count)
{
    while (count--)
        adapt_trap(r->cpu, gpa, 0x100000, why);
}

static void later(ns_t ns)
{
    r->world.now += ns;
    adapt_tick(r->cpu);
}

Test(bt_adapt, instructions)
{
    start();
    traps(0x5001, ADAPT_EMULATED, 3);
    cr_expect(form(0x5001) == ADAPT_FAST);
    traps(0x5001, ADAPT_EMULATED, 1);
    cr_expect(form(0x5001) == ADAPT_SOFT && form(0x5002) == ADAPT_FAST);
    traps(0x5001, ADAPT_OTHER, 4);
    traps(0x7003, ADAPT_OTHER, 4);
    cr_expect(form(0x5001) == ADAPT_CALLOUT && form(0x7003) == ADAPT_CALLOUT);
    later(NS_PER_SEC);
    cr_expect(form(0x5001) == ADAPT_FAST && form(0x7003) == ADAPT_FAST);
}

/* More instructions than there are places for, each often and each only now and then. */
Test(bt_adapt, pages)
{
    start();
    for (unsigned n = 0; n < 8 * ADAPT_SITES; n++)
        traps(0x100000 + n * 4, ADAPT_EMULATED, 8);
    for (unsigned n = 0; n < 8 * ADAPT_SITES; n++)
        cr_assert(form(0x100000 + n * 4) == ADAPT_SOFT, "instruction %u", n);
    later(NS_PER_SEC);
    for (unsigned n = 0; n < 200; n++)
        traps(0x800000 + n * 4, ADAPT_EMULATED, 1);
    cr_expect(form(0x800000) == ADAPT_SOFT && form(0x800ffc) == ADAPT_SOFT);
    cr_expect(form(0x801000) == ADAPT_FAST);
}

/* A few instructions that trap again and again, in whatever form, leave their page alone. */
Test(bt_adapt, few_on_a_page)
{
    start();
    for (unsigned n = 0; n < 3000; n++) {
        traps(0x900000 + n % 3 * 4, n % 2 ? ADAPT_EMULATED : ADAPT_OTHER, 1);
        if (n % 200 == 0)
            later(NS_PER_SEC / 50);
    }
    cr_expect(form(0x900100) == ADAPT_FAST);
}

static void flip(unsigned times)
{
    while (times--) {
        r->cpu->cr0 ^= CR0_WP;
        adapt_flushed(r->cpu);
    }
}

Test(bt_adapt, modes)
{
    start();
    cr_expect(adapt_window(r->cpu));
    for (unsigned n = 0; n < 20; n++, r->world.now += NS_PER_SEC / 10)
        flip(3);
    cr_expect(adapt_window(r->cpu), "now and then");
    for (unsigned n = 0; n < 1000; n++)
        adapt_flushed(r->cpu);
    cr_expect(adapt_window(r->cpu), "flushes without a change");
    flip(100);
    cr_expect(!adapt_window(r->cpu) && !(bt_context(r->cpu) & CTX_WINDOW));
    later(NS_PER_SEC);
    cr_expect(adapt_window(r->cpu));
}

Test(bt_adapt, segments)
{
    struct adapt *a = start();
    uint32_t flat = bt_context(r->cpu), based;

    bt_rig_seg(r->cpu, SEG_DS, 0x10, 0x1000, ~0u, 0xc093);
    based = bt_context(r->cpu);
    cr_expect(flat != based && ctx_seg(based, SEG_DS) == CTX_SEG_BASED);
    for (unsigned n = 0; n < 10000; n++)
        adapt_context(r->cpu, flat, flat ^ CTX_FPU);
    cr_expect(!a->general.on, "no segment changed");
    for (unsigned n = 0; n < 10000; n++)
        adapt_context(r->cpu, n % 2 ? flat : based, n % 2 ? based : flat);
    based = bt_context(r->cpu);
    bt_rig_seg(r->cpu, SEG_DS, 0x10, 0, ~0u, 0xc093);
    cr_expect(a->general.on && bt_context(r->cpu) == based);
    cr_expect(ctx_seg(based, SEG_DS) == CTX_SEG_LIMITED && ctx_seg(based, SEG_SS) == CTX_SEG_FLAT);
    later(NS_PER_SEC);
    cr_expect(bt_context(r->cpu) == flat);
}

/* Exceptions that come every `ns`; how many of the looks said that the interpreter runs. */
static unsigned exceptions(unsigned count, ns_t translated_ns, ns_t interpreted_ns)
{
    unsigned interpreted = 0;
    bool now = false;

    for (unsigned n = 0; n < count; n++) {
        r->world.now += now ? interpreted_ns : translated_ns;
        r->cpu->stats.exceptions++;
        now = adapt_interprets(r->cpu);
        interpreted += now;
    }
    return interpreted;
}

Test(bt_adapt, exceptions)
{
    start();
    r->cpu->stats.exceptions = 1000000; /* before the translator was there */
    bt_rig_options(r, NULL);
    cr_expect(!adapt_interprets(r->cpu) && !exceptions(1, 5000, 100));
    cr_expect(exceptions(100000, 5000, 100) == 0, "too few of them in a time");
    cr_expect(exceptions(100000, 300, 400) < 1000, "the interpreter is slower");
    later(NS_PER_SEC);
    unsigned most = exceptions(1000000, 300, 150);
    cr_expect(most > 900000, "%u", most);
    r->cpu->stats.insns += 100000; /* and no exception */
    cr_expect(!adapt_interprets(r->cpu) && bt_usable(r->cpu));
}
