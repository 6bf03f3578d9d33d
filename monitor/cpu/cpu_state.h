/* SPDX-License-Identifier: MIT */
/*
 * cpu_state.h - the list of a CPU's state (cpu_state.def) as a table, for whoever copies, compares,
 * shows or saves all of it.
 *
 * Promises   A field that a new feature adds to struct vcpu is copied, compared, shown and saved
 *            when its row says so; tests/lint/cpu_state.py fails while it has no row.
 * Not here   Saving (monitor/run/save.h), lockstep's report, the dump's layout.
 */
#ifndef RING1_MONITOR_CPU_CPU_STATE_H
#define RING1_MONITOR_CPU_CPU_STATE_H

#include "monitor/cpu/vcpu.h"

enum cpu_state_kind {
    STATE_U8,
    STATE_BOOL,
    STATE_U16,
    STATE_U32,
    STATE_U64,
    STATE_SEG,   /* struct seg */
    STATE_TABLE, /* struct table_reg */
    STATE_BYTES,
};

#define STATE_SAVED    0x01u
#define STATE_COPIED   0x02u
#define STATE_COMPARED 0x04u
#define STATE_PARKED   0x08u
#define STATE_CHECKED  0x10u

#define CPU_STATE_FLAGS 2u /* the dump's line with EFLAGS, which also names the mode */
#define CPU_STATE_LINES 6u

struct cpu_state_row {
    uint32_t at;              /* of the field in struct vcpu */
    uint16_t count;           /* elements; of BYTES: bytes */
    uint8_t kind;             /* enum cpu_state_kind */
    uint8_t uses;             /* STATE_SAVED ... */
    uint8_t line;             /* of a register dump; 0: none */
    uint8_t labels;           /* how many label[] has: one for all elements, or one for each */
    const char *const *label; /* short names */
    const char *what;         /* the field's name in a sentence, or NULL: its label */
};

extern const struct cpu_state_row cpu_state[];
extern const unsigned cpu_state_rows;

/* Bytes of one element in struct vcpu. */
unsigned cpu_state_width(const struct cpu_state_row *r);

/* Element n of the row in *v. */
const void *cpu_state_get(const struct vcpu *v, const struct cpu_state_row *r, unsigned n);

/* The name of element n ("eax", "dr7"); the field's if its elements have no names of their own. */
const char *cpu_state_label(const struct cpu_state_row *r, unsigned n);

/* Is element n the same in both? Of a segment, only what a guest can tell is compared: sel, attr,
 * base, limit, and what follows from them. */
bool cpu_state_same(const struct vcpu *a, const struct vcpu *b, const struct cpu_state_row *r,
                    unsigned n);

/* Copies all rows that have one of `uses`. */
void cpu_state_copy(struct vcpu *to, const struct vcpu *from, unsigned uses);

/* How lockstep names the first thing that differs among the rows with one of `uses`; NULL: nothing
 * differs. The text is static. */
const char *cpu_state_difference(const struct vcpu *a, const struct vcpu *b, unsigned uses);

#endif
