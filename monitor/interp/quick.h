/* SPDX-License-Identifier: MIT */
/*
 * quick.h - the compact records that the run loop executes, and the quick forms of hot
 * instructions.
 *
 * How        Each decoded instruction has a record of 32 bytes beside its full one. A quick form
 *            does the common case of one operand form (32-bit addressing, software-TLB hits, no
 *            fault) and jumps to the next record's form. In every other case it changes nothing
 *            and hands over to quick_plain(), which runs the full handler.
 * Promises   The full handler (struct xinsn) defines what an instruction does; a quick form only
 *            does the same thing sooner. It never faults and never sets vcpu.attention, so
 *            attention is looked at after full handlers and at the ends of blocks.
 * Depth      The jumps are tail calls. Where a compiler makes plain calls of them (no
 *            optimisation, sanitizers) the stack holds at most one block's worth of frames.
 * Invariant  While quick forms run, vcpu.eip is the block's start; quick_plain() sets the exact
 *            eip before a full handler sees it, and the block's last record sets it for good.
 */
#ifndef RING1_MONITOR_INTERP_QUICK_H
#define RING1_MONITOR_INTERP_QUICK_H

#include "monitor/interp/handler.h"

struct xinsn;
struct quick;
/* A quick form. start: eip of the block's first instruction. */
typedef void quick_fn(struct vcpu *v, const struct quick *q, uint32_t start);

struct quick {
    quick_fn *run;
    const struct xinsn *full;
    uint32_t disp, imm;
    uint8_t dst, src;    /* register operands 0 and 1 */
    uint8_t base, index; /* GPR_COUNT, a register that is always 0, when absent */
    uint8_t scale, seg;
    uint16_t end; /* where the next instruction starts, from the block's start */
};

/* Runs the full handler, then the records that follow unless attention is due. */
quick_fn quick_plain;
/* The same for the last instruction of a block. */
quick_fn quick_last;

/* Stands in a dropped block's first record: has the run loop look for the block again. */
quick_fn quick_dead;

/* Makes the record of *full, `end` bytes from the start of the block; `last`: nothing follows. */
void quick_make(struct quick *q, const struct xinsn *full, unsigned end, bool last);

/* The quick form for a record made from *i, or NULL. It may change the record's fields. */
quick_fn *quick_select(struct quick *q, const struct insn *i);
/* Does this form end a block by itself? Others may not come last. */
bool quick_is_branch(const struct insn *i);

#endif
