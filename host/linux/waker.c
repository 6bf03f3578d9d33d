/* SPDX-License-Identifier: MIT */
/* waker.c - see waker.h. Compile with -mgeneral-regs-only: waker_wake() is FPU-SAFE. */
#define _GNU_SOURCE
#include "host/linux/waker.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "host/linux/system_call.h"

#ifdef __SSE__
#error "compile waker.c with -mgeneral-regs-only: guest FPU registers may be live in it"
#endif

int waker_create(struct waker *w, struct error *e)
{
    *w = (struct waker){
        .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .process = getpid(), .thread = gettid()};
    if (w->fd < 0)
        return error_set(e, "cannot make a descriptor to wait on: %s", refusal(errno));
    return 0;
}

void waker_destroy(struct waker *w)
{
    if (w->fd >= 0)
        close(w->fd);
    w->fd = -1;
}

void waker_wake(void *waker)
{
    struct waker *w = waker;
    uint64_t one = 1;

    /* After what the caller wrote, as waker_sleeps() is before what its caller reads. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (__atomic_load_n(&w->sleeping, __ATOMIC_SEQ_CST))
        system_call3(SYS_write, (uint64_t)w->fd, (uint64_t)(uintptr_t)&one, sizeof one);
    else
        system_call3(SYS_tgkill, (uint64_t)w->process, (uint64_t)w->thread, WAKE_SIGNAL);
}

void waker_sleeps(struct waker *w)
{
    __atomic_store_n(&w->sleeping, 1, __ATOMIC_SEQ_CST);
}

void waker_is_awake(struct waker *w, bool readable)
{
    uint64_t count;

    __atomic_store_n(&w->sleeping, 0, __ATOMIC_SEQ_CST);
    if (readable && read(w->fd, &count, sizeof count) < 0)
        return; /* somebody else's wake-up call was in time: nothing to take back */
}
