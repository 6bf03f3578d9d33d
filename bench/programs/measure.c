/* SPDX-License-Identifier: MIT */
/*
 * measure.c - batches of about a millisecond: shorter than the time slice of a busy machine, so
 * that most of them have the CPU to themselves.
 */
#include <stdlib.h>
#include <time.h>

#include "measure.h"

#define ROUNDS_MAX  2000000000u
#define BATCH_NS    1000000u
#define BATCH_LEAST 700000u /* a row that became faster (translated code did) gets more rounds */
#define BATCHES_MIN 8
#define BATCHES_MAX 4096

uint64_t measure_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* How many rounds should fill `min`, if `rounds` took `took`. Never below twice as many. */
static uint32_t more_rounds(uint32_t rounds, uint64_t took, uint64_t min)
{
    double factor = took ? 1.15 * (double)min / (double)took : 100;

    if (factor < 2)
        factor = 2;
    if (factor > 100)
        factor = 100;
    factor *= rounds;
    return factor > ROUNDS_MAX ? ROUNDS_MAX : (uint32_t)factor;
}

/* One batch; returns its nanoseconds. */
static uint64_t batch(struct measurement *m)
{
    uint64_t start = measure_now();

    for (uint32_t i = 0; i < m->rounds; i++) {
        uint32_t value = m->row->round();
        if (value != m->first) {
            m->wrong++;
            m->got = value;
        }
    }
    start = measure_now() - start;
    return start ? start : 1;
}

/* The quickest of three, so that one interruption does not make a batch look long enough. */
static uint64_t batch_undisturbed(struct measurement *m)
{
    uint64_t least = UINT64_MAX;

    for (int i = 0; i < 3; i++) {
        uint64_t took = batch(m);
        least = took < least ? took : least;
        if (took > 50 * BATCH_NS)
            break; /* long anyway */
    }
    return least;
}

/* Batches become at least `enough` long. What was evicted since the last turn comes back. */
static void fit(struct measurement *m, uint64_t enough)
{
    uint64_t took;

    while ((took = batch_undisturbed(m)) < enough && m->rounds < ROUNDS_MAX)
        m->rounds = more_rounds(m->rounds, took, BATCH_NS);
}

void measure_open(struct measurement *m, const struct row *row)
{
    m->row = row;
    m->rounds = 1;
    m->wrong = 0;
    if (row->setup)
        row->setup();
    m->first = row->round();
    fit(m, BATCH_NS);
}

static int by_rate(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

void measure_run(struct measurement *m, uint64_t min)
{
    static double rate[BATCHES_MAX];
    double scale = m->row->ops * 1e9;
    uint32_t count = 0;
    uint64_t took, total = 0;

    fit(m, BATCH_LEAST);
    while (count < BATCHES_MAX && (count < BATCHES_MIN || total < min)) {
        took = batch(m);
        total += took;
        rate[count++] = m->rounds / (double)took;
    }
    qsort(rate, count, sizeof rate[0], by_rate);
    m->good = rate[count - 1 - count / 10] * scale;
    m->mean = (double)count * m->rounds / (double)total * scale;
}

void measure_close(struct measurement *m)
{
    if (m->row->teardown)
        m->row->teardown();
    m->row = NULL;
}
