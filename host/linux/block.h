/* SPDX-License-Identifier: MIT */
/*
 * block.h - the media behind the board's drives: what devices/backend.h calls a struct blockdev,
 * over a file, a slice of one, a temporary copy, or a program that knows other image formats.
 *
 * Promises   The vCPU's thread never waits: each drive has a thread of its own that owns the files,
 *            does the requests in order, and posts their completions. A FLUSH ends when all that
 *            was written before is on the disk (fdatasync). What the host cannot do is an error of
 *            that request, and a sentence once; the machine goes on.
 * Locks      An image that can be written is in use once; one that is only read, as often as one
 *            likes. QEMU's locks: it and its tools respect them, and ours are theirs
 *            (block_lock.c).
 * Confined   A slice's requests are checked against the slice. The threads are under a filter of
 *            their own (sandbox.def), and files are opened before.
 * Format     What the user says, else what the image looks like (block_format.c); a guest cannot
 *            make its image look like another one's format when nobody said that it is raw.
 * Threads    block_submit() and block_info(): the vCPU's, FPU-SAFE. Everything else: the one that
 *            created the drive.
 */
#ifndef RING1_HOST_LINUX_BLOCK_H
#define RING1_HOST_LINUX_BLOCK_H

#include <pthread.h>
#include <semaphore.h>

#include "devices/backend.h"
#include "host/linux/config.h"
#include "host/linux/error.h"

#define CD_SECTOR 2048u

/* A raw image or a slice of one. */
struct block_raw {
    int fd;        /* through the host's page cache; -1: none */
    int direct_fd; /* past it, for requests that are aligned; -1: never */
    uint32_t memory_align, file_align;
    uint64_t offset, bytes; /* what of the file is the medium; it may end within a sector */
    bool sync_writes, no_flush, discard;
    int lost; /* errno of a flush that failed: all later ones fail too, bytes may be missing */
    bool guard_format; /* refuse a first sector that looks like a header */
};

/* Where a snapshot's writes go: clusters of a file that has no name. */
struct block_overlay {
    int fd;         /* -1: none */
    unsigned shift; /* log2 of a cluster's bytes */
    uint8_t *has;   /* a bit for each cluster: it is in fd */
    size_t has_size;
    uint8_t *bounce; /* one cluster */
};

struct nbd_handle;
/* Another program serves the image. */
struct block_nbd {
    struct nbd_handle *handle; /* NULL: none */
    int process;               /* a descriptor of the server's process; -1: none */
    bool can_flush, can_discard, sync_writes;
    uint8_t *bounce;
};

struct block_drive {
    const struct drive_spec *spec;
    struct blockdev_info info;
    struct block_raw raw;
    struct block_overlay overlay;
    struct block_nbd nbd;
    /* The vCPU's thread puts requests here, the last one first; the drive's takes all. */
    struct block_request *todo;
    struct completion_queue *queue;
    int sleeping; /* 1: the drive's thread waits on this word */
    bool quit;
    bool running; /* there is a thread */
    pthread_t thread;
    sem_t started;
    struct error *start_error;
    enum sandbox_mode sandbox;
    int failed_errno; /* the first error of the host's, for block_complain(); any thread */
    bool complained;
};

/* Opens what *spec names (kept by reference). `mode` is for the drive's thread, and for a server.
 * Returns 0, or -1 with *e; call block_close() in both cases. */
int block_open(struct block_drive *d, const struct drive_spec *spec, enum sandbox_mode mode,
               struct error *e);
/* Begins to do requests; without it none ever ends. Returns 0, or -1 with *e. */
int block_start(struct block_drive *d, struct error *e);
/* Ends the thread after the requests that it has, brings all to the disk, closes and unlocks. */
void block_close(struct block_drive *d);
/* For the board, valid until block_close(). */
struct blockdev block_backend(struct block_drive *d);
/* Says, once, that the host failed. */
void block_complain(struct block_drive *d);

#endif
