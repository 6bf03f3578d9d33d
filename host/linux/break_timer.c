/* SPDX-License-Identifier: MIT */
/*
 * break_timer.c - the timer that interrupts translated code; see fpu_safe.h. Compile with
 * -mgeneral-regs-only.
 *
 * A guest moves its deadlines all the time, mostly to later ones, and a system call each time would
 * cost more than the guest's own work. So the kernel's timer is only ever moved forward: when it
 * goes off too early, its handler sets it again for what is asked for by then. Only before a sleep
 * it is moved back, to beyond the sleep: it would wake the process for nothing.
 *
 * The handler interrupts break_timer_arm() anywhere. `asked` is therefore written before `armed` is
 * looked at: a handler that runs in between sees the new wish and sets the timer itself, and one
 * that runs later finds `armed` as the system call left it or is about to.
 */
#include "host/linux/fpu_safe.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#ifdef __SSE__
#error "compile break_timer.c with -mgeneral-regs-only: guest FPU registers are live in it"
#endif

_Static_assert(BREAK_SIGNAL == SIGALRM, "fpu_safe.h includes no <signal.h>");

/* Without the libc's wrappers, which could be bound lazily. */
static long system_call(long number, long a, long b, long c, long d)
{
    register long r10 __asm__("r10") = d;
    long ret = number;

    __asm__ volatile("syscall"
                     : "+a"(ret)
                     : "D"(a), "S"(b), "d"(c), "r"(r10)
                     : "rcx", "r11", "memory");
    return ret;
}

static void set(struct host_clock *c, ns_t at)
{
    uint64_t when = c->start_ns + at;
    struct itimerspec t = {
        .it_value = {(time_t)(when / NS_PER_SEC), (long)(when % NS_PER_SEC)},
    };

    if (at > UINT64_MAX - c->start_ns) /* beyond all time */
        return;
    c->armed = at;
    system_call(SYS_timer_settime, c->timer, TIMER_ABSTIME, (long)&t, 0);
}

int break_timer_create(struct host_clock *c)
{
    struct sigevent e;
    int id;

    memset(&e, 0, sizeof e);
    e.sigev_notify = SIGEV_SIGNAL;
    e.sigev_signo = BREAK_SIGNAL;
    long ret = system_call(SYS_timer_create, CLOCK_MONOTONIC, (long)&e, (long)&id, 0);
    if (ret < 0)
        return (int)ret;
    c->timer = id;
    return 0;
}

void break_timer_destroy(struct host_clock *c)
{
    if (c->timer >= 0)
        system_call(SYS_timer_delete, c->timer, 0, 0, 0);
    c->timer = -1;
    c->armed = c->asked = NS_NEVER;
}

void break_timer_arm(void *clock, ns_t at)
{
    struct host_clock *c = clock;

    c->asked = at;
    if (at < c->armed)
        set(c, at);
}

void break_timer_put_off(struct host_clock *c, ns_t at)
{
    c->asked = NS_NEVER;
    if (c->armed < at)
        set(c, at);
}

bool break_timer_fired(struct host_clock *c)
{
    ns_t asked = c->asked;

    c->armed = NS_NEVER;
    if (asked == NS_NEVER)
        return false;
    if (asked > clock_now(c)) {
        set(c, asked);
        return false;
    }
    c->asked = NS_NEVER;
    return true;
}
