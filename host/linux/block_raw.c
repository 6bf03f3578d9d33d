/* SPDX-License-Identifier: MIT */
/* block_raw.c - a raw image, or a slice of one, in a file or block device; see block_priv.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/linux/block_priv.h"

#define ALIGN_DEFAULT 4096u

static int open_file(const struct drive_spec *s, bool writes, int flags)
{
    return open(s->path, flags | (writes ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

/* The bytes that there are in it. */
static int file_bytes(int fd, const struct drive_spec *s, uint64_t *bytes, bool *regular,
                      struct error *e)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return error_set(e, "cannot look at the image '%s': %s", s->path, strerror(errno));
    *regular = S_ISREG(st.st_mode);
    *bytes = (uint64_t)st.st_size;
    if (S_ISDIR(st.st_mode))
        return error_set(e, "the image '%s' is a directory; name a file", s->path);
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
        return error_set(e, "the image '%s' is neither a file nor a disk", s->path);
    if (S_ISBLK(st.st_mode) && ioctl(fd, BLKGETSIZE64, bytes) < 0)
        return error_set(e, "cannot ask for the size of the disk '%s': %s", s->path,
                         strerror(errno));
    return 0;
}

/* Which part of the file is the medium. */
static int cut_slice(struct block_raw *w, const struct drive_spec *s, uint64_t bytes,
                     struct error *e)
{
    uint64_t whole = (bytes + BLOCK_SECTOR - 1) & ~(uint64_t)(BLOCK_SECTOR - 1);

    if ((s->offset | s->size) & (BLOCK_SECTOR - 1))
        return error_set(e, "the drive of '%s': offset and size are multiples of %u", s->path,
                         BLOCK_SECTOR);
    if (s->offset >= whole || s->size > whole - s->offset)
        return error_set(e,
                         bytes ? "the image '%s' has %llu bytes; the part that offset and size "
                                 "name does not lie in it"
                               : "the image '%s' is empty",
                         s->path, (unsigned long long)bytes);
    w->offset = s->offset;
    w->bytes = bytes - s->offset;
    if (s->size && s->size < w->bytes)
        w->bytes = s->size;
    return 0;
}

/* Opens the file once more, for cache=none and its kin. */
static void open_direct(struct block_raw *w, const struct drive_spec *s, bool writes)
{
    struct statx x;

    w->direct_fd = open_file(s, writes, O_DIRECT);
    if (w->direct_fd < 0) {
        say("the image '%s' cannot be used past the host's cache (%s); it is used through it",
            s->path, strerror(errno));
        return;
    }
    w->memory_align = w->file_align = ALIGN_DEFAULT;
#ifdef STATX_DIOALIGN
    if (statx(w->direct_fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &x) == 0 &&
        (x.stx_mask & STATX_DIOALIGN) && x.stx_dio_mem_align) {
        w->memory_align = x.stx_dio_mem_align;
        w->file_align = x.stx_dio_offset_align;
    }
#else
    (void)x;
#endif
}

int raw_open(struct block_drive *d, struct error *e)
{
    const struct drive_spec *s = d->spec;
    struct block_raw *w = &d->raw;
    bool writes = !d->info.read_only && !s->snapshot, regular = false;
    uint64_t bytes;

    w->fd = open_file(s, writes, 0);
    if (w->fd < 0 && writes && (errno == EACCES || errno == EROFS || errno == EPERM))
        return error_set(e,
                         "cannot write to the image '%s': %s; readonly=on or snapshot=on only "
                         "reads it",
                         s->path, strerror(errno));
    if (w->fd < 0 && errno == EISDIR)
        return error_set(e, "the image '%s' is a directory; name a file", s->path);
    if (w->fd < 0)
        return error_set(e, "cannot open the image '%s': %s", s->path, strerror(errno));
    if (file_bytes(w->fd, s, &bytes, &regular, e) || block_lock(w->fd, writes, s->path, e) ||
        cut_slice(w, s, bytes, e))
        return -1;
    if (s->cache == CACHE_NONE || s->cache == CACHE_DIRECTSYNC)
        open_direct(w, s, writes);
    w->sync_writes = s->cache == CACHE_WRITETHROUGH || s->cache == CACHE_DIRECTSYNC;
    w->no_flush = s->cache == CACHE_UNSAFE;
    d->info.size = (w->bytes + BLOCK_SECTOR - 1) & ~(uint64_t)(BLOCK_SECTOR - 1);
    w->discard = d->info.can_discard = s->discard && writes && regular;
    return 0;
}

