/* SPDX-License-Identifier: MIT */
/*
 * bt.h - the binary translator: turns guest code into host code and runs it from the code cache.
 *
 * Promises   After bt_run() the vCPU's state is exactly what the interpreter would have reached at
 *            the same instruction boundary. Faults of guest instructions unwind to fault_catch()
 *            with vcpu.eip exact, as interp_run()'s do.
 * How        docs/codegen.md is the reference of the emitted code; bt/tu.h is what emitters share;
 *            bt/cache/ holds the blocks. What is not translated is a callout into the interpreter's
 *            handler of that one instruction, so every instruction works from the first day.
 * Not here   Interrupt delivery, timers, HLT (monitor/run/run.c); guest memory (shadow-mmu/).
 */
#ifndef RING1_BT_BT_H
#define RING1_BT_BT_H

#include "include/ring1/host.h"
#include "monitor/cpu/vcpu.h"

/* Knobs for tests and measurements; zero is the default for all. */
struct bt_options {
    bool no_chain;          /* every block returns to the dispatcher */
    bool no_return_stack;   /* RET always looks its target up */
    uint16_t max_insns;     /* guest instructions in a block; 0: BT_MAX_INSNS */
    uint16_t heat;          /* interpret a block this often before it is translated */
    bool split_at_branches; /* blocks end at every control transfer */
    /* Every direct branch leaves by a slot, which tells how many instructions of the block ran: for
     * bt_run_block(). With no_chain and no_return_stack only. */
    bool count_exits;
    bool soft_only;    /* never use windows */
    bool no_bmi2;      /* as on a host without BMI2 */
    bool no_gs;        /* windows without the GS base */
    bool no_wake;      /* bt/wake.h does nothing */
    bool no_elsewhere; /* code that is translated at another address counts as any other */
};

/* Bytes of memory that the translator of one vCPU needs beside the code arena; the host allocates
 * them zeroed. `arena_size`: bytes of generated code, host.h cache. */
size_t bt_size(size_t arena_size);

/* Makes the translator in `memory` ready; v->vm->host's cache, gs_base_free and return stack are
 * set.
 * v->translator = memory. */
void bt_init(struct vcpu *v, void *memory, const struct bt_options *options);

/* The translator in the dispatcher's table; bt_init() adds it. */
extern const struct engine bt_engine;

/* Can the translator run the code at the present state (32-bit flat code, no TF, no shadow...), and
 * is that worth it? When not, the caller interprets some thousand instructions. */
bool bt_usable(struct vcpu *v);

/* Runs translated code until v->attention is set or the state is no longer bt_usable(). */
void bt_run(struct vcpu *v);

/* The halted CPU is about to run again: prefetches (bt/wake.h). */
void bt_wake(struct vcpu *v);

/* Runs at most one block without chaining, or interprets one instruction, and returns the number of
 * guest instructions that were executed (lockstep). */
unsigned bt_run_block(struct vcpu *v);
/* Where the host's timer would break in if lockstep had one: who computes now gets windows. */
void bt_tick(struct vcpu *v);

/* Drops everything: the arena is empty afterwards. Only outside the cache, or from a callout (which
 * then leaves through the dispatcher). */
void bt_flush(struct vcpu *v);

/* ---- host traps (signals, IDT) ---- */
enum bt_trap_kind {
    BT_TRAP_MEMORY, /* page fault of the host at a read; trap_addr is valid */
    BT_TRAP_MEMORY_WRITE,
    BT_TRAP_OTHER, /* #DE, #MF, #XM, #GP...: the interpreter finds out */
};

/* General registers and flags of the interrupted host code, in the order of their encoding (rax rcx
 * rdx rbx rsp rbp rsi rdi r8-r15). */
struct bt_host_regs {
    uint64_t gpr[16];
    uint64_t rip, rflags;
};

/* Called by the host's trap handler when rip lies in the code arena. Takes the guest's state at the
 * start of the trapping guest instruction into *v and changes *r so that the host continues in the
 * monitor (BT_EXIT_TRAP) - or, for an overflow of the return stack, in the code itself. Returns
 * false when rip is at no guest instruction: a bug of ours. Async-signal-safe; touches general
 * registers only. */
bool bt_host_trap(struct vcpu *v, struct bt_host_regs *r, enum bt_trap_kind kind, uint64_t addr);

/* ---- breaking in ---- */

/* Makes translated code come back to the run loop before its next guest instruction, if
 * v->attention asks for it. *r: what a signal or interrupt on the vCPU's thread found, anywhere in
 * the process; the reason is in v->attention already. At a guest instruction *r is changed so that
 * the host continues in the monitor (BT_EXIT_BREAK); elsewhere in translated code TF is set in it,
 * and the host hands the traps of its single steps to bt_single_step(). In C code nothing is to be
 * done: what leads from there into translated code looks at v->attention. The host must not let a
 * second signal interrupt this. Returns true when *r was changed. Async-signal-safe; touches
 * general registers only. */
bool bt_break_in(struct vcpu *v, struct bt_host_regs *r);

/* A debug trap of the host (#DB) on the vCPU's thread, anywhere in the process, whether it was
 * asked for or not: goes on as bt_break_in() does where translated code runs and v->attention asks
 * for it; else clears TF. Async-signal-safe; touches general registers only. */
void bt_single_step(struct vcpu *v, struct bt_host_regs *r);

/* Is rip inside the code arena (of generated code, executable view)? */
bool bt_owns(const struct vcpu *v, uint64_t rip);

/* What lies at a position of the code arena, for crash reports. */
struct bt_place {
    uint32_t offset;                 /* in the arena */
    bool stub;                       /* one of the fixed routines: the rest is not set */
    bool block, site;                /* is the block known, and the guest instruction? */
    gla_t block_gla;                 /* its first guest instruction */
    uint32_t block_ctx;              /* bt/context.h */
    uint32_t block_entry, block_end; /* arena offsets */
    gla_t eip;                       /* site: the guest instruction, */
    unsigned index;                  /* its number in the block */
};

/* Bytes of the code arena that hold code. */
size_t bt_cache_used(const struct vcpu *v);

/* Fills *out when bt_owns(v, rip). Async-signal-safe. */
bool bt_where(const struct vcpu *v, uint64_t rip, struct bt_place *out);

#endif
