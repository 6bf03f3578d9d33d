/* SPDX-License-Identifier: MIT */
/*
 * screendump.h - the guest's screen as a picture in a file.
 *
 * Not here   When: opening a file is none of the calls that the sandbox leaves to a process whose
 *            guest runs (sandbox.def).
 */
#ifndef RING1_HOST_LINUX_SCREENDUMP_H
#define RING1_HOST_LINUX_SCREENDUMP_H

#include "devices/vga.h"
#include "host/linux/error.h"

enum screendump_format { SCREENDUMP_PPM, SCREENDUMP_PNG };

/* Writes the picture as it is at guest time `now`. Replaces the file. 0, or -1 with *e. */
int screendump(const struct vga *v, ns_t now, const char *path, enum screendump_format format,
               struct error *e);

#endif
