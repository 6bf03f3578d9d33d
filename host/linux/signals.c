/* SPDX-License-Identifier: MIT */
/* signals.c - see signals.h. Handlers run on their own stack (translated code has none: rsp is its
 * return stack), with the FPU state of a fresh process (the kernel saved the guest's) and DF clear,
 * and call async-signal-safe functions only. */
#define _GNU_SOURCE
#include "host/linux/signals.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "host/linux/crash.h"
#include "host/linux/fpu_call.h"
#include "host/linux/machine.h"
#include "host/linux/terminal.h"
#include "host/linux/trap_context.h"

#define ALT_STACK (64u << 10)

static struct {
    struct machine *m;
    int fd;
    volatile sig_atomic_t quit, crashing, listening;
    sigset_t wait_mask;
} state = {.fd = -1};

int signals_fd(void)
{
    return state.fd;
}

const sigset_t *signals_wait_mask(void)
{
    return &state.wait_mask;
}

int signals_pending(void)
{
    return state.quit;
}

static void put(const char *text, size_t len)
{
    if (write(STDERR_FILENO, text, len) < 0)
        return;
}

/* Ends now, from a handler: the terminal and the file system are to be as they were found. */
static _Noreturn void leave(int status)
{
    terminal_restore();
    if (state.m)
        machine_abandon(state.m);
    _exit(status);
}

/* Makes a running guest come back to the loop soon. */
static void break_in(uint32_t why, void *context)
{
    struct vcpu *v = state.m ? state.m->vcpu : NULL;

    if (!v)
        return;
    vcpu_attend(v, why);
    host_trap_break_in(v, context);
}

static void on_timer(int sig, siginfo_t *info, void *context)
{
    (void)sig, (void)info;
    if (state.m && break_timer_fired(&state.m->host.clock))
        break_in(ATT_TIME | ATT_KICK, context);
}

/* Something has ended beside the guest (waker.h). */
static void on_wake(int sig, siginfo_t *info, void *context)
{
    (void)sig, (void)info;
    break_in(ATT_TIME, context);
}

static void on_quit(int sig, siginfo_t *info, void *context)
{
    (void)info;
    int keep = errno;
    uint64_t one = 1;

    if (state.quit || !state.listening) /* the loop did not listen the first time, or not yet */
        leave(128 + sig);
    state.quit = sig;
    if (write(state.fd, &one, sizeof one) < 0)
        state.quit = sig; /* cannot happen: an eventfd takes 2^64 - 2 */
    break_in(ATT_KICK, context);
    errno = keep;
}

static void on_stop(int sig, siginfo_t *info, void *context)
{
    int keep = errno;

    (void)sig, (void)info, (void)context;
    terminal_restore();
    kill(getpid(), SIGSTOP);
    errno = keep; /* on_continue() makes the terminal raw again */
}

static void on_continue(int sig, siginfo_t *info, void *context)
{
    int keep = errno;

    (void)sig, (void)info;
    terminal_resume();
    break_in(ATT_TIME | ATT_KICK, context); /* much time may have passed */
    errno = keep;
}

/* ---- traps and crashes ---- */

/* May the signal be a trap of translated code, which is its way of asking for help, or one that is
 * not to end us? */
static bool may_be_translated(int sig)
{
    return sig == SIGSEGV || sig == SIGBUS || sig == SIGFPE || sig == SIGILL || sig == SIGTRAP;
}

static void on_trap(int sig, siginfo_t *info, void *context)
{
    struct vcpu *v = state.m ? state.m->vcpu : NULL;

    if (may_be_translated(sig) && host_trap_signal(v, sig, info, context))
        return;
    if ((sig == SIGFPE || sig == SIGILL) && host_fpu_signal(info, context))
        return;
    if (state.crashing) { /* the report itself crashed: what is out is out */
        static const char text[] = "(the report ends here: reading on crashed)\r\n";
        put(text, sizeof text - 1);
        leave(1);
    }
    state.crashing = 1;
    if (state.m)
        machine_last_words(state.m);
    terminal_restore();
    crash_report(state.m, sig, info, context);
    leave(1);
}

