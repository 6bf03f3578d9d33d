/* SPDX-License-Identifier: MIT */
/* values_priv.h - pieces of option syntax, between values.c and values_exec.c. */
#ifndef RING1_CLI_VALUES_PRIV_H
#define RING1_CLI_VALUES_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Copies the next piece of a comma list into out; returns what follows its comma, NULL at the end
 * of the list. Pieces that do not fit are cut, which no keyword survives unnoticed. */
const char *next_piece(const char *list, char *out, size_t cap);

/* The value in "key=value", NULL when the piece is for another key. */
const char *value_of(const char *piece, const char *key);

/* Reads the whole text as a number, decimal or with C's prefixes 0x and 0. False: it is none, or
 * more than max. */
bool parse_number(const char *text, uint64_t max, uint64_t *out);

/* A size with QEMU's suffixes; a fraction is allowed ("1.5G"), a plain number counts MiB. */
bool parse_size(const char *text, uint64_t *bytes);

/* Reads "on" or "off" to *out. Returns 0, or -1 when it is neither. */
int on_off(const char *text, bool *out);

#endif
