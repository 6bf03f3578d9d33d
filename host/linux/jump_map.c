/* SPDX-License-Identifier: MIT */
/* jump_map.c - see jump_map.h. Compile with -mgeneral-regs-only. */
#define _GNU_SOURCE
#include "host/linux/jump_map.h"

#include <errno.h>

#include "host/linux/system_call.h"

#ifdef __SSE__
#error "compile jump_map.c with -mgeneral-regs-only: guest FPU registers are live in it"
#endif

#define BYTES  (sizeof(int32_t) << 32) /* of one map */
#define FEWEST 2u                      /* one for CPL 0-2, one for CPL 3 */
#define FLAGS  (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)

static int jump_map_open(void *opaque, uint64_t at, uint64_t bytes)
{
    (void)opaque;
    return (int)system_call3(SYS_mprotect, at, bytes, PROT_READ | PROT_WRITE);
}

/* One entry in use must not take a big page. */
static void small_pages(uint64_t map)
{
    system_call3(SYS_madvise, map, BYTES, MADV_NOHUGEPAGE);
}

static void jump_map_drop(void *opaque, uint64_t at, uint64_t bytes)
{
    (void)opaque;
    if (system_call3(SYS_madvise, at, bytes, MADV_DONTNEED)) /* locked memory, perhaps */
        for (uint64_t n = 0; n < bytes; n += sizeof(uint64_t))
            *(volatile uint64_t *)(uintptr_t)(at + n) = 0;
}

static void jump_map_clear(void *opaque, uint64_t map)
{
    (void)opaque;
    if (map_fixed(map, BYTES, PROT_READ, FLAGS, -1, 0) == 0)
        small_pages(map);
    else /* it stays as writable as it is */
        system_call3(SYS_madvise, map, BYTES, MADV_DONTNEED);
}

/* Enters the first `count` at p; the others are the first. */
static void enter(struct vcpu_host *h, uint64_t p, unsigned count)
{
    for (unsigned n = 0; n < HOST_JUMP_MAPS; n++)
        h->jump_map[n] = n < count ? p + n * BYTES : p;
}

bool jump_maps_all(const struct vcpu_host *h)
{
    return h->jump_map[FEWEST] != h->jump_map[0];
}

void jump_maps_lessen(struct vcpu_host *h)
{
    if (!jump_maps_all(h))
        return;
    munmap((void *)(uintptr_t)h->jump_map[FEWEST], (HOST_JUMP_MAPS - FEWEST) * BYTES);
    enter(h, h->jump_map[0], FEWEST);
}

int jump_maps_create(struct vcpu_host *h)
{
    unsigned count = HOST_JUMP_MAPS;
    void *p = mmap(NULL, count * BYTES, PROT_READ, FLAGS, -1, 0);

    if (p == MAP_FAILED) {
        count = FEWEST;
        p = mmap(NULL, count * BYTES, PROT_READ, FLAGS, -1, 0);
    }
    if (p == MAP_FAILED)
        return -errno;
    enter(h, (uintptr_t)p, count);
    for (unsigned n = 0; n < count; n++)
        small_pages(h->jump_map[n]);
    h->jump_map_open = jump_map_open;
    h->jump_map_drop = jump_map_drop;
    h->jump_map_clear = jump_map_clear;
    return 0;
}

void jump_maps_destroy(struct vcpu_host *h)
{
    if (h->jump_map[0])
        munmap((void *)(uintptr_t)h->jump_map[0],
               (jump_maps_all(h) ? HOST_JUMP_MAPS : FEWEST) * BYTES);
    for (unsigned n = 0; n < HOST_JUMP_MAPS; n++)
        h->jump_map[n] = 0;
}
