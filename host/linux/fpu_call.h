/* SPDX-License-Identifier: MIT */
/*
 * fpu_call.h - runs generated FPU stubs, and turns the signals that they cause into exception
 * vectors.
 *
 * Promises   host_fpu_call() touches general registers only. A #MF or #XM (or #UD: an instruction
 *            which this CPU does not have) of the guest's instruction inside a stub becomes the
 *            call's result; the guest's FPU registers are then as the CPU left them.
 * Needs      A handler with SA_SIGINFO for SIGFPE and SIGILL that calls host_fpu_signal() first.
 * State      There is none. A fault belongs to a stub when the word at the top of the stack is the
 *            return address into host_fpu_call(): stubs have nothing on the stack at the guest's
 *            instruction.
 */
#ifndef RING1_HOST_LINUX_FPU_CALL_H
#define RING1_HOST_LINUX_FPU_CALL_H

#include <signal.h>
#include <stdbool.h>

#include "include/ring1/vcpu_host.h"

/* Is struct vcpu_host.fpu_call; `opaque` is not used. */
unsigned host_fpu_call(void *opaque, const void *stub, struct fpu_io *io);

/* The part of the signal handler that is about stubs. Returns true when a stub caused the signal:
 * the handler must return at once then. Async-signal-safe. */
bool host_fpu_signal(siginfo_t *info, void *ucontext);

#endif
