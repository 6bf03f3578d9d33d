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
#include "monitor/arch/control.h"
#include "monitor/memory/page.h"
#include "shadow-mmu/access.h"

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

static ns_t spent;

static ns_t spent_now(void *opaque)
{
    (void)opaque;
    return spent;
}

/* On a busy host the clock goes on while the guest stands still. What comes often in the time that
 * the guest has the CPU is as costly as on another, and what is done about it lasts as long. */
Test(bt_adapt, busy_host)
{
    start();
    r->world.cpu_host.spent_ns = spent_now;
    later(0); /* the first sweep */
    for (unsigned n = 0; n < 100; n++, r->world.now += NS_PER_SEC)
        flip(1);
    cr_expect(!adapt_window(r->cpu));
    traps(0x5001, ADAPT_EMULATED, 3);
    later(NS_PER_SEC);
    traps(0x5001, ADAPT_EMULATED, 1);
    cr_expect(form(0x5001) == ADAPT_SOFT);
    later(NS_PER_SEC);
    cr_expect(!adapt_window(r->cpu) && form(0x5001) == ADAPT_SOFT);
    spent += NS_PER_SEC;
    later(0);
    cr_expect(adapt_window(r->cpu) && form(0x5001) == ADAPT_FAST);
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

static uint64_t counted(uint64_t *seen)
{
    uint64_t more = r->cpu->stats.costly_events - *seen;

    *seen += more;
    return more;
}

/* Each kind counts, whoever executes it. */
Test(bt_adapt, kinds_of_events)
{
    start();
    struct vcpu *v = r->cpu;
    uint64_t seen = v->stats.costly_events;

    mmu_flush_all(v);
    mmu_flush_page(v, 0x5000);
    cr_expect(counted(&seen) == 2, "flushes");
    vm_set_a20(v->vm, false);
    vm_set_a20(v->vm, true);
    cr_expect(counted(&seen) == 2, "A20");
    vm_set_page_kind(v->vm, 0x600000, 3 * PAGE, PAGE_MMIO);
    vm_set_page_kind(v->vm, 0x600000, 3 * PAGE, PAGE_RAM);
    cr_expect(counted(&seen) == 6, "what pages are");
    control_write_dr(v, 0, 0x700000);
    control_write_dr(v, 7, 0x402); /* instruction */
    control_write_dr(v, 7, 0x400);
    cr_expect(counted(&seen) == 2, "debug registers");
    control_write_dr(v, 7, 0xd0402); /* data, written */
    counted(&seen);
    lin_write8(v, 0x700800, 1, 0);
    lin_write8(v, 0x701800, 1, 0);
    cr_expect(counted(&seen) == 1, "a page that is watched, another");
}

/* Events that come every `translated_ns` or `interpreted_ns`, by who runs, with so many
 * instructions to each; how many of the looks said that the interpreter runs. */
static unsigned events(unsigned count, ns_t translated_ns, ns_t interpreted_ns, unsigned insns)
{
    unsigned interpreted = 0;
    bool now = r->cpu->translator->adapt.dense.how != DENSE_TRANSLATE;

    for (unsigned n = 0; n < count; n++) {
        r->world.now += now ? interpreted_ns : translated_ns;
        r->cpu->stats.insns += now ? insns : 0;
        r->cpu->stats.costly_events++;
        now = adapt_interprets(r->cpu);
        interpreted += now;
    }
    return interpreted;
}

Test(bt_adapt, events)
{
    start();
    r->cpu->stats.costly_events = 1000000; /* before the translator was there */
    bt_rig_options(r, NULL);
    cr_expect(!adapt_interprets(r->cpu) && !events(1, 5000, 100, 10));
    cr_expect(events(100000, 5000, 100, 10) == 0, "too few of them in a time");
    unsigned few = events(100000, 300, 400, 10);
    cr_expect(few < 2000, "the interpreter is slower: %u", few);
    later(NS_PER_SEC);
    unsigned most = events(1000000, 300, 150, 10);
    cr_expect(most > 900000, "%u", most);
    r->cpu->stats.insns += 100000000; /* and no event */
    cr_expect(!adapt_interprets(r->cpu) && bt_usable(r->cpu));
}

/* The interpreter was faster for long. Then the guest changes. */
Test(bt_adapt, events_change)
{
    static const struct {
        const char *name;
        ns_t translated, interpreted;
        unsigned insns;
    } now[] = {
        {"as often, and the interpreter is slower", 300, 400, 10},
        {"less often, and the interpreter is slower", 4000, 20000, 400},
        {"more often, and the interpreter is slower", 50, 70, 2},
        {"now and then", 50000, 2000000, 40000},
    };

    for (unsigned n = 0; n < ARRAY_LEN(now); n++) {
        start();
        unsigned most = events(10000000, 300, 150, 10);
        cr_expect(most > 9900000, "%u", most);
        most = events(100000, now[n].translated, now[n].interpreted, now[n].insns);
        cr_expect(most < 4000, "%s: %u", now[n].name, most);
        most = events(3000000, 300, 150, 10);
        cr_expect(most > 2000000, "and back: %u", most);
    }
}

/* One batch that the host held up does not decide. */
Test(bt_adapt, events_and_a_pause)
{
    start();
    unsigned all = 0;
    for (unsigned n = 0; n < 100; n++) {
        all += events(10000, 300, 150, 10);
        r->world.now += 50000000;
    }
    cr_expect(all > 900000, "%u", all);
}

/* What is better translated loses less than a hundredth by trials. */
Test(bt_adapt, a_trial_is_rare)
{
    start();
    unsigned few = events(3000000, 300, 900, 30);
    cr_expect(few < 3000000 / 200, "%u", few);
    few = events(300000, 2000, 30000, 1000);
    cr_expect(few < 300000 / 3000, "%u", few);
}
