/* SPDX-License-Identifier: MIT */
/*
 * run.h - the ways in which the laboratory executes a micro-guest; those below WAY_HARD each time
 * in a process of its own.
 */
#ifndef RING1_LAB_RUN_H
#define RING1_LAB_RUN_H

#include "lab/micro.h"

enum way {
    WAY_RING3,
    WAY_RING1,
    WAY_INTERPRETED,
    WAY_TRANSLATED,
    WAY_HARD, /* from here on by hard_run() (hard.h), not by way_run() */
    WAY_HARD_NAIVE = WAY_HARD,
    WAY_HARD_TRANSLATED,
    WAY_HARD_DIRECT,
    WAYS
};

/* "ring3"; "ring 3, naive". */
const char *way_name(enum way w);
const char *way_title(enum way w);

/* Is it what ring 0 sees at the end of p? */
bool way_is_true(const struct program *p, const struct seen *s);

/* Runs p in a process, which is ended if it takes more than some seconds. False: this host cannot,
 * or the run ended the process. *out is what was seen. */
bool way_run(enum way w, const struct program *p, struct seen *out);

/* Runs p so `tries` times, at least once, in one process. out->cycles is the smallest number of all
 * runs; traps and callouts are those of the last. */
bool way_time(enum way w, const struct program *p, unsigned tries, struct seen *out);

#endif
