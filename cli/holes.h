/* SPDX-License-Identifier: MIT */
/* holes.h - `ring1 holes`: the laboratory's commands (lab/). */
#ifndef RING1_CLI_HOLES_H
#define RING1_CLI_HOLES_H

/* args: what follows `ring1 holes`. Returns the exit status. */
int cmd_holes(int count, char **args);

#endif
