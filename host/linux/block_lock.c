/* SPDX-License-Identifier: MIT */
/*
 * block_lock.c - one writer, or any number of readers, of an image; see block_priv.h.
 *
 * The locks are those that QEMU's tools take (open file description locks, shared ones, on single
 * bytes of the image): byte 100+n says "I do n", byte 200+n says "nobody else may do n". Locks are
 * taken first and the others' looked for afterwards, so that of two who come at the same time at
 * least one sees the other.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "host/linux/block_priv.h"

#define DOES    100
#define FORBIDS 200
enum doing { READING, WRITING, WRITING_THE_SAME, RESIZING, DOINGS };

static int lock_byte(int fd, int command, short type, int byte)
{
    struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};

    if (fcntl(fd, command, &l) < 0)
        return -errno;
    return command == F_OFD_GETLK && l.l_type != F_UNLCK ? -EAGAIN : 0;
}

/* What a writer and a reader do, and what they forbid. */
static bool does(bool writes, enum doing n)
{
    return n == READING || (writes && n == WRITING);
}
static bool forbids(enum doing n)
{
    return n == WRITING || n == RESIZING;
}

static int take_all(int fd, bool writes)
{
    int err = 0;

    for (enum doing n = 0; n < DOINGS && !err; n++) {
        if (does(writes, n))
            err = lock_byte(fd, F_OFD_SETLK, F_RDLCK, DOES + (int)n);
        if (!err && forbids(n))
            err = lock_byte(fd, F_OFD_SETLK, F_RDLCK, FORBIDS + (int)n);
    }
    /* Would an exclusive lock be possible? Then nobody else has one there. */
    for (enum doing n = 0; n < DOINGS && !err; n++) {
        if (does(writes, n))
            err = lock_byte(fd, F_OFD_GETLK, F_WRLCK, FORBIDS + (int)n);
        if (!err && forbids(n))
            err = lock_byte(fd, F_OFD_GETLK, F_WRLCK, DOES + (int)n);
    }
    return err;
}

int block_lock(int fd, bool writes, const char *path, struct error *e)
{
    int err = take_all(fd, writes);

    switch (err) {
    case 0:
        return 0;
    case -EAGAIN:
    case -EACCES:
        return error_set(e,
                         writes
                             ? "the image '%s' is in use by another machine or tool; only one at a "
                               "time can write to it (readonly=on and snapshot=on do not)"
                             : "another machine or tool writes to the image '%s'; nobody can read "
                               "it meanwhile",
                         path);
    default: /* network file systems without locks */
        say("the file system of the image '%s' has no locks (%s); see to it that no other machine "
            "uses it",
            path, strerror(-err));
        return 0;
    }
}
