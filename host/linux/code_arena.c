/* SPDX-License-Identifier: MIT */
/* code_arena.c - see code_arena.h. No page is ever writable and executable through the same
 * mapping. */
#define _GNU_SOURCE
#include "host/linux/code_arena.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u /* Linux 6.3; forbids execve(), not PROT_EXEC */
#endif

static int arena_fd(size_t size)
{
    int fd = memfd_create("ring1-code", MFD_CLOEXEC);

    if (fd < 0 && errno == EACCES) /* vm.memfd_noexec = 2 */
        fd = memfd_create("ring1-code", MFD_CLOEXEC | MFD_NOEXEC_SEAL);
    if (fd >= 0 && ftruncate(fd, (off_t)size) < 0) {
        int err = errno;
        close(fd);
        errno = err;
        return -1;
    }
    return fd;
}

int code_arena_create(struct host_code_arena *a, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    *a = (struct host_code_arena){0};
    size = (size + page - 1) & ~(page - 1);
    int fd = arena_fd(size);
    if (fd < 0)
        return -errno;
    void *rw = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    void *rx =
        rw == MAP_FAILED ? MAP_FAILED : mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
    int err = errno;
    close(fd);
    if (rx == MAP_FAILED) {
        if (rw != MAP_FAILED)
            munmap(rw, size);
        return -err;
    }
    a->rw = rw;
    a->rx = rx;
    a->size = size;
    return 0;
}

void code_arena_destroy(struct host_code_arena *a)
{
    if (a->size) {
        munmap(a->rw, a->size);
        munmap((void *)(uintptr_t)a->rx, a->size);
    }
    *a = (struct host_code_arena){0};
}
