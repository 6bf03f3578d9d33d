/* SPDX-License-Identifier: MIT */
/* loop.c - see loop.h. A halted CPU sleeps in ppoll() until its next timer, input or a signal. */
#define _GNU_SOURCE
#include "host/linux/loop.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "host/linux/dump.h"
#include "host/linux/machine.h"
#include "host/linux/sandbox.h"
#include "host/linux/signals.h"
#include "host/linux/terminal.h"
#include "monitor/cpu/fpu.h"
#include "monitor/run/ending.h"
#include "monitor/run/lockstep.h"

#define SLICE_NS 1000000ull
#define FULL_POLL_NS                                                                               \
    10000000ull /* how often a paused guest looks whether the reader caught up, at least */

struct loop {
    struct machine *m;
    bool ended;
    int status;
    struct ending ending;
};

/* For what is between this process and its user; the guest's time (vm_now()) is another one under
 * -exec lockstep. */
static ns_t host_now(struct machine *m)
{
    return clock_now(&m->host.clock);
}

static void end(struct loop *l, int status)
{
    l->ended = true;
    l->status = status;
}

/* vcpu_run() may come back with the guest's FPU registers live: nothing else may happen before they
 * are parked. */
static __attribute__((noinline)) unsigned run_guest(struct vcpu *v)
{
    unsigned reason = vcpu_run(v, SLICE_NS);

    fpu_park(v);
    return reason;
}

/* Requests that ended beside the guest wait for pc_run_until(). */
static bool some_request_ended(const struct machine *m)
{
    return __atomic_load_n(&pc_completions(m->pc)->posted, __ATOMIC_SEQ_CST) != NULL;
}

/* ppoll() that a request's end, too, cuts short. */
static int wait_for(struct machine *m, struct pollfd *p, unsigned n, const struct timespec *t)
{
    static const struct timespec none = {0, 0};

    waker_sleeps(&m->waker);
    if (some_request_ended(m))
        t = &none;
    int ready = ppoll(p, n, t, signals_wait_mask());
    waker_is_awake(&m->waker, ready > 0 && (p[1].revents & POLLIN));
    if (some_request_ended(m))
        vcpu_attend(m->vcpu, ATT_TIME);
    return ready;
}

/* Looks at all files, waiting up to wait_ns (NS_NEVER: as long as it takes) for something to
 * happen. What concerns the guest stays in the consoles until the next vcpu_run() asks for it
 * (events.c). */
static void serve_files(struct loop *l, ns_t wait_ns)
{
    struct machine *m = l->m;
    struct pollfd p[2 + CONSOLES * CONSOLE_FDS];
    struct timespec t = {(time_t)(wait_ns / NS_PER_SEC), (long)(wait_ns % NS_PER_SEC)};
    unsigned n = 2;

    pc_flush(m->pc); /* what the UARTs collected goes into the rings */
    p[0] = (struct pollfd){.fd = signals_fd(), .events = POLLIN};
    p[1] = (struct pollfd){.fd = m->waker.fd, .events = POLLIN};
    for (unsigned i = 0; i < CONSOLES; i++)
        n = console_poll(&m->console[i], p, n);
    if (wait_for(m, p, n, wait_ns == NS_NEVER ? NULL : &t) < 0) {
        for (unsigned i = 0; i < n; i++)
            p[i].revents = 0; /* interrupted: a signal's handler ran */
    }
    for (unsigned i = 0; i < CONSOLES; i++) {
        console_serve(&m->console[i], p, host_now(m));
        if (m->console[i].asked & ASKED_QUIT)
            end(l, 0);
    }
    if (signals_pending() == SIGXCPU)
        say("the limit of this process's CPU time is met (ulimit -t)");
    if (signals_pending())
        end(l, 128 + signals_pending());
}

static bool some_console_full(struct machine *m)
{
    ns_t now = host_now(m);

    for (unsigned i = 0; i < CONSOLES; i++)
        if (console_is_full(&m->console[i], now))
            return true;
    return false;
}

/* Called after each stretch of guest time: writes output, and lets the guest wait while a reader is
 * far behind. */
static void serve(struct loop *l, ns_t wait_ns)
{
    serve_files(l, wait_ns);
    while (!l->ended && some_console_full(l->m))
        serve_files(l, FULL_POLL_NS);
}

static ns_t until_deadline(const struct machine *m)
{
    ns_t deadline = m->vm.next_deadline, now = vm_now(&m->vm);

    if (deadline == NS_NEVER)
        return NS_NEVER;
    return deadline > now ? deadline - now : 0;
}

/* The CPU is halted. */
static void sleep_until_deadline(struct loop *l)
{
    ns_t wait = until_deadline(l->m);

    if (l->m->lockstep && completion_pending(pc_completions(l->m->pc))) {
        serve(l, NS_NEVER); /* its time does not jump over what the host has yet to do */
        return;
    }
    if (l->m->lockstep && lockstep_wait(l->m->lockstep)) {
        serve(l, 0); /* its time has jumped there */
        return;
    }
    /* To the end of the slice that follows the sleep, so that the timer is not set then again. */
    if (wait && wait != NS_NEVER)
        break_timer_put_off(&l->m->host.clock, l->m->vm.next_deadline + SLICE_NS);
    serve(l, wait);
}