typedef void handler_fn(int, siginfo_t *, void *);

static const int traps[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT, SIGSYS};

/* Signals that break in wait for the end of any handler: the innermost would look at a handler
 * instead of at what that returns to. */
static void set_handler(int sig, handler_fn *handler, int flags)
{
    struct sigaction sa = {.sa_sigaction = handler,
                           .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART | flags};

    sigfillset(&sa.sa_mask);
    for (unsigned i = 0; i < ARRAY_LEN(traps); i++)
        sigdelset(&sa.sa_mask, traps[i]);
    sigaction(sig, &sa, NULL);
}

static void catch_unless_ignored(int sig, handler_fn *handler)
{
    struct sigaction old;

    /* nohup and background jobs of simple shells ignore some; that was meant. */
    if (sigaction(sig, NULL, &old) == 0 && old.sa_handler == SIG_IGN)
        return;
    set_handler(sig, handler, 0);
}

/* The C library keeps the first real-time signals for its threads, of which none uses them here,
 * and its sigaction() refuses them. */
static void catch_below_rtmin(void)
{
    struct {
        handler_fn *handler;
        unsigned long flags;
        void *restorer;
        uint64_t mask;
    } kernel;

    if (syscall(SYS_rt_sigaction, SIGCONT, NULL, &kernel, sizeof kernel.mask))
        return;
    kernel.handler = on_quit;
    for (int sig = __SIGRTMIN; sig < SIGRTMIN; sig++)
        syscall(SYS_rt_sigaction, sig, &kernel, NULL, sizeof kernel.mask);
}

/* Every signal that would end the process unseen, which would leave the terminal raw. */
static void catch_the_ends(void)
{
    static const int ends[] = {SIGINT,    SIGQUIT, SIGHUP,    SIGTERM, SIGUSR1, SIGUSR2,
                               SIGSTKFLT, SIGXCPU, SIGVTALRM, SIGPROF, SIGIO,   SIGPWR};

    for (unsigned i = 0; i < ARRAY_LEN(ends); i++)
        catch_unless_ignored(ends[i], on_quit);
    for (int sig = SIGRTMIN; sig <= SIGRTMAX; sig++)
        catch_unless_ignored(sig, on_quit);
}

void signals_ignore_lost_output(void)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

void signals_listen(void)
{
    state.listening = 1;
}

int signals_install(struct machine *m, struct error *e)
{
    static uint8_t stack[ALT_STACK] __attribute__((aligned(64)));
    stack_t alt = {.ss_sp = stack, .ss_size = sizeof stack};
    sigset_t ours;

    state.m = m;
    state.listening = 0;
    if (state.fd < 0)
        state.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (state.fd < 0 || sigaltstack(&alt, NULL) < 0)
        return error_set(e, "cannot prepare for signals: %s", strerror(errno));
    sigemptyset(&ours);
    for (unsigned i = 0; i < ARRAY_LEN(traps); i++) {
        /* A trap inside a trap's handler is to be reported, not to end the process unseen; and a
         * debug trap there is to be forgotten (trap_context.c). */
        set_handler(traps[i], on_trap, SA_NODEFER);
        sigaddset(&ours, traps[i]);
    }
    set_handler(BREAK_SIGNAL, on_timer, 0);
    sigaddset(&ours, BREAK_SIGNAL);
    set_handler(WAKE_SIGNAL, on_wake, 0);
    sigaddset(&ours, WAKE_SIGNAL);
    /* Blocked in whoever started us, they would be blocked here. */
    sigprocmask(SIG_UNBLOCK, &ours, NULL);
    sigprocmask(SIG_SETMASK, NULL, &state.wait_mask);
    sigaddset(&state.wait_mask, BREAK_SIGNAL);
    catch_the_ends();
    catch_unless_ignored(SIGTSTP, on_stop);
    set_handler(SIGCONT, on_continue, 0);
    catch_below_rtmin();
    signals_ignore_lost_output();
    return 0;
}
