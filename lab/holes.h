/* SPDX-License-Identifier: MIT */
/*
 * holes.h - the holes of x86 as data: the rows of holes.def and their encodings.
 *
 * Promises   Every operation that decoder/isa.def calls SENSITIVE, IOPL or PRIVILEGED has a row,
 *            and no other has.
 * Not here   Running them (matrix.h), showing their translation (explain.h).
 */
#ifndef RING1_LAB_HOLES_H
#define RING1_LAB_HOLES_H

#include <stdio.h>

#include "decoder/insn.h"

enum hole_id {
#define HOLE(id, op, list, theorem, shows, ring0, ring1, ring3, umip, manual) HOLE_##id,
#include "lab/holes.def"
#undef HOLE
    HOLE_COUNT
};

enum hole_list { LIST_ROBIN, LIST_BEYOND, LIST_TRAPS };
enum hole_theorem { IS_PRIVILEGED, IS_CONTROL, IS_BEHAVIOUR, IS_BOTH };

struct hole {
    const char *name;
    unsigned op;      /* enum insn_op */
    unsigned list;    /* enum hole_list */
    unsigned theorem; /* enum hole_theorem */
    const char *shows, *ring0, *ring1, *ring3, *umip, *manual;
};

/* Indexed by enum hole_id. */
extern const struct hole holes[HOLE_COUNT];

/* "robin-irvine", "beyond", "traps"; "privileged", "control-sensitive", ... */
const char *hole_list_name(unsigned list);
const char *hole_theorem_name(unsigned theorem);

/* The opcode bytes of an operation's encodings that are sensitive, IOPL or privileged, as
 * "8C /0-5, 8E"; at most cap - 1 bytes in out, always terminated. */
void hole_encodings(unsigned op, char *out, size_t cap);

/* The most severe class (enum insn_class) of those encodings. */
unsigned hole_class(unsigned op);

/* Print all rows as text for people, or as JSON: an array of objects. */
void holes_list(FILE *f);
void holes_list_json(FILE *f);

/* Prints one JSON string, quoted. */
void json_string(FILE *f, const char *s);

#endif
