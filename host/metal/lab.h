/* SPDX-License-Identifier: MIT */
/*
 * lab.h - the image as a laboratory: the word lab=METHOD, with a file of micro-guests
 * (boot/micro.h) as its first module, runs each of them and says in one line what it has seen.
 *
 * Methods    naive: the guest's kernel at CPL 1 of the real CPU, in segments of its own table with
 *            DPL 1 for DPL 0; what traps is emulated in the guest's virtual state, and nothing
 *            else. run: as exec=, user= and kernel= say.
 * Lines      "ring1: lab NAME mark=N ended=0|1 eax=HEX if=0|1 trap=N|none translated=0|1
 *            direct=0|1 traps=N callouts=N ticks=N", and "ring1: lab end" behind the last. ticks
 *            are those of the time-stamp counter, of the shortest of the guest's runs.
 */
#ifndef RING1_HOST_METAL_LAB_H
#define RING1_HOST_METAL_LAB_H

#include "host/metal/monitor.h"

/* What the naive engine tells of one micro-guest. */
struct naive_seen {
    uint32_t at; /* in: linear address of the instruction that it is about */
    bool trapped;
    uint8_t trap; /* the vector */
    uint64_t traps;
};

/* Before the first run of each micro-guest. */
void naive_start(struct vcpu *v, struct naive_seen *seen);

/* Runs the micro-guests of module 0, which is none of a guest's kernel's kinds. A sentence about
 * what is wrong, or NULL. */
const char *lab_run(struct metal *m);

#endif
