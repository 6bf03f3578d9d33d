/* SPDX-License-Identifier: MIT */
/*
 * bt.h - the binary translator: turns guest code into host code and runs it from the code cache.
 *
 * Promises   After bt_run() the vCPU's state is exactly what the interpreter would have reached at
 *            the same instruction boundary. Faults of guest instructions unwind to fault_catch()
 *            with vcpu.eip exact, as interp_run()'s do.
 * How        docs/codegen.md is the reference of the emitted code; bt/translate/tu.h is what
 *            emitters share; bt/cache/ holds the blocks. What is not translated is a callout into
 *            the interpreter's handler of that one instruction, so every instruction works.
 * Not here   Host traps and breaking in (bt/run/trap.h); what lies where (bt/run/locate.h).
 *            Interrupt delivery, timers, HLT (monitor/run/run.c); guest memory (shadow-mmu/).
 */
#ifndef RING1_BT_RUN_BT_H
#define RING1_BT_RUN_BT_H

#include "bt/cache/options.h"
#include "monitor/cpu/vcpu.h"

/* Bytes of memory that the translator of one vCPU needs beside the code arena; the host allocates
 * them zeroed. `arena_size`: bytes of that arena (vcpu_host.cache). */
size_t bt_size(size_t arena_size);

/* Makes the translator in `memory`, bt_size() zeroed bytes that the caller keeps, and sets
 * v->translator to it. v->host's cache, jump maps, gs_base_free and return stack are set before. */
void bt_init(struct vcpu *v, void *memory, const struct bt_options *options);

/* The translator in the dispatcher's table; bt_init() adds it. */
extern const struct engine bt_engine;

/* Can the translator run the code at the present state (32-bit flat code, no TF, no shadow...), and
 * is that worth it? When not, the caller interprets some thousand instructions. */
bool bt_usable(struct vcpu *v);

/* Runs translated code until v->attention is set or the state is no longer bt_usable(). */
void bt_run(struct vcpu *v);

/* Runs at most one block without chaining, or interprets one instruction, and returns the number of
 * guest instructions that were executed (lockstep). */
unsigned bt_run_block(struct vcpu *v);
/* For lockstep, which has no host timer: called where that would break in, so that the program that
 * computes is counted and gets windows. */
void bt_tick(struct vcpu *v);

/* Drops all translations: the arena is empty afterwards but for the stubs. To be called only
 * outside translated code, or from a callout (which then leaves through the dispatcher). */
void bt_flush(struct vcpu *v);

#endif
