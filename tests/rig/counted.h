/* SPDX-License-Identifier: MIT */
/*
 * counted.h - a machine of host/linux whose time is counted in instructions, under one engine: the
 * interpreter or the translator.
 *
 * Promises   While `exact` is set, the same guest does the same under both engines, instruction by
 *            instruction: time passes by COUNTED_NS with each instruction that ends, also by an
 *            exception, and an event comes at the first boundary at which it is due. A
 *            halted guest's time jumps to its next deadline. RDRAND's numbers are a fixed sequence.
 *            So two runs from one state are at the same state after as many instructions, whatever
 *            is in their caches.
 * How        An engine in front of the machine's own runs one instruction at a time: the
 *            interpreter's by interp_step(), the translator's as blocks of one. Without `exact` it
 *            runs whole blocks, where the clock stands still, and is some times as fast.
 * Not here   Comparing the two engines within one run: monitor/run/lockstep.h.
 */
#ifndef RING1_TESTS_RIG_COUNTED_H
#define RING1_TESTS_RIG_COUNTED_H

#include <string.h>

#include "bt/run/bt.h"
#include "devices/pc_board.h"
#include "host/linux/machine.h"
#include "monitor/cpu/fault.h"
#include "monitor/cpu/fpu.h"
#include "monitor/interp/interp.h"
#include "monitor/memory/page.h"
#include "monitor/run/assemble.h"

#define COUNTED_NS      25u
#define COUNTED_TSC_KHZ 1000000u
#define COUNTED_BLOCKS  64u

struct counted {
    struct machine *m;
    bool exact;
    uint64_t insns;   /* that ended since counted_create() or counted_anew() */
    uint64_t stop_at; /* of insns: counted_run() comes back */
    ns_t now, looked;
    uint64_t random;
};

/* The engine's run() has no other way to find it; one machine for each process. */
static struct counted *counted_machine;

static ns_t counted_now(void *opaque)
{
    (void)opaque;
    return counted_machine->now;
}

static bool counted_random(void *opaque, uint32_t *out)
{
    struct counted *c = counted_machine;

    (void)opaque;
    c->random = c->random * 6364136223846793005u + 1442695040888963407u;
    *out = (uint32_t)(c->random >> 32);
    return true;
}

/* Returns how many instructions ended; a repetition that let go has not. */
static unsigned counted_interpret(struct vcpu *v, bool single)
{
    uint64_t before = v->stats.insns;
    bool whole = !single && !counted_machine->exact;

    v->outcome = 0;
    if (single)
        interp_single(v);
    else if (!whole || !interp_run_block(v, UINT32_MAX, 0))
        interp_step(v);
    return (unsigned)(v->stats.insns - before) - !!(v->outcome & DID_PART);
}

static unsigned counted_translate(struct vcpu *v)
{
    uint64_t before = v->stats.bt_trap_emulated;

    v->outcome = 0;
    unsigned count = bt_run_block(v);
    if (!count) /* a host trap: the instruction by its handler, or not yet */
        count = (unsigned)(v->stats.bt_trap_emulated - before);
    return count - (count && (v->outcome & DID_PART));
}

static void counted_step(struct vcpu *v, void *count)
{
    bool single = engine_single(v);

    *(unsigned *)count = 1; /* if it faults */
    if (single || !v->translator)
        *(unsigned *)count = counted_interpret(v, single);
    else
        *(unsigned *)count = counted_translate(v);
}

static bool counted_takes(struct vcpu *v)
{
    (void)v;
    return true;
}

/* Has the dispatcher something to do before the next instruction? */
static bool counted_interrupted(const struct vcpu *v)
{
    return __atomic_load_n(&v->attention, __ATOMIC_RELAXED) || v->shadow_next || v->halted ||
           (v->intr_line && (v->eflags & EFL_IF));
}

