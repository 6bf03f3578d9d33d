/* SPDX-License-Identifier: MIT */
/*
 * sandbox.h - the system call filter under which guests run: whoever broke out of the guest could
 * only read and write what is open already.
 *
 * Promises   After sandbox_enter() the thread makes only the calls of sandbox.def, for good, and a
 *            drive's thread those of its own table there: nothing is opened, executed, connected or
 *            made executable any more.
 * Not here   Translated code that cannot leave its window (bt/, host/linux/window.h).
 */
#ifndef RING1_HOST_LINUX_SANDBOX_H
#define RING1_HOST_LINUX_SANDBOX_H

#include "host/linux/config.h"
#include "host/linux/error.h"

#define SANDBOX_LISTENERS (MAX_SERIAL + 1)

/* What the conditions of sandbox.def refer to. */
struct sandbox_spec {
    int ram_fd; /* -1: none */
    unsigned listener_count;
    struct {
        int fd;           /* listens */
        const char *path; /* its name; this very pointer is given to unlink() */
    } listener[SANDBOX_LISTENERS];
};

/* Does this build have the filter? Not with a sanitizer that makes system calls of its own. */
bool sandbox_possible(void);

/* Returns 0, or -1 with *e. Without effect for SANDBOX_OFF and where it is not possible. */
int sandbox_enter(enum sandbox_mode mode, const struct sandbox_spec *spec, struct error *e);
/* The same for the calling thread, which is a drive's (host/linux/block.h); other threads keep what
 * they may. */
int sandbox_enter_block(enum sandbox_mode mode, struct error *e);

#endif
