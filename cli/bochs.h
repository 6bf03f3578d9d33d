/* SPDX-License-Identifier: MIT */
/* bochs.h - runs Bochs without its screen. */
#ifndef RING1_CLI_BOCHS_H
#define RING1_CLI_BOCHS_H

/* File descriptor under which Bochs finds our standard output, for its COM1. */
#define BOCHS_COM1 9

/* Runs bochs with this configuration file, whose display library is "term", on a pseudo-terminal
 * that nobody looks at. Debian's bochs has a debugger, which is told to continue. Waits for its
 * end; returns its status, 127 when it is not installed. */
int bochs_run(const char *rc);

#endif
