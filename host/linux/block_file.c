/* SPDX-License-Identifier: MIT */
/* block_file.c - bytes between pieces and a file, whole; see block_priv.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/uio.h>

#include "host/linux/block_priv.h"

int file_error(int err)
{
    return err == ENOSPC || err == EDQUOT || err == EFBIG ? BACKEND_NO_SPACE : BACKEND_IO;
}

/* What is left of the pieces after `done` bytes, as the kernel wants it. Returns how many. */
static unsigned remaining(const struct block_piece *piece, unsigned pieces, uint64_t done,
                          struct iovec *out)
{
    unsigned count = 0;

    for (unsigned n = 0; n < pieces; n++) {
        uint64_t skip = done < piece[n].len ? done : piece[n].len;

        done -= skip;
        if (skip < piece[n].len)
            out[count++] = (struct iovec){piece[n].bytes + skip, piece[n].len - skip};
    }
    return count;
}

int64_t file_move(int fd, bool write, const struct block_piece *piece, unsigned pieces, uint64_t at)
{
    struct iovec v[BLOCK_PIECES];
    uint64_t done = 0;
    unsigned count;

    while ((count = remaining(piece, pieces, done, v))) {
        off_t where = (off_t)(at + done);
        ssize_t n = write ? pwritev(fd, v, (int)count, where) : preadv(fd, v, (int)count, where);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        done += (uint64_t)n;
    }
    return (int64_t)done;
}
