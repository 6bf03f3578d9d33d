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
 * Traps      A trap of the host, or a wish to break in, finds one engine's code running, or none.
 *            The host names no engine: it asks all of them, in the table's order, and the one whose
 *            code it was answers.
 * Reports    A report of a bug of ours asks all engines, too, what they were doing.
 * Writer     Whoever builds the VM writes the table, before the CPU first runs; engines are never
 *            removed. So a handler that interrupts the CPU's thread may walk it.
 * Not here   What happens between instructions: events, timers, HLT (run.c).
 */
#ifndef RING1_MONITOR_CPU_ENGINE_H
#define RING1_MONITOR_CPU_ENGINE_H

#include <stddef.h>

#include "include/ring1/types.h"

struct vcpu;

/* A trap of the host's CPU, whatever brings it (a signal, an IDT vector). */
enum trap_kind {
    TRAP_READ,  /* page fault (#PF) of a read */
    TRAP_WRITE, /* #PF of a write, or of an instruction that reads and writes the same place */
    TRAP_FETCH, /* #PF of an instruction fetch */
    TRAP_STEP,  /* debug trap (#DB), asked for or not: between two instructions of the host */
    TRAP_OTHER, /* #DE, #UD, #MF, #XM, #GP...: the engine finds out what the guest did */
};

/* Does it tell which data address was accessed? */
static inline bool trap_is_access(unsigned kind)
{
    return kind == TRAP_READ || kind == TRAP_WRITE;
}

/* The host CPU's registers when it trapped or was interrupted, and those with which it is to go on.
 * Registers that are not here stay in the CPU as they are. */
struct host_regs {
    uint64_t gpr[16]; /* in the order of their encoding: rax rcx rdx rbx rsp rbp rsi rdi r8-r15 */
    uint64_t rip, rflags;
    uint16_t cs, ss; /* of 64-bit code, or of 32-bit code that runs directly */
};

/* What engines say of a bug of ours, for whoever prints it. */
struct engine_report {
    char text[2048]; /* lines, each ended by \r\n; a zero after them */
    size_t len;
    /* Host address of the monitor's stack where the host's rsp is the engine's code's; else 0. */
    uint64_t monitor_stack;
};

struct engine {
    const char *name;
    /* Can it run the present state? Asked before each run(). */
    bool (*takes)(struct vcpu *v);
    /* Executes at least one instruction, until vcpu.attention is set, the state is none that it
     * takes, or it has done enough for a look at the clock. */
    void (*run)(struct vcpu *v);
    /* HLT is over, an event is about to be delivered. NULL: that does not matter to it. */
    void (*woken)(struct vcpu *v);
    /* run() does not look at the clock: the host must set attention when something is due. */
    bool needs_alarm;
    /* The host's CPU trapped on the CPU's thread, anywhere in the host; `addr` is the host address
     * whose access or fetch it was, for kinds that have one. True: the trap was this engine's, and
     * *r says how the host goes on: in the engine's code, or in the monitor, which finds the
     * guest's state in *v. False: it was not, and nothing has changed. NULL: this engine's code
     * never traps. Async-signal-safe; touches general registers only; runs on a stack of the host.
     */
    bool (*host_trap)(struct vcpu *v, struct host_regs *r, enum trap_kind kind, uint64_t addr);
    /* The CPU is to look at vcpu.attention, where the reason is already, before its next guest
     * instruction; *r is what the CPU's thread was doing, anywhere in the host. Whatever leads into
     * this engine's code looks by itself. True: its code ran, and *r was changed so that it leaves
     * or goes on towards a place where it can; false: nothing has changed. NULL: run() looks often
     * enough. The rules of host_trap() hold here too, and neither interrupts the other. */
    bool (*break_in)(struct vcpu *v, struct host_regs *r);
    /* Something that should not happen did, while the CPU's thread was at host address `rip`:
     * writes to *out, with engine_say(), what the engine was doing and what of its code lies at
     * `rip`; sets out->monitor_stack when its code runs. NULL: it has nothing to say.
     * Async-signal-safe; reads the state, which may be broken, and changes nothing of it. */
    void (*report)(const struct vcpu *v, uint64_t rip, struct engine_report *out);
};

#define ENGINES 4u

/* Puts *e, which must stay valid, before the CPU's other engines; if it is one of them already, it
 * stays where it is. */
void engine_add(struct vcpu *v, const struct engine *e);

/* The first engine that takes the present state. */
const struct engine *engine_now(struct vcpu *v);

/* Does an engine before *e take the present state? *e asks where it would go on by itself from one
 * privilege level to another. */
bool engine_before(struct vcpu *v, const struct engine *e);

/* Tells all engines that the CPU was halted and goes on. */
void engines_woken(struct vcpu *v);

/* Ask the engines in turn (struct engine); false: none of them answered for it. A debug trap for
 * which none answers is no error: whoever asked for it has left meanwhile. Async-signal-safe;
 * general registers only. */
bool engines_host_trap(struct vcpu *v, struct host_regs *r, enum trap_kind kind, uint64_t addr);
bool engines_break_in(struct vcpu *v, struct host_regs *r);

/* What all engines say, in the table's order; *out is written whole. As report(). */
void engines_report(const struct vcpu *v, uint64_t rip, struct engine_report *out);
/* Adds a line to a report; what does not fit is cut. Formats as fmt.h has them. */
void engine_say(struct engine_report *out, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Must the next instruction run alone, with the duties of interp_single()? An interrupt shadow, TF,
 * RF, an instruction breakpoint or a trace of each instruction ask for it. */
bool engine_single(const struct vcpu *v);

#endif
