/* SPDX-License-Identifier: MIT */
/* guest_ram.c - see guest_ram.h. */
#define _GNU_SOURCE
#include "host/linux/guest_ram.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE            4096u
#define WORTH_RETURNING (16 * PAGE)
#define HUGE_WORTH      (4u << 20)

int guest_ram_create(struct guest_ram *r, uint64_t size, struct error *e)
{
    *r = (struct guest_ram){.fd = -1, .size = size};
    r->fd = memfd_create("ring1-guest-ram", MFD_CLOEXEC);
    if (r->fd < 0 || ftruncate(r->fd, (off_t)size) < 0)
        goto fail;
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, r->fd, 0);
    if (p == MAP_FAILED)
        goto fail;
    r->base = p;
    return 0;
fail:
    error_set(e, "the host gives no %llu MiB for guest RAM (%s); ask for less with -m",
              (unsigned long long)(size >> 20), refusal(errno));
    if (r->fd >= 0)
        close(r->fd);
    r->fd = -1;
    return -1;
}

void guest_ram_destroy(struct guest_ram *r)
{
    if (r->base)
        munmap(r->base, r->size);
    for (unsigned n = 0; n < r->more_count; n++)
        munmap(r->more[n].base, r->more[n].size);
    if (r->fd >= 0)
        close(r->fd);
    *r = (struct guest_ram){.fd = -1};
}

uint8_t *guest_ram_add(struct guest_ram *r, uint64_t size, uint64_t *at)
{
    *at = r->size;
    for (unsigned n = 0; n < r->more_count; n++)
        *at += r->more[n].size;
    errno = ENOMEM;
    if (r->more_count == GUEST_RAM_MORE || ftruncate(r->fd, (off_t)(*at + size)) < 0)
        return NULL;
    void *p =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, r->fd, (off_t)*at);
    if (p == MAP_FAILED)
        return NULL;
    r->more[r->more_count].base = p;
    r->more[r->more_count++].size = size;
    return p;
}

void *zeroed_alloc(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);

    if (p == MAP_FAILED)
        return NULL;
    /* The decode cache is walked all over: big pages save host TLB misses. Only a wish. */
    if (size >= HUGE_WORTH)
        madvise(p, size, MADV_HUGEPAGE);
    return p;
}

void memory_clear(uint8_t *p, uint64_t len)
{
    if (len >= WORTH_RETURNING) {
        uint64_t head = -(uintptr_t)p & (PAGE - 1);
        uint64_t body = (len - head) & ~(uint64_t)(PAGE - 1);
        /* MADV_REMOVE punches a hole into the memfd; it fails on other memory, which is then
         * written. */
        if (madvise(p + head, body, MADV_REMOVE) == 0) {
            memset(p, 0, head);
            memset(p + head + body, 0, len - head - body);
            return;
        }
    }
    memset(p, 0, len);
}
