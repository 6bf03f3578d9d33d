/* SPDX-License-Identifier: MIT */
/*
 * exception.c - what becomes of a fault, and of a fault in the delivery of another.
 *
 * Promises   A chain of faults is followed in a loop, never by recursion, and its length is
 *            bounded.
 * Not here   One delivery through the IDT (deliver.c).
 * Source     SDM vol. 3A, section 6.15, interrupt 8 (tables 6-4 and 6-5); vol. 3B,
 *            section 18.3.1.1 (RF).
 * Deviations A guest whose delivery raises benign faults without end (#AC of an #AC handler at
 *            CPL 3) hangs a real CPU; here it shuts down.
 */
#include "monitor/arch/exception.h"

#include "include/ring1/fmt.h"
#include "monitor/arch/far_priv.h"
#include "monitor/cpu/trace.h"

#define NOT_DELIVERING 0xffu
/* More faults in a row than the double-fault rules let through: external, contributory, #PF, #DF,
 * and some. */
#define CHAIN_MAX 8u

/* ---- delivery ---- */

enum fault_class { BENIGN, CONTRIBUTORY, PAGE_FAULT, DOUBLE_FAULT };

static enum fault_class classify(unsigned vector)
{
    switch (vector) {
    case VEC_DE:
    case VEC_TS:
    case VEC_NP:
    case VEC_SS:
    case VEC_GP:
        return CONTRIBUTORY;
    case VEC_PF:
        return PAGE_FAULT;
    case VEC_DF:
        return DOUBLE_FAULT;
    default:
        return BENIGN;
    }
}

/* The image of EFLAGS to push: fault-class exceptions have RF set, so that a restart is not caught
 * again by a breakpoint on the same instruction. #DB sets it, or not, before it comes here. */
static uint32_t flags_image(const struct vcpu *v, const struct event *e)
{
    bool fault =
        e->type == EVENT_FAULT && e->vector != VEC_DB && e->vector != VEC_DF && e->vector != VEC_MC;

    return fault ? v->eflags | EFL_RF : v->eflags;
}

static struct event event_make(const struct vcpu *v, enum event_type type, unsigned vector,
                               uint32_t error)
{
    bool soft = type == EVENT_SOFT || type == EVENT_SOFT_TRAP;
    struct event e = {
        .type = (uint8_t)type,
        .vector = (uint8_t)vector,
        .ext = !soft,
        .error = error,
        .eip = soft || type == EVENT_ICEBP ? v->next_eip : v->eip,
    };
    e.eflags = flags_image(v, &e);
    return e;
}

static void count(struct vcpu *v, unsigned vector)
{
    v->stats.exceptions++;
    v->stats.costly_events++;
    if (vector == VEC_PF)
        v->stats.page_faults++;
}

/* Traces what is about to be delivered: its kind, then where it came. */
static __attribute__((cold)) void trace_event(const struct vcpu *v, const struct event *e)
{
    char what[64];

    switch ((enum event_type)e->type) {
    case EVENT_EXTERNAL:
        fmt_line(what, sizeof what, "interrupt 0x%02x", e->vector);
        break;
    case EVENT_NMI:
        fmt_line(what, sizeof what, "nmi 0x%02x", e->vector);
        break;
    case EVENT_SOFT:
        fmt_line(what, sizeof what, "software 0x%02x", e->vector);
        break;
    case EVENT_FAULT:
    case EVENT_SOFT_TRAP:
    case EVENT_ICEBP:
        if (e->vector == VEC_PF)
            fmt_line(what, sizeof what, "exception 0x0e #PF error 0x%04x cr2 0x%08x", e->error,
                     v->cr2);
        else if (e->error != NO_ERROR_CODE)
            fmt_line(what, sizeof what, "exception 0x%02x %s error 0x%04x", e->vector,
                     trace_vector_name(e->vector), e->error);
        else
            fmt_line(what, sizeof what, "exception 0x%02x %s", e->vector,
                     trace_vector_name(e->vector));
        break;
    }
    trace_line(v->vm, TRACE_INT, "%s at 0x%04x:0x%08x cpl %u eflags 0x%08x", what,
               v->seg[SEG_CS].sel, v->eip, v->cpl, v->eflags);
}

