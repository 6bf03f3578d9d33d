/* SPDX-License-Identifier: MIT */
/*
 * cost.h - `ring1 holes cost`: what sensitive instructions cost: as they are or by a signal in ring
 * 3, interpreted, translated. In cycles of the host's time-stamp counter.
 */
#ifndef RING1_LAB_COST_H
#define RING1_LAB_COST_H

#include <stdio.h>

enum cost_form { COST_TEXT, COST_JSON, COST_SVG };

/* Measures and prints all. Returns 0; 1: a translated loop did not run to its end. */
int cost_run(FILE *f, enum cost_form form);

#endif
