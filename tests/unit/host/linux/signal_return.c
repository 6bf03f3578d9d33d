/* SPDX-License-Identifier: MIT */
/*
 * signal_return.c - debug traps with each si_code in the process's own signal handlers, at every
 * instruction on their way back to what they interrupted, and there.
 *
 * How        A child runs the guest of inject_guest.h over and over, under the handlers of
 *            host/linux/signals.c. We trace it (ptrace(2)): follow a handler by single steps up to
 *            where we want to be, and let the SIGTRAP of that step through, as the CPU's own, with
 *            the si_code that we choose; and so with the traps of the child's own steps. The guest
 *            must come to the same end each time, and the child must live.
 */
#include "tests/rig/inject_guest.h"

#include <errno.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>

#include "host/linux/machine.h"
#include "host/linux/signals.h"

static const int codes[] = {TRAP_TRACE, TRAP_BRKPT, TRAP_HWBKPT, TRAP_BRANCH, TRAP_UNK, SI_KERNEL};

/* Between the child and us. */
static struct shared {
    struct machine m;
    volatile bool stop;
    volatile unsigned runs, wrong;
    volatile uint64_t steps;
} * shared;

/* ---- the child ---- */

/* BREAK_SIGNAL now and then. By the CPU's time: on a busy machine, the signals of a faster clock
 * would leave no time for anything else. */
static void interrupted(void)
{
    struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = BREAK_SIGNAL};
    const struct itimerspec each = {{0, 1000000}, {0, 1000000}};
    timer_t timer;

    if (timer_create(CLOCK_PROCESS_CPUTIME_ID, &e, &timer) || timer_settime(timer, 0, &each, NULL))
        _exit(4);
}

static _Noreturn void child(void)
{
    struct machine *m = &shared->m;
    struct error e;

    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    m->host.trace_fd = -1;
    m->vcpu = t.translated->cpu;
    clock_init(&m->host.clock);
    if (signals_install(m, &e))
        _exit(3);
    raise(SIGSTOP);
    interrupted();
    while (!shared->stop) {
        reset(t.translated);
        bool ended = run(t.translated);
        shared->wrong += !ended || !same();
        shared->runs++;
        shared->steps = m->vcpu->stats.break_steps;
    }
    _exit(0);
}

/* ---- the tracer ---- */

static struct {
    pid_t pid;
    struct user_regs_struct regs; /* at the last stop */
    int sig;                      /* and its signal */
    unsigned code;                /* of codes[], the next */
} c;

static void stopped(void)
{
    int status;

    cr_assert_eq(waitpid(c.pid, &status, 0), c.pid);
    cr_assert(WIFSTOPPED(status), "the child ended with status 0x%x", status);
    c.sig = WSTOPSIG(status);
    cr_assert_eq(ptrace(PTRACE_GETREGS, c.pid, NULL, &c.regs), 0);
}

static void step(int sig)
{
    ptrace(PTRACE_SINGLESTEP, c.pid, NULL, (void *)(long)sig);
    stopped();
}

/* Lets it run on, with the signal at which it stopped. A debug trap gets the next si_code. */
static void go_on(void)
{
    siginfo_t info;

    if (c.sig == SIGTRAP) {
        cr_assert_eq(ptrace(PTRACE_GETSIGINFO, c.pid, NULL, &info), 0);
        info.si_code = codes[c.code++ % ARRAY_LEN(codes)];
        ptrace(PTRACE_SETSIGINFO, c.pid, NULL, &info);
    }
    ptrace(PTRACE_CONT, c.pid, NULL, (void *)(long)c.sig);
}

/* Until `sig` is about to be delivered. */
static void run_until(int sig)
{
    do {
        go_on();
        stopped();
        shared->m.host.clock.asked = 1; /* it is time, should it be BREAK_SIGNAL */
    } while (c.sig != sig);
}

/* mov $SYS_rt_sigreturn, %rax: where a handler returns to. */
static bool at_return(void)
{
    static const uint8_t code[] = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0};
    long word;

    errno = 0;
    word = ptrace(PTRACE_PEEKTEXT, c.pid, (void *)c.regs.rip, NULL);
    return !errno && !memcmp(&word, code, sizeof code);
}

#define LONGEST 20000u /* instructions of a handler */

static uint64_t trace[LONGEST];

/* Follows the handler of the signal that is about to be delivered to its return. Returns the number
 * of its instructions. */
