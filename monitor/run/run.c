/* SPDX-License-Identifier: MIT */
/*
 * run.c - the dispatcher: what happens between two guest instructions.
 *
 * Order of events at a boundary: SDM vol. 3A, table 6-2 ("Priority Among Concurrent Events"): traps
 * of the previous instruction, then NMI, then maskable interrupts, then code breakpoints, then the
 * next instruction. An interrupt shadow (STI, MOV SS, POP SS) suppresses them for exactly one
 * instruction (SDM vol. 3A, section 6.8.3).
 */
#include "include/ring1/mem.h"
#include "monitor/arch/exception.h"
#include "monitor/cpu/trace.h"
#include "monitor/interp/interp.h"

/* Runs of engines end early at port accesses and the like: after how many of them the run loop
 * looks at the clock, as it does after INTERP_BUDGET instructions. */
#define RUN_ROUNDS 32u

static void run_timers(struct vm *vm, ns_t now)
{
    /* What chips report while they run (deadline_changed) is contained in the answer. */
    vm->next_deadline = vm->board_ops->run_until(vm->board, now);
    vcpu_attended(vm->cpu[0], ATT_TIME);
}

static void deliver_debug_trap(struct vcpu *v)
{
    v->dr[6] = (v->dr[6] & ~0xfu) | v->dr6_pending;
    v->dr6_pending = 0;
    v->dr[7] &= ~DR7_GD; /* the handler may touch the debug registers */
    /* A trap: the image of RF stays as it is, unlike fault_deliver(). */
    v->stats.exceptions++;
    v->stats.costly_events++;
    event_deliver(v, EVENT_FAULT, VEC_DB, NO_ERROR_CODE);
}

static void wake(struct vcpu *v)
{
    if (v->halted)
        engines_woken(v);
    v->halted = false;
}

static void deliver_nmi(struct vcpu *v)
{
    v->nmi_pending = false;
    v->nmi_blocked = true;
    wake(v);
    event_deliver(v, EVENT_NMI, VEC_NMI, NO_ERROR_CODE);
}

static void deliver_interrupt(struct vcpu *v)
{
    int vector = v->vm->board_ops->intr_ack(v->vm->board, v->id);

    if (vector < 0)
        return;
    wake(v);
    v->stats.interrupts++;
    event_deliver(v, EVENT_EXTERNAL, (unsigned)vector, NO_ERROR_CODE);
}

/* Everything that may happen between two instructions; v->shadow is that of the next one. */
static void boundary(struct vcpu *v)
{
    uint32_t att = __atomic_exchange_n(&v->attention, 0, __ATOMIC_ACQ_REL);

    if (v->exit_reason != EXIT_NONE)
        return; /* shut down, off or about to be reset: nothing is delivered any more */
    if (v->dr6_pending && !(v->shadow & SHADOW_MOVSS))
        deliver_debug_trap(v);
    if (att & ATT_TIME) {
        run_timers(v->vm, vm_now(v->vm));
    }
    if (v->nmi_pending && !v->nmi_blocked && !v->shadow)
        deliver_nmi(v);
    else if (v->intr_line && (v->eflags & EFL_IF) && !v->shadow)
        deliver_interrupt(v);
}

static void run_engine(struct vcpu *v, void *engine)
{
    ((const struct engine *)engine)->run(v);
}

static void execute(struct vcpu *v)
{
    struct fault f;

    if (fault_catch(v, run_engine, (void *)(uintptr_t)engine_now(v), &f)) {
        v->shadow_next = 0;
        v->dr6_pending = 0;
        fault_deliver(v, &f);
    }
}

/* Does what is due by the clock; true when the slice is over. */
static bool clock_tick(struct vcpu *v, ns_t end)
{
    ns_t now = vm_now(v->vm);

    if (v->id == 0 && now >= v->vm->next_deadline)
        run_timers(v->vm, now);
    return now >= end;
}

static bool wakes(const struct vcpu *v)
{
    return (v->nmi_pending && !v->nmi_blocked) || (v->intr_line && (v->eflags & EFL_IF));
}

/* The CPU is halted and nothing wakes it now: can something later? SDM vol. 2, HLT. The board's
 * timers ran just now. */
static bool may_wake_later(const struct vcpu *v)
{
    const struct board_ops *ops = v->vm->board_ops;

    return (v->eflags & EFL_IF) ||
           (!v->nmi_blocked && ops->nmi_may_come && ops->nmi_may_come(v->vm->board, v->id));
}

/* Translated code does not look at the clock: the host breaks in when something is due. */
static void arm_timer(struct vcpu *v, ns_t end)
{
    const struct vcpu_host *h = v->host;

    if (v->needs_alarm && h->arm_timer)
        h->arm_timer(h->opaque, v->vm->next_deadline < end ? v->vm->next_deadline : end);
}

static unsigned run_slice(struct vcpu *v, ns_t slice_ns)
{
    ns_t end = vm_now(v->vm) + slice_ns;
    uint64_t tick_at = v->stats.insns + INTERP_BUDGET;
    unsigned rounds = 0;

    for (;;) {
        uint32_t att = __atomic_load_n(&v->attention, __ATOMIC_ACQUIRE);
        v->shadow = v->shadow_next;
        v->shadow_next = 0;
        if (att || v->intr_line || v->dr6_pending)
            boundary(v);
        if (v->exit_reason != EXIT_NONE) {
            /* Cleared only here: a request made in a slice's last round is the next call's. */
            unsigned why = v->exit_reason;
            v->exit_reason = EXIT_NONE;
            v->shadow_next = v->shadow; /* the instruction it is for has yet to run */
            return why;
        }
        if (v->dr6_pending && !v->shadow) {
            /* Delivery through a task gate set off the new task's debug trap; a guest can make that
             * go on for ever. */
            if (clock_tick(v, end))
                return EXIT_SLICE;
            continue;
        }
        if (v->halted) {
            if (clock_tick(v, end))
                return EXIT_SLICE;
            if (!wakes(v)) {
                v->stats.halts++;
                return may_wake_later(v) ? EXIT_HALT : EXIT_SHUTDOWN_HALT;
            }
            continue;
        }
        arm_timer(v, end);
        execute(v);
        if ((att & (ATT_KICK | ATT_TIME)) || v->stats.insns >= tick_at || ++rounds >= RUN_ROUNDS) {
            tick_at = v->stats.insns + INTERP_BUDGET;
            rounds = 0;
            if (clock_tick(v, end))
                return EXIT_SLICE; /* shadow_next stays in force for the next call */
        }
    }
}

/* What happened outside goes to the board. The host gives no more than the room that is left. */
static void take_events(struct vm *vm)
{
    const struct vmm_host *h = vm->host;
    const struct board_ops *ops = vm->board_ops;
    struct host_event e;

    while (h->next_event && ops->event) {
        struct host_room room = {{0}};
        ops->event_room(vm->board, &room);
        if (!h->next_event(h->opaque, &room, &e))
            return;
        ops->event(vm->board, &e);
    }
}

unsigned vcpu_run(struct vcpu *v, ns_t slice_ns)
{
    if (v->id == 0)
        take_events(v->vm);
    unsigned reason = run_slice(v, slice_ns);

    if (trace_wants(v->vm, TRACE_BIT(TRACE_EXIT)))
        trace_exit(v, reason);
    return reason;
}
