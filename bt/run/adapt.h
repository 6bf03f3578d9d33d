/* SPDX-License-Identifier: MIT */
/*
 * adapt.h - adaptive translation: which address spaces and which single instructions go through a
 * window, which through the software TLB, and which to the interpreter.
 *
 * Why        A host trap and a mapping cost microseconds, a software-TLB miss some 0.1 us. So a
 *            process starts without a window and gets one when it has computed for a while; and an
 *            instruction that keeps trapping (devices, copies between kernel and user, first
 *            touches of memory) is translated again in the software-TLB form, for a while. One
 *            that traps for what no form of memory operand helps (#DE, a misaligned operand, x87
 *            and SSE errors) becomes a callout.
 *            A guest that keeps changing what entries of page tables mean (CR0.WP, CR0.PG, A20), or
 *            traps at too many places, does without windows for a while.
 *            A guest that keeps changing the kind of its data segments runs code for a while that
 *            looks at base and limit of all of them.
 *            Where one costly event follows the other - exceptions, flushes, devices, writes to
 *            code, changes of the physical map or of breakpoints, accesses beside one - entering
 *            and leaving the cache may cost more than what runs there gains: both ways are
 *            measured, by the time from event to event, and the faster one is taken for a while.
 *            Only what comes as often under both engines is such an event.
 * Time       All of it is judged by CPU time (vcpu_host.spent_ns).
 * Bounds     Two sites share each place of the table. Where both are taken by such instructions,
 *            the third's page becomes soft as a whole.
 * Promises   Only speed depends on what is decided here.
 */
#ifndef RING1_BT_RUN_ADAPT_H
#define RING1_BT_RUN_ADAPT_H

#include "include/ring1/types.h"

struct vcpu;

/* What a trap was for. */
enum adapt_why {
    ADAPT_FILLED,   /* a mapping was missing, and was made */
    ADAPT_EMULATED, /* the access had to be emulated */
    ADAPT_OTHER,    /* the trap was not about memory */
};

/* Completes the zeroed state of a new translator. */
void adapt_init(struct vcpu *v);

/* May code of the present privilege level and address space use a window? */
bool adapt_window(const struct vcpu *v);

/* Notes that the instruction at gpa trapped; `at` is the linear address that it accessed, unless
 * `why` is ADAPT_OTHER. May drop the blocks that contain it. */
void adapt_trap(struct vcpu *v, gpa_t gpa, gla_t at, enum adapt_why why);

/* Asked each time the run loop is about to run code: shall the interpreter run it at present?
 * Translated code comes back for that question when adapt_is_due() (run_priv.h). */
bool adapt_interprets(struct vcpu *v);

/* Notes that the TLB was flushed as a whole. */
void adapt_flushed(struct vcpu *v);

/* Notes that all windows were dropped: a page of memory became a device, and nobody knows where
 * they show it. */
void adapt_windows_dropped(struct vcpu *v);

/* Notes that code of a privilege class ran in context `old` and is now to run in `new`. */
void adapt_context(struct vcpu *v, uint32_t old, uint32_t new);

/* Notes that the host broke into translated code, as it does about once in a millisecond. */
void adapt_tick(struct vcpu *v);

#endif