static void stay_off(struct loop *l)
{
    say("the guest turned the machine off; -no-shutdown keeps ring1 here until Ctrl-A X or a "
        "signal");
    while (!l->ended)
        serve(l, NS_NEVER);
}

static void restart(struct loop *l)
{
    struct error e;

    if (machine_reset(l->m, &e)) {
        say("%s", e.text);
        end(l, 1);
    }
}

static void dump(const struct vcpu *v)
{
    char regs[4096];

    dump_registers(v, regs, sizeof regs);
    bool raw = isatty(STDERR_FILENO);
    for (const char *p = regs; *p; p++)
        if (raw || *p != '\r')
            fputc(*p, stderr);
}

/* What the monitor decides when a life of the guest is over, or stands still (ending.h). */
static void end_of_life(struct loop *l, unsigned reason)
{
    const struct vcpu *v = l->m->vcpu;
    struct ending_verdict d;

    ending_after(&l->ending, v, reason, host_now(l->m), &d);
    if (d.report[0])
        say("%s", d.report);
    if (d.first)
        say("the guest halted with interrupts off and will not run again; Ctrl-A X or a signal "
            "ends ring1");
    if (d.lack[0])
        say("%s", d.lack);
    if (d.show_registers)
        dump(v);
    switch (d.step) {
    case ENDING_NONE:
        serve(l, 0);
        break;
    case ENDING_WAIT:
        serve(l, NS_NEVER);
        break;
    case ENDING_STAY:
        stay_off(l);
        break;
    case ENDING_RESTART:
        restart(l);
        break;
    case ENDING_QUIT:
        end(l, d.status);
        break;
    }
}

/* Lockstep at the end of a life of the guest: its copy must have come to the same end. */
static unsigned compared_at_end(struct machine *m, unsigned reason)
{
    bool differs = ending_is_end(reason) && m->lockstep && !lockstep_end(m->lockstep);

    return differs ? EXIT_DIVERGED : reason;
}

static void handle_exit(struct loop *l, unsigned reason)
{
    if (reason == EXIT_HALT)
        sleep_until_deadline(l);
    else if (reason == EXIT_SLICE)
        serve(l, 0);
    else
        end_of_life(l, reason);
}

/* Says what the host refused, once. The place where it happens cannot: the guest's FPU state is in
 * the registers there. */
static void say_refusals(struct machine *m)
{
    struct host_windows *w = &m->host.window;

    if (!w->refused || w->refused_said)
        return;
    w->refused_said = true;
    say("the host refuses to map guest memory (%s); the guest goes on with fewer mappings or "
        "without, and slower",
        refusal(w->refused));
}

static void say_failures(struct machine *m)
{
    for (unsigned i = 0; i < IDE_DRIVES; i++)
        if (m->drive[i])
            block_complain(m->drive[i]);
}

static void take_terminal(const struct machine *m)
{
    for (unsigned i = 0; i < CONSOLES; i++)
        if (console_is_stdio(&m->console[i]))
            terminal_raw(!m->console[i].mux);
}

static int enter_sandbox(const struct machine *m, struct error *e)
{
    struct sandbox_spec s = {.ram_fd = m->ram.fd};

    for (unsigned i = 0; i < CONSOLES; i++) {
        const struct console *c = &m->console[i];
        if (c->kind != CONSOLE_UNIX || c->listen_fd < 0)
            continue;
        s.listener[s.listener_count].fd = c->listen_fd;
        s.listener[s.listener_count++].path = c->path;
    }
    return sandbox_enter(m->cfg->sandbox, &s, e);
}

int loop_run(struct machine *m)
{
    struct loop l = {
        .m = m,
        .ending.rules = {.no_reboot = m->cfg->no_reboot, .no_shutdown = m->cfg->no_shutdown}};
    struct error e;

    prctl(PR_SET_TIMERSLACK, 1000ul); /* guest timers are worth more than 50 us */
    signals_listen();
    if (enter_sandbox(m, &e)) {
        say("%s", e.text);
        return 1;
    }
    take_terminal(m);
    ns_t served = host_now(m);
    while (!l.ended) {
        unsigned reason = compared_at_end(m, run_guest(m->vcpu));
        m->exits[reason]++;
        vm_host_serve_trace(&m->host);
        say_refusals(m);
        say_failures(m);
        /* A guest that resets or wakes all the time must not keep Ctrl-A X from being seen. */
        ns_t now = host_now(m);
        if (reason != EXIT_SLICE && reason != EXIT_HALT && now - served >= SLICE_NS) {
            serve(&l, 0);
            served = now;
        }
        if (l.ended)
            break;
        handle_exit(&l, reason);
    }
    pc_flush(m->pc);
    for (unsigned i = 0; i < CONSOLES; i++)
        console_serve(&m->console[i], NULL, host_now(m));
    return l.status;
}
