/* SPDX-License-Identifier: MIT */
/*
 * trap_context.h - signals that find an engine's code running, handed to the engines
 * (monitor/cpu/engine.h).
 *
 * Promises   Async-signal-safe, as what the engines do is; touches general registers only. The
 *            handler must run on its own stack (SA_ONSTACK): rsp is the host return stack while
 *            translated code runs.
 */
#ifndef RING1_HOST_LINUX_TRAP_CONTEXT_H
#define RING1_HOST_LINUX_TRAP_CONTEXT_H

#include <signal.h>
#include <stdbool.h>

struct vcpu;

/* For SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGTRAP; v may be NULL. True: the handler is to return.
 * The signal was a trap of code of one of v's engines, and *ucontext is changed so that the host
 * goes on as that one says; or a debug trap, wherever it came; or needs no answer. False: it was
 * sent by a process, or a fault that nobody expected. The handlers must not block SIGTRAP
 * (SA_NODEFER): a debug trap that found it blocked would end the process. */
bool host_trap_signal(struct vcpu *v, int sig, siginfo_t *info, void *ucontext);

/* For signals that ask the vCPU to look up, after v->attention was set: asks the engines on what
 * the signal interrupted. No other signal that ends here may interrupt the handler, nor the
 * handlers of those above (sa_mask). */
void host_trap_break_in(struct vcpu *v, void *ucontext);

#endif
