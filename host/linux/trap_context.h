/* SPDX-License-Identifier: MIT */
/*
 * trap_context.h - a host trap (signal) of translated code, handed to the translator.
 *
 * Promises   Async-signal-safe; touches general registers only. The handler must run on its own
 *            stack (SA_ONSTACK): rsp is the host return stack while translated code runs.
 */
#ifndef RING1_HOST_LINUX_TRAP_CONTEXT_H
#define RING1_HOST_LINUX_TRAP_CONTEXT_H

#include <signal.h>
#include <stdbool.h>

struct vcpu;

/* For SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGTRAP. True when the signal was a trap of v's
 * translated code: *ucontext is changed so that returning from the handler goes on in the monitor.
 * False: not ours. */
bool host_bt_signal(struct vcpu *v, int sig, siginfo_t *info, void *ucontext);

#endif
