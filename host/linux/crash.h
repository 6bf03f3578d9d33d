/* SPDX-License-Identifier: MIT */
/*
 * crash.h - the report of our own bugs: what happened, the guest's registers, what each engine was
 * doing (report() of struct engine), the host's registers.
 *
 * Promises   Async-signal-safe, as far as snprintf() of integers is. Reads the guest's state,
 *            changes nothing of it.
 */
#ifndef RING1_HOST_LINUX_CRASH_H
#define RING1_HOST_LINUX_CRASH_H

#include <signal.h>
#include <ucontext.h>

struct machine;

/* Writes the report of signal `sig` to standard error. m may be NULL, or partly built. */
void crash_report(const struct machine *m, int sig, const siginfo_t *info, const ucontext_t *uc);

#endif
