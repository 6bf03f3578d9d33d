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

#define ARENA_SPACE (1ull << 30) /* below each vCPU */

static size_t round_up(size_t size, size_t to)
{
    return (size + to - 1) & ~(to - 1);
}

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

/* `at`: where it shall be executable, in address space of our own; NULL: anywhere. */
static int create(struct host_code_arena *a, size_t size, void *at)
{
    *a = (struct host_code_arena){0};
    size = round_up(size, (size_t)sysconf(_SC_PAGESIZE));
    int fd = arena_fd(size);
    if (fd < 0)
        return -errno;
    void *rw = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    void *rx = rw == MAP_FAILED ? MAP_FAILED
                                : mmap(at, size, PROT_READ | PROT_EXEC,
                                       MAP_SHARED | (at ? MAP_FIXED : 0), fd, 0);
    int err = errno;
    close(fd);
    if (rx == MAP_FAILED) {
        if (rw != MAP_FAILED)
            munmap(rw, size);
        if (at) /* nobody else may have got it meanwhile, and there may be another try */
            mmap(at, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
                 0);
        return -err;
    }
    a->rw = rw;
    a->rx = rx;
    a->size = size;
    return 0;
}

int code_arena_create(struct host_code_arena *a, size_t size)
{
    return create(a, size, NULL);
}

int code_arena_create_near(struct host_code_arena *a, size_t size, void *vcpu)
{
    if (size > ARENA_SPACE)
        return -EINVAL;
    return create(a, size, (uint8_t *)vcpu - ARENA_SPACE);
}

void code_arena_destroy(struct host_code_arena *a)
{
    if (a->size) {
        munmap(a->rw, a->size);
        munmap((void *)(uintptr_t)a->rx, a->size);
    }
    *a = (struct host_code_arena){0};
}

/* ---- the return stack ---- */

#define GUARD_BELOW  4096u
#define RETURN_STACK (64u << 10)
#define GUARD_ABOVE  (1ull << 32)
#define BIG_PAGE     (2u << 20) /* of the host, which saves it TLB misses; only a wish */

void *vcpu_memory_create(size_t size)
{
    size_t own = round_up(size, GUARD_BELOW), tail = GUARD_BELOW + RETURN_STACK + GUARD_ABOVE;
    uint8_t *p = mmap(NULL, BIG_PAGE + ARENA_SPACE + own + tail, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (p == MAP_FAILED)
        return NULL;
    size_t head = round_up((uintptr_t)p, BIG_PAGE) - (uintptr_t)p;
    if (head)
        munmap(p, head);
    p += head + ARENA_SPACE;
    munmap(p + own + tail, BIG_PAGE - head);
    if (mprotect(p, own, PROT_READ | PROT_WRITE)) {
        munmap(p - ARENA_SPACE, ARENA_SPACE + own + tail);
        return NULL;
    }
    madvise(p, own, MADV_HUGEPAGE);
    return p;
}

int return_stack_create(struct vcpu_host *h, void *vcpu, size_t size)
{
    uint8_t *p = (uint8_t *)vcpu + round_up(size, GUARD_BELOW);

    h->return_limit = (uintptr_t)(p + GUARD_BELOW);
    h->return_top = h->return_limit + RETURN_STACK;
    if (mprotect(p + GUARD_BELOW, RETURN_STACK, PROT_READ | PROT_WRITE) == 0)
        return 0;
    int err = errno;
    return_stack_destroy(h);
    return -err;
}

void return_stack_destroy(struct vcpu_host *h)
{
    if (h->return_limit)
        munmap((void *)(uintptr_t)(h->return_limit - GUARD_BELOW),
               GUARD_BELOW + RETURN_STACK + GUARD_ABOVE);
    h->return_limit = h->return_top = 0;
}
