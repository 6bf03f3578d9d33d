/* SPDX-License-Identifier: MIT */
/*
 * metal.h - the command "ring1 metal": the monitor on a machine of its own (host/metal).
 *
 * Promises   Whatever is wrong with an argument, a file or a program that is not installed is one
 *            sentence that says what to do, and status 1.
 */
#ifndef RING1_CLI_METAL_H
#define RING1_CLI_METAL_H

#include <stddef.h>

/* Where the image ring1-metal is: a path in out[size]. Returns 0; -1: nowhere. */
int metal_find_image(char *out, size_t size);

/* `args` follow the word "metal". Returns the process's exit status. */
int cmd_metal(int count, char **args);

#endif
