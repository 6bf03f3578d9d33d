/* SPDX-License-Identifier: MIT */
/*
 * hard.h - micro-guests in ring 1 of a machine: the image ring1-metal (host/metal/lab.h) runs them
 * in QEMU, which emulates an x86-64 PC by TCG, and what it says is read from COM1.
 *
 * Promises   Without QEMU or the image there is a sentence that says so, and no failure. The
 *            machine is ended after some minutes, whatever it does.
 */
#ifndef RING1_LAB_HARD_H
#define RING1_LAB_HARD_H

#include "lab/run.h"

struct hard_job {
    const char *name; /* a word of at most 23 characters */
    const struct program *program;
    unsigned runs; /* as of way_time() */
};

/* Where the image is, and how to count. count: seen.cycles are instructions of the emulated
 * machine (-icount), not its time. */
struct hard_machine {
    const char *image; /* NULL: there is none */
    bool unwanted;     /* the user wants no machine */
    bool count;
};

/* Runs the jobs in one machine in the way w, one of those from WAY_HARD on; out[n] is what job n
 * saw. Returns NULL, or a sentence about why it did not run (static memory). */
const char *hard_run(const struct hard_machine *m, enum way w, const struct hard_job *job,
                     unsigned count, struct seen *out);

/* What QEMU's emulation does otherwise than a CPU, so that a naive cell tells nothing: a reason,
 * or NULL. */
const char *hard_quirk(unsigned hole);

#endif
