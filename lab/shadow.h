/* SPDX-License-Identifier: MIT */
/*
 * shadow.h - `ring1 holes shadow`: shadow page tables watched while a micro-guest turns paging on
 * and touches a few pages: which page faults of the CPU the guest never hears of (hidden), and
 * which are its own (true).
 */
#ifndef RING1_LAB_SHADOW_H
#define RING1_LAB_SHADOW_H

#include <stdio.h>

/* Runs it, translated, and prints a line for each step. Returns 0; 1: it did not run, or the guest
 * saw something else than its page tables say. */
int shadow(FILE *f);

#endif