static void counted_engine_run(struct vcpu *v)
{
    struct counted *c = counted_machine;
    struct fault f;
    unsigned count;

    for (unsigned n = 0; n < COUNTED_BLOCKS; n++) {
        if (n && counted_interrupted(v))
            return;
        if (c->insns >= c->stop_at) {
            v->shadow_next = v->shadow; /* for the instruction that does not run now */
            vcpu_attend(v, ATT_KICK);
            return;
        }
        if (c->now >= v->vm->next_deadline && c->now != c->looked && !v->shadow) {
            c->looked = c->now;
            if (v->translator)
                bt_tick(v);
            vcpu_attend(v, ATT_TIME);
            return;
        }
        bool faulted = fault_catch(v, counted_step, &count, &f);
        c->insns += count;
        c->now += (ns_t)count * COUNTED_NS;
        if (faulted)
            fault_raise(v, f.vector, f.error);
        v->shadow = 0;
    }
}

static const struct engine counted_engine = {
    .name = "counted", .takes = counted_takes, .run = counted_engine_run};

/* Time and random numbers go on from here, in this process and in one that loads what is saved
 * here; the translator is as new, and exact from now on, or not. */
static inline void counted_anew(struct counted *c, ns_t now, bool exact)
{
    struct machine *m = c->m;
    struct bt_options o = m->cfg->bt;

    c->exact = exact;
    c->insns = 0;
    c->now = now;
    c->looked = NS_NEVER;
    c->random = 1;
    if (!m->bt_memory)
        return;
    if (exact)
        o.max_insns = 1;
    for (uint64_t p = 0; p < m->ram.size >> GUEST_PAGE_SHIFT; p++)
        m->vm.page[p] &= (uint8_t)~PAGE_TRANSLATED;
    memset(m->bt_memory, 0, m->bt_memory_size);
    bt_init(m->vcpu, m->bt_memory, &o);
}

/* For the machine's configuration. */
static const struct bt_options counted_bt = {
    .count_exits = true, .no_chain = true, .no_return_stack = true};

/* *m was created, with counted_bt, and has not run. Its board is built anew, in counted time: the
 * chips have seen the host's. */
static inline int counted_create(struct counted *c, struct machine *m, struct error *e)
{
    struct vmm_host *h = &m->host.host;
    struct pc_config cfg = m->pc->cfg;
    const char *why = "";

    *c = (struct counted){.m = m, .stop_at = UINT64_MAX};
    counted_machine = c;
    h->now_ns = counted_now;
    h->random32 = counted_random;
    m->host.cpu.arm_timer = NULL;
    m->host.cpu.spent_ns = NULL;
    h->guest_tsc_khz = COUNTED_TSC_KHZ;
    m->vm.mem = (struct bus){.name = "memory"};
    m->vm.port = (struct bus){.name = "port"};
    memset(m->pc, 0, pc_size());
    vm_wire_pc(&m->vm, m->pc, &cfg);
    if (pc_init(m->pc, &cfg, &why))
        return error_set(e, "the board: %s", why);
    engine_add(m->vcpu, &counted_engine);
    counted_anew(c, 0, false);
    return machine_reset(m, e);
}

/* Until c->insns reaches `insns` (some more without c->exact), or the guest ends. Returns the
 * reason, EXIT_SLICE for the first; the FPU is parked. */
static inline unsigned counted_run(struct counted *c, uint64_t insns)
{
    struct vcpu *v = c->m->vcpu;
    unsigned reason = EXIT_SLICE;

    c->stop_at = insns;
    while (c->insns < insns && reason == EXIT_SLICE) {
        uint64_t left = insns - c->insns;
        reason = vcpu_run(v, left < NS_PER_SEC ? left * COUNTED_NS : NS_PER_SEC);
        fpu_park(v);
        if (reason == EXIT_HALT && c->m->vm.next_deadline != NS_NEVER) {
            if (c->now < c->m->vm.next_deadline)
                c->now = c->m->vm.next_deadline;
            reason = EXIT_SLICE;
        }
    }
    return reason;
}

#endif
