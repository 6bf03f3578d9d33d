/* SPDX-License-Identifier: MIT */
/*
 * annotate.h - what one host instruction of translated code is for, told from its text
 * (docs/codegen.md, sections 1 to 8).
 */
#ifndef RING1_LAB_ANNOTATE_H
#define RING1_LAB_ANNOTATE_H

#include "bt/cache/state.h"

/* A host instruction, and what is around it. */
struct host_line {
    const char *guest; /* text of the guest's instruction */
    const char *text;  /* its own, as decoder_format_host() writes it */
    const char *next;  /* text of the one after it; "" none */
    uint32_t at;       /* its offset in the arena */
    uint32_t cold;     /* where the block's cold part begins; 0: none */
};

/* Writes a few words into out[0..cap), always terminated; "" when there is nothing to say. */
void annotate(const struct bt_stubs *s, const struct host_line *l, char *out, size_t cap);

#endif