static unsigned follow(void)
{
    unsigned n = 0;

    for (step(c.sig); !at_return(); step(0)) {
        cr_assert(n < LONGEST);
        trace[n++] = c.regs.rip;
    }
    return n;
}

static void expect_right(int sig, const char *where, unsigned n)
{
    cr_assert(!shared->wrong, "signal %d, %s %u: another end in %u of %u runs", sig, where, n,
              shared->wrong, shared->runs);
}

#define FIRST 40u

/* At the handler's n-th instruction. */
static void at_start(int sig, unsigned n)
{
    run_until(sig);
    step(sig);
    while (n--)
        step(0);
}

#define SYSCALL 0x050f

/* The system call by which a handler returns. The flags that it loads are the child's own: a TF
 * among them would go with our step, as Linux takes it for ours unless it is set anew
 * (user_disable_single_step()). */
static void step_return(void)
{
    const ucontext_t *frame = (const ucontext_t *)(uintptr_t)c.regs.rsp;
    const greg_t *reg = &frame->uc_mcontext.gregs[REG_EFL];
    unsigned long flags = (unsigned long)ptrace(PTRACE_PEEKDATA, c.pid, (void *)reg, NULL);

    step(0);
    if (!(flags & EFL_TF))
        return;
    c.regs.eflags |= EFL_TF;
    cr_assert_eq(ptrace(PTRACE_SETREGS, c.pid, NULL, &c.regs), 0);
}

/* One instruction behind the handler's last. The timer's signal waits: it would be delivered in
 * place of the trap of the step before, which may be the child's. */
static void step_behind(void)
{
    long code = ptrace(PTRACE_PEEKTEXT, c.pid, (void *)c.regs.rip, NULL);

    if ((code & 0xffff) == SYSCALL)
        step_return();
    else
        step(0);
    while (c.sig == BREAK_SIGNAL)
        step(0);
}

/* At the handler's last instructions, and at the first behind its return. */
#define BEFORE 6u
#define BEHIND 4u

static void at_end(int sig, unsigned n)
{
    static uint64_t last[BEFORE];

    run_until(sig);
    if (n == 0) {
        unsigned length = follow();
        cr_assert(length > BEFORE);
        memcpy(last, trace + length - BEFORE, sizeof last);
        return;
    }
    for (step(sig); !at_return() && (n > BEFORE || c.regs.rip != last[BEFORE - n]);)
        step(0);
    for (unsigned k = BEFORE; k < n; k++)
        step_behind();
}

static void begin(void)
{
    bt_rig_signals();
    t.interpreted = bt_rig_zeroed(sizeof *t.interpreted);
    t.translated = bt_rig_zeroed(sizeof *t.translated);
    bt_rig_create(t.interpreted, RAM, false);
    bt_rig_create(t.translated, RAM, true);
    load(t.interpreted);
    load(t.translated);
    reset(t.interpreted);
    run(t.interpreted);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    c.pid = fork();
    if (c.pid == 0)
        child();
    stopped();
    cr_assert_eq(c.sig, SIGSTOP);
    ptrace(PTRACE_SETOPTIONS, c.pid, NULL, (void *)PTRACE_O_EXITKILL);
    c.sig = 0;
}

static void end(void)
{
    int status;

    shared->stop = true;
    go_on();
    while (waitpid(c.pid, &status, 0) == c.pid && WIFSTOPPED(status)) {
        c.sig = WSTOPSIG(status);
        go_on();
    }
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status 0x%x", status);
    cr_expect(!shared->wrong && shared->runs > 10 && shared->steps > 100,
              "%u of %u runs, %llu steps", shared->wrong, shared->runs,
              (unsigned long long)shared->steps);
}

Test(signal_return, debug_traps)
{
    static const int signals[] = {BREAK_SIGNAL, SIGFPE, SIGTRAP};

    rounds = 50;
    begin();
    for (unsigned s = 0; s < ARRAY_LEN(signals); s++)
        for (unsigned n = 0; n < FIRST; n++) {
            at_start(signals[s], n);
            expect_right(signals[s], "instruction", n);
        }
    for (unsigned s = 0; s < ARRAY_LEN(signals); s++)
        for (unsigned k = 0; k < ARRAY_LEN(codes); k++)
            for (unsigned n = 0; n <= BEFORE + BEHIND; n++) {
                at_end(signals[s], n);
                c.code = k; /* for this one */
                expect_right(signals[s], "from the end", n);
            }
    end();
}
