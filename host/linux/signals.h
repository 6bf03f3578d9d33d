/* SPDX-License-Identifier: MIT */
/*
 * signals.h - what signals mean: traps of translated code, the guest's FPU faults, the timer that
 * breaks into translated code, requests to end, job control, and our own crashes.
 *
 * Promises   SIGINT, SIGTERM and all others that would end a process (SIGUSR1, SIGXCPU, the
 *            real-time ones...) bring an orderly end through the loop; a second one, and one before
 *            signals_listen(), ends at once. The terminal is restored and our sockets are removed
 *            in every case. SIGPIPE and SIGXFSZ are ignored: the write reports it. A crash
 *            (SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT, SIGSYS, a failed VMM_CHECK)
 *            reports what and where (crash.h), and ends with status 1.
 * State      Process-wide, as signals are; one machine per process registers itself here.
 */
#ifndef RING1_HOST_LINUX_SIGNALS_H
#define RING1_HOST_LINUX_SIGNALS_H

#include <signal.h>

#include "host/linux/error.h"

struct machine;

/* Installs the handlers on an alternate stack. m may be partly built: m->vcpu is shown when it is
 * there. */
int signals_install(struct machine *m, struct error *e);
/* To be called when the caller begins to look at signals_pending(). */
void signals_listen(void);
/* Makes a write that fails an error of that write (EPIPE, EFBIG), not the end of the process. */
void signals_ignore_lost_output(void);
/* A descriptor that becomes readable when a signal asks for an end. */
int signals_fd(void);
/* For ppoll(): the signals that need not end a wait. The timer that breaks into translated code
 * goes off then too, and only reminds of what the wait's own time limit says. */
const sigset_t *signals_wait_mask(void);
/* The signal that asked for an end, 0: none. */
int signals_pending(void);

#endif
