/* SPDX-License-Identifier: MIT */
/*
 * break_timer.c - host/linux/vm_host.h's promises: what is asked for comes, moving it back
 * costs nothing, and a sleep is not disturbed. Times are lower bounds except where a signal must
 * not come.
 */
#include <criterion/criterion.h>
#include <signal.h>
#include <time.h>

#include "host/linux/fpu_safe.h"

static struct host_clock timer_clock;
static volatile sig_atomic_t signals, fired;

static void on_timer(int sig)
{
    (void)sig;
    signals++;
    fired += break_timer_fired(&timer_clock);
}

static void start(void)
{
    struct sigaction sa = {.sa_handler = on_timer};

    sigaction(BREAK_SIGNAL, &sa, NULL);
    clock_init(&timer_clock);
    cr_assert(break_timer_create(&timer_clock) == 0);
}

static void wait_until(ns_t at)
{
    while (clock_now(&timer_clock) < at)
        ;
}

#define MS 1000000ull

Test(break_timer, comes)
{
    start();
    ns_t t = clock_now(&timer_clock);
    break_timer_arm(&timer_clock, t + 5 * MS);
    while (!fired)
        ;
    cr_expect(clock_now(&timer_clock) >= t + 5 * MS);
    cr_expect(timer_clock.asked == NS_NEVER);
    break_timer_destroy(&timer_clock);
}

Test(break_timer, later_wish)
{
    start();
    ns_t t = clock_now(&timer_clock);
    break_timer_arm(&timer_clock, t + 5 * MS);
    break_timer_arm(&timer_clock, t + 40 * MS); /* the kernel's timer stays */
    while (!fired)
        ;
    cr_expect(clock_now(&timer_clock) >= t + 40 * MS);
    cr_expect(signals == 2, "%d signals", (int)signals);
    break_timer_destroy(&timer_clock);
}

Test(break_timer, put_off)
{
    start();
    ns_t t = clock_now(&timer_clock);
    break_timer_arm(&timer_clock, t + 200 * MS);
    break_timer_put_off(&timer_clock, t + 2000 * MS);
    cr_assert(clock_now(&timer_clock) < t + 200 * MS, "the machine is too slow for this test");
    wait_until(t + 300 * MS);
    cr_expect(signals == 0, "no signal in the sleep");
    /* what is asked for behind it is there already */
    break_timer_arm(&timer_clock, t + 2000 * MS);
    cr_expect(timer_clock.armed == t + 2000 * MS);
    break_timer_arm(&timer_clock, t + 400 * MS);
    while (!fired)
        ;
    cr_expect(clock_now(&timer_clock) >= t + 400 * MS);
    cr_expect(signals == 1);
    break_timer_destroy(&timer_clock);
}
