/* SPDX-License-Identifier: MIT */
/*
 * engine.h - who executes guest instructions: interpreter, translator, lockstep, and whoever comes.
 *
 * Promises   The dispatcher (monitor/run/run.c) gives a CPU's next instructions to the first engine
 *            of its table that takes them, and knows no engine by name.
 * Invariant  The last engine of each table takes every state: it is the interpreter, the reference.
 * Contract   run() returns at an instruction boundary with vcpu.eip exact, soon after attention is
 *            asked for. A fault of a guest instruction unwinds out of it (fault.h), also with
 *            vcpu.eip exact.
 * Not here   What happens between instructions: events, timers, HLT (run.c).
 */
#ifndef RING1_MONITOR_CPU_ENGINE_H
#define RING1_MONITOR_CPU_ENGINE_H

#include "include/ring1/types.h"

struct vcpu;

struct engine {
    const char *name;
    /* Does it run the present state? Asked before each run(). */
    bool (*takes)(struct vcpu *v);
    /* Executes at least one instruction, until vcpu.attention is set, the state is none that it
     * takes, or it has done enough for a look at the clock. */
    void (*run)(struct vcpu *v);
    /* HLT is over, an event is about to be delivered. NULL: that does not matter. */
    void (*woken)(struct vcpu *v);
    /* run() does not look at the clock: the host must set attention when something is due. */
    bool needs_alarm;
};

#define ENGINES 4u

/* Puts *e before the CPU's other engines; one that is there stays where it is. *e must stay. */
void engine_add(struct vcpu *v, const struct engine *e);

/* The first engine that takes the present state. */
const struct engine *engine_now(struct vcpu *v);

/* Tells all engines that the CPU was halted and goes on. */
void engines_woken(struct vcpu *v);

/* Must the next instruction run alone, with the duties of interp_single()? An interrupt shadow, TF,
 * RF, an instruction breakpoint or a trace of each instruction ask for it. */
bool engine_single(const struct vcpu *v);

#endif
