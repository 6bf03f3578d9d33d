/* SPDX-License-Identifier: MIT */
/*
 * completion.h - how what the host does beside the vCPU comes back to a device: one queue for a
 * board.
 *
 * Promises   A request that was begun is completed exactly once, in the order in which the host
 *            posted them, on the vCPU's thread, between two instructions, with the guest time of
 *            that moment. Nothing in a device runs at any other time.
 * Time       completion_deliver() is the only door: (time, number, result) of each call is all that
 *            differs from run to run, and a recorder that sits there (`seen`) has it. Numbers are
 *            given in the order of completion_begin(), which the guest decides.
 * Threads    completion_post(): any. Everything else: the vCPU's.
 * Ownership  struct completion lies in its request and is the queue's from begin to the call of
 *            `done`.
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
    /* The host's; may be NULL. Any thread: make the vCPU's thread call completion_deliver() soon.
     * Called when the queue was empty. FPU-SAFE (include/ring1/host.h) when completion_post() is
     * called on the vCPU's thread. */
    void (*wake)(void *opaque);
    void *wake_opaque;
    /* A recorder's; may be NULL. */
    void (*seen)(void *opaque, ns_t now, uint64_t number, int result);
    void *seen_opaque;
};

/* The request that *c lies in goes to the host now. */
void completion_begin(struct completion_queue *q, struct completion *c);
/* It has ended: 0 or more, or an error of backend.h. */
void completion_post(struct completion_queue *q, struct completion *c, int result);
/* Calls `done` of all that are posted, also of those that are posted meanwhile by those calls;
 * returns how many. Each may begin others. At most `most`: what is left stays posted. */
unsigned completion_deliver(struct completion_queue *q, ns_t now, unsigned most);
/* How many are begun and not delivered: none may be when a machine is saved or ends. */
uint64_t completion_pending(const struct completion_queue *q);

#endif
