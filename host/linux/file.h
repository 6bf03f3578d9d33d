/* SPDX-License-Identifier: MIT */
/*
 * file.h - a whole input file in memory, whatever kind of file it is.
 */
#ifndef RING1_HOST_LINUX_FILE_H
#define RING1_HOST_LINUX_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/linux/error.h"

struct file {
    const uint8_t *data;
    size_t size;
    bool mapped; /* how to give it back */
    const char *path;
};

/* Maps regular files, reads pipes and devices to their end; an empty file has size 0. `what` names
 * the file's role in messages ("kernel"). Refuses anything above 4 GiB. `path` is kept by
 * reference. Returns 0 or -1 with *e. */
int file_open(struct file *f, const char *what, const char *path, struct error *e);
void file_close(struct file *f);

#endif
