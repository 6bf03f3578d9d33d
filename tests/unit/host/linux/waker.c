/* SPDX-License-Identifier: MIT */
/* waker.c - whoever waits for completions misses none, asleep or awake, and is not told late. */
/* uses: host/linux/waker.c host/linux/block_submit.c */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "tests/rig/block_rig.h"

#define ROUNDS 4000u

static struct completion_queue q;
static struct waker w;
static volatile sig_atomic_t rung;
static unsigned delivered;

static void on_signal(int sig)
{
    (void)sig;
    rung = 1;
}

static void on_done(void *opaque, int result, ns_t now)
{
    (void)opaque, (void)now;
    delivered += result == 7;
}

static struct completion c[ROUNDS];
static unsigned allowed; /* the poster keeps a little ahead of the one who delivers */

static void *post_all(void *unused)
{
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    for (unsigned n = 0; n < ROUNDS; n++) {
        while (__atomic_load_n(&allowed, __ATOMIC_ACQUIRE) < n)
            sched_yield();
        completion_post(&q, &c[n], 7);
    }
    return unused;
}

/* As the loop does it: guest code that only a signal ends, and sleeps. A call that got lost is a
 * minute of waiting, after which the test fails. */
Test(waker, nothing_is_lost)
{
    struct error e;
    pthread_t thread;
    unsigned slept = 0, interrupted = 0;

    signal(WAKE_SIGNAL, on_signal);
    cr_assert_eq(waker_create(&w, &e), 0);
    q.wake = waker_wake;
    q.wake_opaque = &w;
    for (unsigned n = 0; n < ROUNDS; n++) {
        c[n].done = on_done;
        completion_begin(&q, &c[n]);
    }
    pthread_create(&thread, NULL, post_all, NULL);
    for (unsigned round = 0; delivered < ROUNDS; round++) {
        if (round % 3) {
            struct pollfd p = {.fd = w.fd, .events = POLLIN};
            int ready = 0;

            waker_sleeps(&w);
            if (!__atomic_load_n(&q.posted, __ATOMIC_SEQ_CST)) {
                while ((ready = poll(&p, 1, BLOCK_RIG_PATIENCE_MS)) < 0)
                    if (q.posted) /* a signal that was sent before we slept */
                        break;
                cr_assert(ready, "a sleeper was not woken, round %u", round);
                slept++;
            }
            waker_is_awake(&w, ready > 0);
        } else {
            time_t until = time(NULL) + BLOCK_RIG_PATIENCE_MS / 1000;

            rung = 0;
            if (!__atomic_load_n(&q.posted, __ATOMIC_SEQ_CST)) {
                while (!rung && time(NULL) < until) /* a guest that computes */
                    continue;
                cr_assert(rung, "nobody broke in, round %u", round);
                interrupted++;
            }
        }
        completion_deliver(&q, 1, 100);
        __atomic_store_n(&allowed, delivered + 1, __ATOMIC_RELEASE);
    }
    pthread_join(thread, NULL);
    cr_expect(slept && interrupted && !completion_pending(&q), "%u sleeps, %u interruptions", slept,
              interrupted);
    waker_destroy(&w);
}
