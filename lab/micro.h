/* SPDX-License-Identifier: MIT */
/*
 * micro.h - a machine for one micro-guest (programs.h): ring 0 as the guest believes, flat
 * segments, no paging, an IDT whose handlers say which vector came.
 *
 * Use        In a process of its own, call micro_create(), micro_load(), perhaps an engine of the
 *            laboratory (naive.h), micro_run(). The machine takes over the process's signals.
 */
#ifndef RING1_LAB_MICRO_H
#define RING1_LAB_MICRO_H

#include "boot/micro.h"
#include "host/linux/machine.h"
#include "lab/programs.h"

struct micro {
    struct machine machine;
    struct config cfg;
};

/* The state in which a micro-guest ended; shared between processes. */
struct seen {
    bool ended;      /* it came to its HLT */
    bool iflag;      /* EFLAGS.IF of the guest then */
    bool trapped;    /* naive.h: the instruction that it is about trapped */
    bool translated; /* translated code ran */
    bool direct;     /* on hard.h's machine: all of it ran on the bare CPU, at CPL 1 */
    uint8_t trap;    /* the vector */
    uint32_t eax;
    uint64_t cycles;          /* of the host's time-stamp counter, in micro_run() */
    uint64_t traps, callouts; /* naive.h: by naive.h and direct code; of translated code */
};

/* *m is zeroed memory. trace_fd: where lines of the stages `trace` go (TRACE_BIT()s; 0: none).
 * Returns 0, or -1 with *e. */
int micro_create(struct micro *m, enum exec_mode exec, uint32_t trace, int trace_fd,
                 struct error *e);

/* How each of them begins, and its memory: MICRO_BYTES, the program first. */
extern const struct micro_state micro_state;
void micro_image(uint8_t *out, const struct program *p);

/* Loads the program and sets up tables and CPU state as at power-on of the micro-guest. */
void micro_load(struct micro *m, const struct program *p);

/* Sets up the CPU state alone, so that the code stays translated. */
void micro_restart(struct micro *m, const struct program *p);

/* Runs until HLT, or for a second; fills in *out. */
void micro_run(struct micro *m, struct seen *out);

#endif
