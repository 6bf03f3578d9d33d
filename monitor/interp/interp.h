/* SPDX-License-Identifier: MIT */
/*
 * interp.h - the interpreter: decode cache, execution of decoded blocks, the handler table.
 *
 * Promises   The reference semantics. One handler per operation of decoder/op.def; handlers are
 *            void i_x(struct vcpu *v, const struct insn *i), see handler.h.
 * Not here   Interrupt delivery, timers, HLT: monitor/run/run.c.
 */
#ifndef RING1_MONITOR_INTERP_INTERP_H
#define RING1_MONITOR_INTERP_INTERP_H

#include "decoder/insn.h"
#include "monitor/cpu/vcpu.h"

/* Bytes of memory the interpreter of one vCPU needs; the host allocates it zeroed. */
size_t interp_size(void);
/* Sets v->interp up in `memory`, interp_size() zeroed bytes that the caller keeps. v->vm is set. */
void interp_init(struct vcpu *v, void *memory);

/* Runs until v->attention is non-zero or about `budget` instructions were executed. Faults of guest
 * instructions unwind to the caller's fault_catch(). v->eip is exact at every return and unwind. */
void interp_run(struct vcpu *v, unsigned budget);

/* How many instructions the engine runs between two looks at the clock: some 20-40 us, well within
 * the 100 us that an interrupt may be late. */
#define INTERP_BUDGET 2000u

/* Runs exactly one instruction (one iteration of a REP string at most when EFLAGS.TF is set),
 * whatever attention says. v->outcome tells what it did. */
void interp_step(struct vcpu *v);

/* Runs one instruction with all that engine_single() is about: instruction breakpoints, RF, the
 * single-step trap, traces. Raises what a fetch raises, and #DB. */
void interp_single(struct vcpu *v);

/* The interpreter in the dispatcher's table; interp_init() adds it. */
extern const struct engine interp_engine;

/* Runs one decoded block and returns its length in bytes; returns 0 without running it if it has
 * more than `most` instructions, or exactly `most` of which the last is a REP string at eip `rep`.
 * As interp_run(), it may end early, which v->stats.insns tells. */
unsigned interp_run_block(struct vcpu *v, unsigned most, uint32_t rep);

/* Is the instruction at v->eip one that may leave v->eip as it is and return before it is done (a
 * REP string)? */
bool interp_at_rep(struct vcpu *v);

/* The decoded instruction at v->eip, for traces and debug traps; raises like a fetch. */
const struct insn *interp_peek(struct vcpu *v);

/* Forgets all decoded code. */
void interp_flush(struct vcpu *v);

#endif
