/* SPDX-License-Identifier: MIT */
/*
 * listing.h - lines of the trace stage `emit` (docs/tracing.md), taken apart: a guest's
 * instructions and what the translator made of them.
 */
#ifndef RING1_LAB_LISTING_H
#define RING1_LAB_LISTING_H

#include <stdio.h>

#include "bt/cache/state.h"

#define TEXT_MAX  (256u << 10)
#define LINES_MAX 1024u

/* A line of the trace. */
struct line {
    enum { GUEST, HOST, COLD_PART } kind;
    uint32_t at; /* EIP, or the offset in the arena */
    char *text;
};

struct listing {
    struct line line[LINES_MAX];
    unsigned count;
    char text[TEXT_MAX];
};

/* Adds a line of the trace, if it is one; the text, without a newline, is kept by reference. Full:
 * nothing. */
void listing_take(struct listing *t, char *text);

/* The block that has the guest's instruction at `eip` is lines [*first, *end). Blocks begin
 * where guest lines follow a cold part, or go back or jump in address. */
bool listing_find(const struct listing *t, uint32_t eip, unsigned *first, unsigned *end);

/* Prints it side by side; the instruction at `eip` has a mark. */
void listing_print(FILE *f, const struct listing *t, const struct bt_stubs *stubs, uint32_t eip,
                   unsigned first, unsigned end);

#endif
