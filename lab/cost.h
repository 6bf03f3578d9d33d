/* SPDX-License-Identifier: MIT */
/*
 * cost.h - `ring1 holes cost`: what sensitive instructions cost. As they are or by a signal in ring
 * 3, interpreted, translated: in cycles of the host's time-stamp counter. By a #GP, and translated,
 * on a machine of ring1's own: in instructions of it.
 */
#ifndef RING1_LAB_COST_H
#define RING1_LAB_COST_H

#include "lab/hard.h"

enum cost_form { COST_TEXT, COST_JSON, COST_SVG };

/* Measures and prints all. Returns 0; 1: a loop of the monitor's did not run to its end. */
int cost_run(FILE *f, const struct hard_machine *machine, enum cost_form form);

#endif
