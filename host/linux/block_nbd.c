/* SPDX-License-Identifier: MIT */
/*
 * block_nbd.c - image formats other than raw: qemu-nbd serves the image to us alone, over a socket
 * that nobody else can find; see block_priv.h. It ends when the socket closes, and when we end,
 * however.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>

#include "host/linux/block_priv.h"

#ifndef HAVE_LIBNBD

int nbd_open(struct block_drive *d, const char *format, struct error *e)
{
    return error_set(e,
                     "the image '%s' has the format %s, and this ring1 was built without libnbd; "
                     "install libnbd-dev and "
                     "qemu-utils and build it again, or convert the image: qemu-img convert -O raw",
                     d->spec->path, format);
}

void nbd_leave(struct block_nbd *n)
{
    (void)n;
}

void nbd_finish(struct block_nbd *n)
{
    (void)n;
}

int nbd_request(struct block_nbd *n, const struct block_request *r)
{
    (void)n, (void)r;
    return BACKEND_NO_MEDIUM;
}

#else

#include <libnbd.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "host/linux/block_server.h"

#define END_PATIENCE_MS 10000 /* how long the server may take to close its image */
#define REQUEST_MAX     (16u << 20)
#define BOUNCE          (256u << 10)

static int refused(struct block_drive *d, struct error *e)
{
    return error_set(e, "cannot use the image '%s' through qemu-nbd: %s", d->spec->path,
                     nbd_get_error());
}

int nbd_open(struct block_drive *d, const char *format, struct error *e)
{
    const struct drive_spec *s = d->spec;
    struct block_nbd *n = &d->nbd;
    int fd =
        block_server_start(s, format, d->info.read_only, d->sandbox != SANDBOX_OFF, &n->process, e);

    if (fd < 0)
        return -1;
    n->handle = nbd_create();
    if (!n->handle || nbd_connect_socket(n->handle, fd) < 0)
        return refused(d, e);
    int64_t size = nbd_get_size(n->handle);
    if (size < 0)
        return refused(d, e);
    d->info.size = (uint64_t)size & ~(uint64_t)(BLOCK_SECTOR - 1);
    d->info.read_only |= nbd_is_read_only(n->handle) > 0;
    n->can_flush = nbd_can_flush(n->handle) > 0;
    n->bounce = malloc(BOUNCE);
    if (!n->bounce)
        return error_set(e, "the host has no memory for the drive of '%s'", s->path);
    n->can_discard = s->discard && nbd_can_trim(n->handle) > 0;
    n->sync_writes = s->cache == CACHE_WRITETHROUGH || s->cache == CACHE_DIRECTSYNC;
    d->info.can_discard = n->can_discard;
    return 0;
}

void nbd_leave(struct block_nbd *n)
{
    if (n->handle)
        nbd_shutdown(n->handle, 0);
}

void nbd_finish(struct block_nbd *n)
{
    struct pollfd p = {.fd = n->process, .events = POLLIN};

    if (n->handle)
        nbd_close(n->handle);
    if (n->process >= 0) {
        poll(&p, 1, END_PATIENCE_MS); /* so that its lock is free when we are gone */
        close(n->process);
    }
    free(n->bounce);
    *n = (struct block_nbd){.process = -1};
}

static int move(struct block_nbd *n, bool write, uint8_t *bytes, uint64_t len, uint64_t at)
{
    for (uint64_t done = 0; done < len;) {
        size_t part = len - done < REQUEST_MAX ? len - done : REQUEST_MAX;
        int err = write ? nbd_pwrite(n->handle, bytes + done, part, at + done, 0)
                        : nbd_pread(n->handle, bytes + done, part, at + done, 0);

        if (err < 0)
            return -1;
        done += part;
    }
    return 0;
}

/* Between the bounce buffer and what follows `done` bytes of the pieces. */
static void copy(struct block_nbd *n, const struct block_request *r, uint64_t done, size_t len)
{
    uint8_t *at = n->bounce;

    for (unsigned i = 0; i < r->pieces && len; i++) {
        const struct block_piece *p = &r->piece[i];
        size_t skip = done < p->len ? (size_t)done : p->len;
        size_t part = p->len - skip < len ? p->len - skip : len;

        if (r->op == BLOCK_WRITE)
            memcpy(at, p->bytes + skip, part);
        else
            memcpy(p->bytes + skip, at, part);
        done -= skip;
        at += part;
        len -= part;
    }
}

/* Pieces are of any length, and the server likes whole sectors, and few requests. */
static int move_all(struct block_nbd *n, const struct block_request *r)
{
    bool write = r->op == BLOCK_WRITE;
    int err = 0;

    if (r->pieces == 1)
        err = move(n, write, r->piece[0].bytes, r->len, r->offset);
    for (uint64_t done = 0; r->pieces > 1 && done < r->len && !err;) {
        size_t len = r->len - done < BOUNCE ? r->len - done : BOUNCE;

        if (write)
            copy(n, r, done, len);
        err = move(n, write, n->bounce, len, r->offset + done);
        if (!write && !err)
            copy(n, r, done, len);
        done += len;
    }
    return !err && write && n->sync_writes && n->can_flush ? nbd_flush(n->handle, 0) : err;
}

static int discard(struct block_nbd *n, const struct block_request *r)
{
    for (uint64_t done = 0; n->can_discard && done < r->len;) {
        uint64_t len = r->len - done < REQUEST_MAX ? r->len - done : REQUEST_MAX;

        if (nbd_trim(n->handle, len, r->offset + done, 0) < 0)
            return -1;
        done += len;
    }
    return 0;
}

int nbd_request(struct block_nbd *n, const struct block_request *r)
{
    int err = -1;

    switch (r->op) {
    case BLOCK_READ:
    case BLOCK_WRITE:
        err = move_all(n, r);
        break;
    case BLOCK_FLUSH:
        err = n->can_flush ? nbd_flush(n->handle, 0) : 0;
        break;
    case BLOCK_DISCARD:
        err = discard(n, r);
        break;
    }
    if (!err)
        return 0;
    errno = nbd_get_errno() ? nbd_get_errno() : EIO;
    return file_error(errno);
}

#endif
