/* SPDX-License-Identifier: MIT */
/* programs.c - programs.def and programs.S as one table, by enum hole_id. */
#include "lab/programs.h"

#define PROGRAM(hole, want, mask, wants_if)                                                        \
    extern const uint8_t lab_##hole[], lab_at_##hole[], lab_end_##hole[];
#include "lab/programs.def"
#undef PROGRAM

const struct program programs[HOLE_COUNT] = {
#define PROGRAM(hole, want, mask, wants_if)                                                        \
    [HOLE_##hole] = {lab_##hole, lab_at_##hole, lab_end_##hole, want, mask, 0, wants_if},
#include "lab/programs.def"
#undef PROGRAM
};
