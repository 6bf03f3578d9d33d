/* SPDX-License-Identifier: MIT */
/*
 * matrix.h - `ring1 holes run`: each micro-guest (programs.h) executed in all ways of run.h,
 * against what ring 0 is to see.
 *
 * Promises   Each cell is a run in a process of its own, which is ended after some seconds.
 */
#ifndef RING1_LAB_MATRIX_H
#define RING1_LAB_MATRIX_H

#include <stdio.h>

#include "lab/hard.h"

/* Runs the rows whose name is `only` (NULL: all), and prints a table, or JSON. Returns 0; 1: an
 * interpreted, translated or direct cell is not what ring 0 sees, or did not run; -1: no such row.
 * A machine that cannot be had is a sentence, and no failure. */
int matrix_run(FILE *f, const struct hard_machine *machine, const char *only, bool json);

#endif
