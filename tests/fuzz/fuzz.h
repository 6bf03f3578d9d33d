/* SPDX-License-Identifier: MIT */
/*
 * fuzz.h - what the fuzzers share: random numbers, the loop over seeds, and the watch over time and
 * memory.
 *
 * A fuzzer is run as NAME [-t SECONDS] [-n SEEDS] [SEED]: from SEED on (default 1), until the
 * seconds (default 20) are over or so many seeds are done. Every seed stands for itself: the one in
 * a report, given with -n 1, shows the bug again.
 */
#ifndef RING1_TESTS_FUZZ_H
#define RING1_TESTS_FUZZ_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "tests/fuzz/fuzz_random.h"

#define FUZZ_SEED_SECONDS 20           /* of CPU time; more is a hang */
#define FUZZ_GROWTH_KIB   (96L * 1024) /* resident memory after the first seeds */
#define FUZZ_WARM_UP      50u

static volatile uint64_t fuzz_seed;
static const char *fuzz_name;
uint64_t fuzz_state;

static void fuzz_write(const char *text, int len)
{
    if (len > 0 && write(STDERR_FILENO, text, (size_t)len) < 0)
        _exit(1);
}

static void fuzz_say_seed(void)
{
    char line[200];

    fuzz_write(line, snprintf(line, sizeof line, "\n%s: seed %llu; to see it again: %s -n 1 %llu\n",
                              fuzz_name, (unsigned long long)fuzz_seed, fuzz_name,
                              (unsigned long long)fuzz_seed));
}

static inline _Noreturn void fuzz_fail(const char *what)
{
    fprintf(stderr, "%s: %s", fuzz_name, what);
    fuzz_say_seed();
    abort();
}
#define FUZZ_CHECK(cond)                                                                           \
    do {                                                                                           \
        if (!(cond))                                                                               \
            fuzz_fail("not so: " #cond);                                                           \
    } while (0)

static void fuzz_on_time(int sig)
{
    (void)sig;
    fuzz_write("hangs", 5);
    fuzz_say_seed();
    signal(SIGABRT, SIG_DFL);
    abort();
}

static void fuzz_arm(void)
{
    struct itimerval t = {.it_value = {.tv_sec = FUZZ_SEED_SECONDS}};

    setitimer(ITIMER_PROF, &t, NULL);
}

static long fuzz_memory_kib(void)
{
    struct rusage r;

    getrusage(RUSAGE_SELF, &r);
    return r.ru_maxrss;
}

/* Present with the sanitizers: they end the process without a signal. */
extern void __sanitizer_set_death_callback(void (*)(void)) __attribute__((weak));

static int fuzz_main(int argc, char **argv, void (*one)(void))
{
    unsigned long long seconds = 20, seeds = ~0ull, first = 1, done = 0;
    long start_kib = 0;
    int opt;

    fuzz_name = argv[0];
    while ((opt = getopt(argc, argv, "t:n:")) != -1) {
        if (opt == 't')
            seconds = strtoull(optarg, NULL, 0);
        else if (opt == 'n')
            seeds = strtoull(optarg, NULL, 0);
        else
            return 2;
    }
    if (optind < argc)
        first = strtoull(argv[optind], NULL, 0);
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(fuzz_say_seed);
    signal(SIGPROF, fuzz_on_time);
    time_t end = time(NULL) + (time_t)seconds;
    while (done < seeds && (seeds != ~0ull || time(NULL) < end)) {
        fuzz_seed = first + done;
        fuzz_state = fuzz_seed * 0xd1342543de82ef95ull;
        fuzz_arm();
        one();
        if (++done == FUZZ_WARM_UP)
            start_kib = fuzz_memory_kib();
        if (start_kib && fuzz_memory_kib() - start_kib > FUZZ_GROWTH_KIB)
            fuzz_fail("memory grows without bound");
    }
    printf("%llu seeds from %llu on, %ld MiB\n", done, first, fuzz_memory_kib() / 1024);
    return 0;
}

#endif
