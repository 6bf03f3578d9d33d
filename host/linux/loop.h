/* SPDX-License-Identifier: MIT */
/*
 * loop.h - runs a machine until it ends: slices of guest time, and between them files, sockets and
 * the terminal.
 */
#ifndef RING1_HOST_LINUX_LOOP_H
#define RING1_HOST_LINUX_LOOP_H

struct machine;

/* Takes the terminal, installs signal handlers, runs the guest; gives the terminal back. Returns
 * the exit status of the process: 0 after a power-off, isa-debug-exit's code, 128+n after signal n,
 * 1 after it said what is wrong. */
int loop_run(struct machine *m);

#endif