static inline void note_event(const struct vcpu *v, const struct event *e)
{
    if (trace_wants(v->vm, TRACE_BIT(TRACE_INT)))
        trace_event(v, e);
}

/* `first` began the chain: the event that was to be delivered. `delivering` is its end. */
static void shut_down(struct vcpu *v, unsigned first)
{
    uint32_t code = v->delivering | first << 8;

    trace_line(v->vm, TRACE_INT, "shutdown (triple fault) at 0x%04x:0x%08x", v->seg[SEG_CS].sel,
               v->eip);
    v->delivering = NOT_DELIVERING;
    v->exit_reason = EXIT_TRIPLE_FAULT;
    v->exit_code = code;
    vcpu_attend(v, ATT_EXIT);
}

static void deliver_caught(struct vcpu *v, void *arg)
{
    deliver_once(v, arg);
}

/* Table 6-5: the event to deliver after `f` was raised in the delivery of `e`; false: shutdown. */
static bool next_event(struct vcpu *v, struct event *e, const struct fault *f)
{
    enum fault_class first = e->type == EVENT_FAULT ? classify(e->vector) : BENIGN;
    enum fault_class second = classify(f->vector);
    unsigned vector = f->vector;
    uint32_t error = f->error;

    if (first == DOUBLE_FAULT && second != BENIGN)
        return false;
    if ((first == CONTRIBUTORY && second == CONTRIBUTORY) ||
        (first == PAGE_FAULT && second != BENIGN)) {
        vector = VEC_DF;
        error = 0;
    }
    count(v, vector);
    *e = event_make(v, EVENT_FAULT, vector, error);
    note_event(v, e);
    return true;
}

/* Delivers e, or what comes of the faults in its delivery. */
static void deliver_chain(struct vcpu *v, struct event *e)
{
    unsigned first = e->vector;
    struct fault f;

    for (unsigned n = 0; n < CHAIN_MAX; n++) {
        v->delivering = e->vector;
        if (!fault_catch(v, deliver_caught, e, &f)) {
            v->delivering = NOT_DELIVERING;
            return;
        }
        if (!next_event(v, e, &f))
            break;
    }
    shut_down(v, first);
}

void event_deliver(struct vcpu *v, enum event_type type, unsigned vector, uint32_t error)
{
    const struct vm_observer *o = v->vm->observer;
    struct event e = event_make(v, type, vector, error);

    v->rf_lent = false;
    note_event(v, &e);
    if (vector == VEC_DB && (type == EVENT_FAULT || type == EVENT_ICEBP))
        v->dr[7] &= ~DR7_GD; /* the handler may use the debug registers */
    if (type == EVENT_SOFT || type == EVENT_SOFT_TRAP || type == EVENT_ICEBP) {
        deliver_once(v, &e); /* a fault here is the instruction's own */
        v->outcome |= DID_EVENT;
        return;
    }
    if (type == EVENT_NMI)
        v->nmi_blocked = true;
    if (unlikely(o != NULL))
        o->event_begins(v->vm->observer_self);
    v->halted = false;
    deliver_chain(v, &e);
    if (unlikely(o != NULL))
        o->event_ends(v->vm->observer_self, type, vector, error);
}

void fault_deliver(struct vcpu *v, const struct fault *f)
{
    /* Breakpoints that a faulting instruction met are met again when it restarts. */
    v->dr6_pending = 0;
    vcpu_attended(v, ATT_TRAP);
    v->shadow_next = 0;
    if (f->vector == VEC_DB && (v->dr[6] & DR6_BD) && !(v->dr[6] & DR6_BREAKS))
        v->eflags |= EFL_RF; /* general detect is a fault like others; an instruction breakpoint
                                leaves RF as it is */
    count(v, f->vector);
    event_deliver(v, EVENT_FAULT, f->vector, f->error);
}
