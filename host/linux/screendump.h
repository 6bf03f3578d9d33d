/* SPDX-License-Identifier: MIT */
/*
 * screendump.h - the guest's screen as a picture in a file.
 *
 * Not here   Deciding when to call it: the sandbox does not let a process whose guest runs open a
 *            file (sandbox.def).
 */
#ifndef RING1_HOST_LINUX_SCREENDUMP_H
#define RING1_HOST_LINUX_SCREENDUMP_H

#include "devices/vga.h"
#include "host/linux/error.h"

enum screendump_format { SCREENDUMP_PPM, SCREENDUMP_PNG };

/* Writes the picture as it is at guest time `now` to `path`, replacing the file. Returns 0, or -1
 * with *e. */
int screendump(const struct vga *v, ns_t now, const char *path, enum screendump_format format,
               struct error *e);

#endif
