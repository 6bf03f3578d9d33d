/* SPDX-License-Identifier: MIT */
/* block_server.h - qemu-nbd as a child of ours: for image formats other than raw. */
#ifndef RING1_HOST_LINUX_BLOCK_SERVER_H
#define RING1_HOST_LINUX_BLOCK_SERVER_H

#include <stdbool.h>

#include "host/linux/config.h"
#include "host/linux/error.h"

/* Starts a server for *s, which ends when its one connection does, and at the latest when the
 * calling thread does. Returns the connection, and a descriptor of the process in *process
 * (readable when it has ended); or -1 with *e, whose sentence is the server's own if it said one.
 * `filter`: it can open no socket, and look into no other process. */
int block_server_start(const struct drive_spec *s, const char *format, bool read_only, bool filter,
                       int *process, struct error *e);

#endif
