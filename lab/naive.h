/* SPDX-License-Identifier: MIT */
/*
 * naive.h - two engines that deprivilege a micro-guest naively: its kernel's code runs as it is,
 * and only what traps is emulated in the guest's virtual state.
 *
 * Engines    naive_ring3: on this CPU, in ring 3, as 32-bit code of this process; the host's
 *            signals are the traps. naive_ring1: the interpreter in ring 1 of a machine with a GDT
 *            whose kernel segments have DPL 1, as the SDM has it.
 * Promises   As a monitor of that kind, both load the segment registers again when they come back
 *            from a trap.
 * Not here   Being of use to a guest: the holes are the point.
 */
#ifndef RING1_LAB_NAIVE_H
#define RING1_LAB_NAIVE_H

#include "lab/micro.h"

/* To be called after micro_load(). *out will say whether the instruction that p is about trapped.
 * Returns 0, or -1: this host cannot (no 32-bit code, or the addresses are taken). There is one
 * machine per process. */
int naive_ring3_start(struct micro *m, const struct program *p, struct seen *out);
int naive_ring1_start(struct micro *m, const struct program *p, struct seen *out);

#endif
