/* SPDX-License-Identifier: MIT */
/* uses: lab/ host/linux/ */
/* lab_micro.c - the micro-guests' machine: nothing happens in it but what the micro-guest does. */
#include <criterion/criterion.h>
#include <unistd.h>

#include "lab/run.h"

static struct micro m;

static void check(unsigned exec, unsigned wait_us)
{
    struct seen s = {0};
    struct error e;

    cr_assert_eq(micro_create(&m, exec, 0, -1, &e), 0, "%s", e.text);
    usleep(wait_us);
    micro_load(&m, &programs[HOLE_popf]);
    micro_run(&m, &s);
    cr_expect(way_is_true(&programs[HOLE_popf], &s), "EAX 0x%08x, IF %u", s.eax, s.iflag);
    cr_expect_eq(s.translated, exec == EXEC_TRANSLATE);
    /* Again, with the same translation. */
    micro_restart(&m, &programs[HOLE_popf]);
    micro_run(&m, &s);
    cr_expect(way_is_true(&programs[HOLE_popf], &s), "EAX 0x%08x, IF %u", s.eax, s.iflag);
}

/* The program turns interrupts on for a moment, when the PC's timer has long gone off. */
Test(lab_micro, no_timer_interpreted)
{
    check(EXEC_INTERPRET, 150000);
}

Test(lab_micro, no_timer_translated)
{
    check(EXEC_TRANSLATE, 150000);
}
