/* SPDX-License-Identifier: MIT */
/*
 * block_overlay.c - snapshot=on: an image that is only read, and beside it a file without a name
 * that holds what the guest wrote, by clusters; see block_priv.h. The file is as large as the image
 * at most, and has no more of it on the disk than was written; the map of clusters has at most
 * MAP_BYTES.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/linux/block_priv.h"

#define SHIFT_MIN 12u
#define MAP_BYTES (4ull << 20)

/* Gone when it is closed, however the process ends. */
static int unnamed_file(const char *folder)
{
    char name[4096];
    int fd = open(folder, O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC, 0600);

    if (fd >= 0)
        return fd;
    snprintf(name, sizeof name, "%s/ring1-XXXXXX", folder); /* file systems without O_TMPFILE */
    fd = mkostemp(name, O_CLOEXEC);
    if (fd >= 0)
        unlink(name);
    return fd;
}

int overlay_open(struct block_drive *d, struct error *e)
{
    struct block_overlay *o = &d->overlay;
    const char *folder = getenv("TMPDIR");

    if (!folder || !*folder)
        folder = "/var/tmp";
    o->fd = unnamed_file(folder);
    if (o->fd < 0)
        return error_set(e,
                         "cannot make a temporary file for the drive of '%s' in '%s': %s; TMPDIR "
                         "names another place",
                         d->spec->path, folder, strerror(errno));
    o->shift = SHIFT_MIN;
    while (d->info.size >> o->shift > MAP_BYTES * 8)
        o->shift++;
    o->has_size = (size_t)(d->info.size >> o->shift) / 8 + 1;
    o->has = calloc(1, o->has_size);
    o->bounce = malloc((size_t)1 << o->shift);
    if (!o->has || !o->bounce)
        return error_set(e, "the host has no memory for the temporary changes of '%s'",
                         d->spec->path);
    d->info.read_only = false;
    d->info.can_discard = false;
    return 0;
}

void overlay_close(struct block_overlay *o)
{
    if (o->fd >= 0)
        close(o->fd);
    free(o->has);
    free(o->bounce);
    *o = (struct block_overlay){.fd = -1};
}

static bool has(const struct block_overlay *o, uint64_t cluster)
{
    return o->has[cluster / 8] >> (cluster % 8) & 1;
}

/* All of it, or an error. */
static int move(struct block_overlay *o, bool write, uint8_t *bytes, size_t len, uint64_t at)
{
    struct block_piece p = {bytes, (uint32_t)len};
    int64_t n = file_move(o->fd, write, &p, 1, at);

    if (n >= 0 && (uint64_t)n == len)
        return 0;
    errno = n < 0 ? (int)-n : EIO;
    return file_error(errno);
}

/* The rest of a cluster that is written in part comes from the image. It counts only when all of
 * it is there. */
static int write_cluster(struct block_drive *d, uint8_t *bytes, size_t len, uint64_t at)
{
    struct block_overlay *o = &d->overlay;
    uint64_t cluster = at >> o->shift, begin = cluster << o->shift, size = 1ull << o->shift;
    int err = 0;

    if (has(o, cluster))
        return move(o, true, bytes, len, at);
    if (size > d->info.size - begin)
        size = d->info.size - begin;
    if (len < size) {
        err = raw_read(&d->raw, o->bounce, size, begin);
        memcpy(o->bounce + (at - begin), bytes, len);
        bytes = o->bounce;
    }
    if (!err)
        err = move(o, true, bytes, size, begin);
    if (!err)
        o->has[cluster / 8] |= (uint8_t)(1u << (cluster % 8));
    return err;
}

/* Within one cluster. */
static int move_part(struct block_drive *d, bool write, uint8_t *bytes, size_t len, uint64_t at)
{
    if (write)
        return write_cluster(d, bytes, len, at);
    if (has(&d->overlay, at >> d->overlay.shift))
        return move(&d->overlay, false, bytes, len, at);
    return raw_read(&d->raw, bytes, len, at);
}

int overlay_request(struct block_drive *d, const struct block_request *r)
{
    uint64_t at = r->offset, size = 1ull << d->overlay.shift;
    int err = 0;

    if (r->op != BLOCK_READ && r->op != BLOCK_WRITE)
        return 0; /* what is thrown away at the end need not be on the disk */
    for (unsigned n = 0; n < r->pieces; n++) {
        for (uint32_t done = 0; done < r->piece[n].len && !err;) {
            uint64_t room = size - (at & (size - 1)), left = r->piece[n].len - done;
            size_t len = (size_t)(left < room ? left : room);

            err = move_part(d, r->op == BLOCK_WRITE, r->piece[n].bytes + done, len, at);
            done += (uint32_t)len;
            at += len;
        }
    }
    return err;
}
