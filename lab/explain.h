/* SPDX-License-Identifier: MIT */
/*
 * explain.h - `ring1 holes explain`: guest instructions and the host code that the translator makes
 * of them, side by side, with what each host instruction is for.
 *
 * Promises   The code is what the translator made for a micro-guest that ran, not an example. Bytes
 *            of the user run in the sandbox of `ring1 run`.
 */
#ifndef RING1_LAB_EXPLAIN_H
#define RING1_LAB_EXPLAIN_H

#include <stdio.h>

/* what: the name of a row or of an operation, in any case (POPF, mov_seg); or bytes of 32-bit code
 * in hexadecimal (0f01e0). Returns 0; -1: it is neither; 1: nothing was translated. */
int explain(FILE *f, const char *what);

#endif
