/* SPDX-License-Identifier: MIT */
/*
 * block_rig.h - a drive of host/linux/block.h over a temporary file, and somebody who waits for its
 * completions as the vCPU's thread does.
 */
#ifndef RING1_TESTS_RIG_BLOCK_RIG_H
#define RING1_TESTS_RIG_BLOCK_RIG_H

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/linux/block.h"
#include "host/linux/waker.h"

#define BLOCK_RIG_PATIENCE_MS 60000

struct block_rig {
    struct drive_spec spec;
    struct block_drive drive;
    struct blockdev dev;
    struct completion_queue queue;
    struct waker waker;
    struct error e;
    int ended; /* the result of the last request; 1: not yet */
};

static void block_rig_done(void *opaque, int result, ns_t now)
{
    (void)now;
    ((struct block_rig *)opaque)->ended = result;
}

/* The rig's spec is filled in. Returns as block_open() and block_start() do. */
static int block_rig_open(struct block_rig *t, enum sandbox_mode mode)
{
    if (waker_create(&t->waker, &t->e))
        abort();
    t->queue = (struct completion_queue){.wake = waker_wake, .wake_opaque = &t->waker};
    waker_sleeps(&t->waker); /* always: it is woken by the eventfd */
    if (block_open(&t->drive, &t->spec, mode, &t->e) || block_start(&t->drive, &t->e))
        return -1;
    t->dev = block_backend(&t->drive);
    return 0;
}

static void block_rig_close(struct block_rig *t)
{
    block_close(&t->drive);
    waker_destroy(&t->waker);
}

/* Waits for what was submitted. */
static int block_rig_wait(struct block_rig *t)
{
    struct pollfd p = {.fd = t->waker.fd, .events = POLLIN};

    while (t->ended == 1) {
        if (poll(&p, 1, BLOCK_RIG_PATIENCE_MS) != 1)
            abort();
        waker_is_awake(&t->waker, true);
        waker_sleeps(&t->waker);
        completion_deliver(&t->queue, 1, 100);
    }
    return t->ended;
}

/* Does one request; READ and WRITE move `len` bytes in `pieces` parts. */
static int block_rig_do(struct block_rig *t, enum block_op op, uint64_t at, uint8_t *bytes,
                        uint64_t len, unsigned pieces)
{
    struct block_request r = {.completion = {.done = block_rig_done, .opaque = t},
                              .op = op,
                              .offset = at,
                              .len = len,
                              .pieces = bytes ? pieces : 0};
    uint64_t done = 0;

    for (unsigned n = 0; n < r.pieces; n++) {
        uint64_t part = n + 1 == pieces ? len - done : len / pieces + (n & 1);

        r.piece[n] = (struct block_piece){bytes + done, (uint32_t)part};
        done += part;
    }
    t->ended = 1;
    blockdev_submit(&t->dev, &t->queue, &r);
    return block_rig_wait(t);
}

static int block_rig_read(struct block_rig *t, uint64_t at, uint8_t *to, uint64_t len)
{
    return block_rig_do(t, BLOCK_READ, at, to, len, 1);
}
static int block_rig_write(struct block_rig *t, uint64_t at, uint8_t *from, uint64_t len)
{
    return block_rig_do(t, BLOCK_WRITE, at, from, len, 1);
}
static int block_rig_flush(struct block_rig *t)
{
    return block_rig_do(t, BLOCK_FLUSH, 0, NULL, 0, 0);
}

/* A new file of `size` bytes, each the low byte of its offset's hash. Its name is in path[64]. */
static inline uint8_t block_rig_byte(uint64_t at)
{
    return (uint8_t)(at * 0x9e3779b1u >> 13);
}
static void block_rig_file(char *path, size_t size)
{
    uint8_t *bytes = malloc(size + 1);

    strcpy(path, "/tmp/ring1-block-XXXXXX");
    int fd = mkstemp(path);
    for (size_t n = 0; n < size; n++)
        bytes[n] = block_rig_byte(n);
    if (fd < 0 || write(fd, bytes, size) != (ssize_t)size)
        abort();
    close(fd);
    free(bytes);
}

#endif
