/* SPDX-License-Identifier: MIT */
/*
 * measure.h - runs one row's work and says how fast it went.
 *
 * Promises   measure_open() does what a row needs once (its setup, finding a size of batch);
 *            measure_run() then may come any number of times, with other work on the machine in
 *            between. One row is open at a time.
 * Not here   Which rows, and what is printed: main.c.
 */
#ifndef MEASURE_H
#define MEASURE_H

#include "bench32.h"

struct measurement {
    const struct row *row;
    uint32_t first;      /* what the first round computed */
    uint32_t rounds;     /* in a batch */
    uint32_t wrong, got; /* how many rounds since computed something else; the last such value */

    /* Units per second in the last measure_run(): the 90th percentile of batches; all of them */
    double good, mean;
};

/* Nanoseconds of a clock that only goes forward. */
uint64_t measure_now(void);

void measure_open(struct measurement *m, const struct row *row);

/* Runs batches that together take about `min` nanoseconds, after some that are not counted. */
void measure_run(struct measurement *m, uint64_t min);

void measure_close(struct measurement *m);

#endif
