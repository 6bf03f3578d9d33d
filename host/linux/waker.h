/* SPDX-License-Identifier: MIT */
/*
 * waker.h - how another thread makes the vCPU's thread look at what has ended
 * (devices/completion.h), whether it runs the guest or sleeps.
 *
 * Promises   After waker_wake() a sleep of the vCPU's thread ends at once, and guest code is left
 *            at its next instruction; nothing is lost in between. waker_wake() is
 *            async-signal-safe, FPU-SAFE (include/ring1/host.h) and for every thread.
 * How        Whoever sleeps says so before it looks for the last time whether there is something,
 *            and is woken by an eventfd; whoever runs is interrupted by WAKE_SIGNAL, whose handler
 *            (signals.c) breaks in.
 */
#ifndef RING1_HOST_LINUX_WAKER_H
#define RING1_HOST_LINUX_WAKER_H

#include <stdbool.h>
#include <stdint.h>

#include "host/linux/error.h"

#define WAKE_SIGNAL 23 /* SIGURG: whoever else sends it does no harm */

struct waker {
    int fd;       /* an eventfd to sleep on; -1: none */
    int process;  /* of the thread that is woken */
    int thread;   /* its kernel id */
    int sleeping; /* 1: fd wakes; written by that thread only */
};

/* The caller's thread is the one to wake. Returns 0, or -1 with *e. */
int waker_create(struct waker *w, struct error *e);
void waker_destroy(struct waker *w);

/* `waker`: a struct waker; a completion_queue's `wake`. */
void waker_wake(void *waker);

/* The thread sleeps soon: what it looks at after this call it will not miss. */
void waker_sleeps(struct waker *w);
/* It is awake; `readable`: poll() said so of fd. */
void waker_is_awake(struct waker *w, bool readable);

#endif
