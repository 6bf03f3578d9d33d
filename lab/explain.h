/* SPDX-License-Identifier: MIT */
/*
 * explain.h - `ring1 holes explain`: guest instructions and the host code that the translator makes
 * of them, side by side, with what each host instruction is for.
 *
 * Promises   The code is what the translator made for a micro-guest that ran, not an example. Bytes
 *            of the user run in the sandbox of `ring1 run`, and so does a guest. Code of a kernel
 *            file is explained as the guest executes it: a kernel says where it lies when it runs.
 */
#ifndef RING1_LAB_EXPLAIN_H
#define RING1_LAB_EXPLAIN_H

#include <stdint.h>
#include <stdio.h>

/* what: the name of a row or of an operation, in any case (POPF, mov_seg); or bytes of 32-bit code
 * in hexadecimal (0f01e0). Returns 0; -1: it is neither; 1: nothing was translated. */
int explain(FILE *f, const char *what);

/* A guest that is started for it, and at most how long it runs. */
struct explain_guest {
    const char *kernel, *initrd, *append; /* initrd may be NULL */
    unsigned seconds;
};

/* The block of code at linear address `at` as the translator made it while the guest ran. Returns
 * 0; 1: with a sentence, when the guest cannot be started or none was translated there. */
int explain_block(FILE *f, uint32_t at, const struct explain_guest *g);

#endif
