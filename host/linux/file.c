/* SPDX-License-Identifier: MIT */
/* file.c - see file.h. */
#define _GNU_SOURCE
#include "host/linux/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE_LIMIT   (1ull << 32)
#define STREAM_LIMIT (1ull << 29) /* of what cannot be mapped and costs memory */
#define READ_STEP    (1u << 20)

/* A pipe or a device: its length shows only at its end. */
static int read_all(struct file *f, int fd, const char *what, struct error *e)
{
    uint8_t *buf = NULL;
    size_t size = 0, room = 0;

    for (;;) {
        if (size == room) {
            uint8_t *more = size < STREAM_LIMIT ? realloc(buf, room + READ_STEP + room / 2) : NULL;
            if (!more) {
                free(buf);
                return error_set(e, "the %s '%s' does not end or is too big to read", what,
                                 f->path);
            }
            buf = more;
            room += READ_STEP + room / 2;
        }
        ssize_t n = read(fd, buf + size, room - size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            free(buf);
            return error_set(e, "cannot read the %s '%s': %s", what, f->path, strerror(errno));
        }
        if (n == 0)
            break;
        size += (size_t)n;
    }
    f->data = buf;
    f->size = size;
    f->mapped = false;
    return 0;
}

int file_open(struct file *f, const char *what, const char *path, struct error *e)
{
    struct stat st;
    int err = -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    *f = (struct file){.path = path};
    if (fd < 0 || fstat(fd, &st) < 0) {
        err = error_set(e, "cannot open the %s '%s': %s", what, path, strerror(errno));
    } else if (S_ISDIR(st.st_mode)) {
        err = error_set(e, "the %s '%s' is a directory; name a file", what, path);
    } else if (S_ISREG(st.st_mode) && st.st_size > 0) {
        f->size = (size_t)st.st_size;
        void *p = MAP_FAILED;
        if (f->size <= SIZE_LIMIT)
            p = mmap(NULL, f->size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED) {
            err = error_set(e, "the %s '%s' is too big to read", what, path);
        } else {
            f->data = p;
            f->mapped = true;
            err = 0;
        }
    } else {
        err = read_all(f, fd, what, e);
    }
    if (fd >= 0)
        close(fd);
    if (err)
        *f = (struct file){.path = path};
    return err;
}

void file_close(struct file *f)
{
    if (f->mapped)
        munmap((void *)(uintptr_t)f->data, f->size);
    else
        free((void *)(uintptr_t)f->data);
    *f = (struct file){.path = f->path};
}
