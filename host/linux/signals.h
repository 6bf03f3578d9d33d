/* SPDX-License-Identifier: MIT */
/*
 * signals.h - what signals mean: the guest's FPU faults, requests to end, job control, and our own
 * crashes.
 *
 * Promises   SIGINT, SIGTERM, SIGHUP, SIGQUIT: an orderly end through the loop; a second one ends
 *            at once. The terminal is restored in every case. A crash (SIGSEGV, SIGBUS, SIGILL,
 *            SIGABRT, a failed VMM_CHECK) reports what and where with the guest's registers, and
 *            ends with status 1.
 * State      Process-wide, as signals are; one machine per process registers itself here.
 */
#ifndef RING1_HOST_LINUX_SIGNALS_H
#define RING1_HOST_LINUX_SIGNALS_H

#include "host/linux/error.h"

struct machine;

/* Installs the handlers on an alternate stack. m may be partly built: m->vcpu is shown when it is
 * there. */
int signals_install(struct machine *m, struct error *e);
/* Becomes readable when a signal asks for an end. */
int signals_fd(void);
/* The signal that asked for an end, 0: none. */
int signals_pending(void);

#endif
