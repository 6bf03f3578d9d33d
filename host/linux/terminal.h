/* SPDX-License-Identifier: MIT */
/*
 * terminal.h - the terminal on standard input: raw while the guest has it, and as it was before
 * whenever the process ends, however it ends.
 *
 * Promises   terminal_restore() may be called from a signal handler, any number of times. It also
 *            runs at exit().
 * State      Process-wide: a process has one controlling terminal, and a dying one must find it.
 */
#ifndef RING1_HOST_LINUX_TERMINAL_H
#define RING1_HOST_LINUX_TERMINAL_H

#include <stdbool.h>

/* Sets raw mode; does nothing when standard input is no terminal. keep_signals: Ctrl-C, Ctrl-Z and
 * Ctrl-\ stay signals for ring1 instead of going to the guest. */
void terminal_raw(bool keep_signals);
/* To be called after SIGCONT: sets raw mode again if it was set, and we own the terminal. */
void terminal_resume(void);
void terminal_restore(void);

#endif
