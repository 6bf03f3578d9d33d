/* SPDX-License-Identifier: MIT */
/*
 * ending.h - what follows when one life of the guest is over: when it turned itself off, reset
 * itself, shut its CPU down by a triple fault, or halted for good.
 *
 * Promises   The same events under the same rules have the same consequences and the same words,
 *            whatever the host. A guest that crashes again and again is reported once a second, and
 *            one that halted for good once in each life.
 * Invariant  Only ending_after() changes a struct ending; neither CPU nor VM is changed.
 * Not here   Doing it: the host runs, waits, resets and quits, and says how its user can leave.
 */
#ifndef RING1_MONITOR_RUN_ENDING_H
#define RING1_MONITOR_RUN_ENDING_H

#include "include/ring1/types.h"

struct vcpu;

/* The user's wishes. */
struct ending_rules {
    bool no_reboot;   /* a reset or a triple fault ends the run */
    bool no_shutdown; /* the machine stays when the guest turned it off */
};

/* What was said already. The host zeroes it at the run's beginning and sets `rules`. */
struct ending {
    struct ending_rules rules;
    bool halt_said;     /* in this life */
    ns_t crash_said_at; /* 0: never */
    unsigned crashes_unsaid;
};

enum ending_step {
    ENDING_NONE,    /* nothing ended: the run goes on */
    ENDING_WAIT,    /* only input or the user can change anything: wait for it, then run on */
    ENDING_STAY,    /* the machine is off and stays so: wait until the user ends it */
    ENDING_RESTART, /* as after the reset button */
    ENDING_QUIT,    /* with .status */
};

struct ending_verdict {
    enum ending_step step;
    int status;          /* of ENDING_QUIT: 0, or what the guest gave isa-debug-exit, or 1 */
    bool first;          /* of ENDING_WAIT: not said yet in this life */
    bool show_registers; /* the user asked to see where it ended */
    /* Sentences for the user; "" for none. What crashed; and that this CPU model lacks what the
     * guest last tried, which may be why. */
    char report[400], lack[240];
};

/* Fills in *out: what the host is to do and say after vcpu_run() of *v came back with `reason`
 * (enum exit_reason). now: the host's time, in ns. */
void ending_after(struct ending *e, const struct vcpu *v, unsigned reason, ns_t now,
                  struct ending_verdict *out);

/* Does this reason end a life of the guest? Then lockstep compares all there is. */
bool ending_is_end(unsigned reason);

#endif
