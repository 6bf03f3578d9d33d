/* SPDX-License-Identifier: MIT */
/*
 * completion.h - how a device hears of what the host has done meanwhile, beside the vCPU: one queue
 * for a board.
 *
 * Promises   A request that was begun is completed exactly once, in the order in which the host
 *            posted them, on the vCPU's thread, between two instructions, with the guest time of
 *            that moment. Nothing in a device runs at any other time.
 * Time       Completions enter the machine through completion_deliver() only. Between two runs only
 *            (time, number, result) of each differ, and a recorder (`seen`) hears them. Requests
 *            are numbered in the order of completion_begin(), which the guest decides.
 * Threads    Any thread may call completion_post(); everything else belongs to the vCPU's thread.
 * Ownership  A struct completion lies in its request. The queue owns it from completion_begin()
 *            until it calls `done`.
 */
#ifndef RING1_DEVICES_COMPLETION_H
#define RING1_DEVICES_COMPLETION_H

#include "include/ring1/types.h"

struct completion {
    void (*done)(void *opaque, int result, ns_t now); /* set by the device before it begins */
    void *opaque;
    uint64_t number;
    int result;
    struct completion *next;
};

struct completion_queue {
    struct completion *posted; /* last one first; the one field that several threads use */
    struct completion *ready;  /* taken from there, first one first, and not delivered yet */
    uint64_t begun, delivered;
    /* Set by the host; may be NULL. Makes the vCPU's thread call completion_deliver() soon.
     * completion_post() calls it, on its own thread, when the queue was empty. FPU-SAFE
     * (include/ring1/host.h) if that may be the vCPU's thread. */
    void (*wake)(void *opaque);
    void *wake_opaque;
    /* Set by a recorder; may be NULL. Called before each `done`. */
    void (*seen)(void *opaque, ns_t now, uint64_t number, int result);
    void *seen_opaque;
};

/* Numbers *c: the request that it lies in goes to the host now. */
void completion_begin(struct completion_queue *q, struct completion *c);
/* The request of *c has ended with `result`: 0 or more, or an enum backend_error. */
void completion_post(struct completion_queue *q, struct completion *c, int result);
/* Calls `done` of what is posted, of at most `most`; what is left stays posted. Returns how many. A
 * `done` may begin other requests, and what is posted during these calls is delivered too. */
unsigned completion_deliver(struct completion_queue *q, ns_t now, unsigned most);
/* How many requests are begun and not delivered: 0 is required when a machine is saved or ends. */
uint64_t completion_pending(const struct completion_queue *q);

#endif
