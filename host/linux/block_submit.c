/* SPDX-License-Identifier: MIT */
/* block_submit.c - requests on their way from the vCPU's thread to the drive's; see block.h.
 * Compile with -mgeneral-regs-only: guest FPU registers may be live in it. */
#include <linux/futex.h>

#include "host/linux/block_priv.h"
#include "host/linux/system_call.h"

#ifdef __SSE__
#error "compile block_submit.c with -mgeneral-regs-only: guest FPU registers may be live in it"
#endif

void block_info(void *drive, struct blockdev_info *out)
{
    *out = ((const struct block_drive *)drive)->info;
}

void block_rouse(struct block_drive *d)
{
    if (__atomic_exchange_n(&d->sleeping, 0, __ATOMIC_SEQ_CST))
        system_call3(SYS_futex, (uint64_t)(uintptr_t)&d->sleeping, FUTEX_WAKE_PRIVATE, 1);
}

void block_submit(void *drive, struct completion_queue *q, struct block_request *r)
{
    struct block_drive *d = drive;
    struct block_request *last = __atomic_load_n(&d->todo, __ATOMIC_RELAXED);

    d->queue = q; /* the same each time: seen with the request */
    do
        r->link = last;
    while (!__atomic_compare_exchange_n(&d->todo, &last, r, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_RELAXED));
    block_rouse(d);
}

static struct block_request *take(struct block_drive *d)
{
    struct block_request *r = __atomic_exchange_n(&d->todo, NULL, __ATOMIC_SEQ_CST), *list = NULL;

    while (r) {
        struct block_request *next = r->link;

        r->link = list;
        list = r;
        r = next;
    }
    return list;
}

struct block_request *block_take(struct block_drive *d)
{
    for (;;) {
        struct block_request *r = take(d);

        if (r)
            return r;
        if (__atomic_load_n(&d->quit, __ATOMIC_SEQ_CST))
            return NULL;
        __atomic_store_n(&d->sleeping, 1, __ATOMIC_SEQ_CST);
        /* Whoever submitted before saw no sleeper. */
        if (!__atomic_load_n(&d->todo, __ATOMIC_SEQ_CST) &&
            !__atomic_load_n(&d->quit, __ATOMIC_SEQ_CST)) {
            register long r10 __asm__("r10") = 0; /* no time limit */
            long ret = SYS_futex;

            __asm__ volatile("syscall"
                             : "+a"(ret)
                             : "D"(&d->sleeping), "S"(FUTEX_WAIT_PRIVATE), "d"(1L), "r"(r10)
                             : "rcx", "r11", "memory");
        }
        __atomic_store_n(&d->sleeping, 0, __ATOMIC_SEQ_CST);
    }
}
