/* SPDX-License-Identifier: MIT */
/* run.h - `ring1 run`. */
#ifndef RING1_CLI_RUN_H
#define RING1_CLI_RUN_H

/* args: what follows `run`. Returns the exit status of the process (host/linux/loop.h). */
int cmd_run(int count, char **args);

void print_version(void);

#endif
