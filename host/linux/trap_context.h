/* SPDX-License-Identifier: MIT */
/*
 * trap_context.h - signals that find translated code running, handed to the translator.
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

/* For signals that ask the vCPU to look up, after v->attention was set: bt_break_in() on what the
 * signal interrupted. No other signal that ends here may interrupt the handler, nor the handlers of
 * those above (sa_mask). */
void host_bt_break_in(struct vcpu *v, void *ucontext);

#endif