void raw_close(struct block_raw *w)
{
    if (w->direct_fd >= 0)
        close(w->direct_fd);
    if (w->fd >= 0)
        close(w->fd);
    w->fd = w->direct_fd = -1;
}

/* Past the host's cache, if the request lets us. */
static int descriptor_for(const struct block_raw *w, const struct block_piece *piece,
                          unsigned pieces, uint64_t at)
{
    if (w->direct_fd < 0 || at % w->file_align)
        return w->fd;
    for (unsigned n = 0; n < pieces; n++)
        if ((uintptr_t)piece[n].bytes % w->memory_align || piece[n].len % w->file_align)
            return w->fd;
    return w->direct_fd;
}

/* Zeroes in all that lies `from` bytes behind the first piece's beginning. */
static void clear_from(const struct block_piece *piece, unsigned pieces, uint64_t from)
{
    for (unsigned n = 0; n < pieces; n++) {
        uint64_t skip = from < piece[n].len ? from : piece[n].len;

        memset(piece[n].bytes + skip, 0, piece[n].len - skip);
        from -= skip;
    }
}

static int read_pieces(struct block_raw *w, const struct block_piece *piece, unsigned pieces,
                       uint64_t len, uint64_t at)
{
    int64_t n = file_move(descriptor_for(w, piece, pieces, w->offset + at), false, piece, pieces,
                          w->offset + at);

    if (n < 0) {
        errno = (int)-n;
        return file_error(errno);
    }
    if ((uint64_t)n == len)
        return 0;
    /* The file ends: where it did when it was opened, within the medium's last sector, or
     * before. */
    if (at + (uint64_t)n < w->bytes) {
        errno = ENODATA;
        return BACKEND_IO;
    }
    clear_from(piece, pieces, (uint64_t)n);
    return 0;
}

int raw_read(struct block_raw *w, uint8_t *to, size_t len, uint64_t at)
{
    struct block_piece p = {to, (uint32_t)len};

    return read_pieces(w, &p, 1, len, at);
}

/* The kernel tells of a write that failed later only once, and forgets the bytes. */
static int sync_file(struct block_raw *w)
{
    if (!w->lost && fdatasync(w->fd) == 0)
        return 0;
    if (!w->lost)
        w->lost = errno;
    errno = w->lost;
    return file_error(errno);
}

/* Nobody said that the image is raw, and next time it would not be taken for raw. */
static bool changes_format(const struct block_raw *w, const struct block_request *r)
{
    uint8_t start[FORMAT_PROBE];
    size_t have = 0;

    if (!w->guard_format || w->offset || r->offset)
        return false;
    for (unsigned n = 0; n < r->pieces && have < sizeof start; n++) {
        size_t len = r->piece[n].len < sizeof start - have ? r->piece[n].len : sizeof start - have;

        memcpy(start + have, r->piece[n].bytes, len);
        have += len;
    }
    return have == sizeof start && strcmp(format_probe(start, sizeof start), "raw") != 0;
}

static int write_request(struct block_raw *w, const struct block_request *r)
{
    uint64_t at = w->offset + r->offset;

    if (changes_format(w, r)) {
        errno = EPERM;
        return BACKEND_IO;
    }
    int64_t n =
        file_move(descriptor_for(w, r->piece, r->pieces, at), true, r->piece, r->pieces, at);
    if (n < 0) {
        errno = (int)-n;
        return file_error(errno);
    }
    if ((uint64_t)n < r->len) {
        errno = ENOSPC;
        return BACKEND_NO_SPACE;
    }
    return w->sync_writes ? sync_file(w) : 0;
}

static int discard(const struct block_raw *w, const struct block_request *r)
{
    off_t at = (off_t)(w->offset + r->offset);

    /* Only a wish: what cannot be done keeps its bytes. */
    if (w->discard && r->len &&
        fallocate(w->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, (off_t)r->len))
        return errno == EIO ? BACKEND_IO : 0;
    return 0;
}

int raw_request(struct block_raw *w, const struct block_request *r)
{
    switch (r->op) {
    case BLOCK_READ:
        return read_pieces(w, r->piece, r->pieces, r->len, r->offset);
    case BLOCK_WRITE:
        return write_request(w, r);
    case BLOCK_FLUSH:
        return w->no_flush ? 0 : sync_file(w);
    case BLOCK_DISCARD:
        return discard(w, r);
    }
    return BACKEND_RANGE;
}
