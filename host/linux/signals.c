/* SPDX-License-Identifier: MIT */
/* signals.c - see signals.h. Handlers run on their own stack, with the FPU state of a fresh process
 * (the kernel saved the guest's), and call async-signal-safe functions only; dump_registers()
 * formats integers without allocating. */
#define _GNU_SOURCE
#include "host/linux/signals.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <ucontext.h>
#include <unistd.h>

#include "host/linux/dump.h"
#include "host/linux/fpu_call.h"
#include "host/linux/machine.h"
#include "host/linux/terminal.h"

#define ALT_STACK (64u << 10)

static struct {
    struct machine *m;
    int fd;
    volatile sig_atomic_t quit, crashing;
} state = {.fd = -1};

int signals_fd(void)
{
    return state.fd;
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

static void on_quit(int sig)
{
    int keep = errno;
    uint64_t one = 1;

    if (state.quit) { /* the loop did not listen the first time */
        terminal_restore();
        _exit(128 + sig);
    }
    state.quit = sig;
    if (write(state.fd, &one, sizeof one) < 0)
        state.quit = sig; /* cannot happen: an eventfd takes 2^64 - 2 */
    errno = keep;
}

static void on_stop(int sig)
{
    int keep = errno;

    (void)sig;
    terminal_restore();
    kill(getpid(), SIGSTOP);
    errno = keep; /* on_continue() makes the terminal raw again */
}

static void on_continue(int sig)
{
    int keep = errno;

    (void)sig;
    terminal_resume();
    errno = keep;
}

/* UD2 of vmm_panic() (include/ring1/types.h): rdi file, rsi line, rdx text. */
static int panic_text(char *out, size_t cap, const ucontext_t *uc)
{
    const greg_t *r = uc->uc_mcontext.gregs;

    return snprintf(out, cap, "internal error at %.200s:%d: %.300s", (const char *)r[REG_RDI],
                    (int)r[REG_RSI], (const char *)r[REG_RDX]);
}

static bool is_panic(int sig, const siginfo_t *info, const ucontext_t *uc)
{
    const uint8_t *rip = (const uint8_t *)uc->uc_mcontext.gregs[REG_RIP];

    if (sig != SIGILL || info->si_code <= 0 || rip[0] != 0x0f || rip[1] != 0x0b)
        return false;
    /* The compiler's own traps are UD2 too: only believe pointers into our image's data and a sane
     * line. */
    extern const char __executable_start[], _end[];
    uintptr_t file = (uintptr_t)uc->uc_mcontext.gregs[REG_RDI],
              text = (uintptr_t)uc->uc_mcontext.gregs[REG_RDX];
    uintptr_t lo = (uintptr_t)__executable_start, hi = (uintptr_t)_end;
    return file >= lo && file < hi && text >= lo && text < hi && uc->uc_mcontext.gregs[REG_RSI] > 0;
}

static void on_crash(int sig, siginfo_t *info, void *context)
{
    const ucontext_t *uc = context;
    char text[4096], what[600];
    int n;

    if ((sig == SIGFPE || sig == SIGILL) && host_fpu_signal(info, context))
        return;
    if (state.crashing)
        _exit(1);
    state.crashing = 1;
    if (state.m)
        machine_last_words(state.m);
    terminal_restore();
    if (is_panic(sig, info, uc))
        panic_text(what, sizeof what, uc);
    else if (sig == SIGBUS && info->si_code == BUS_ADRERR)
        snprintf(what, sizeof what,
                 "a file that the guest was started from became shorter, or the host ran out "
                 "of memory (SIGBUS at %p)",
                 info->si_addr);
    else if (info->si_code <= 0)
        snprintf(what, sizeof what, "signal %d (%s) came from process %d", sig, sigabbrev_np(sig),
                 (int)info->si_pid);
    else
        snprintf(what, sizeof what,
                 "internal error: signal %d (%s) at host address 0x%llx, accessing %p", sig,
                 sigabbrev_np(sig), (unsigned long long)uc->uc_mcontext.gregs[REG_RIP],
                 info->si_addr);
    n = snprintf(text, sizeof text,
                 "\r\nring1: %s; please report it with the guest's registers:\r\n", what);
    put(text, (size_t)n);
    if (state.m && state.m->vcpu) {
        size_t len = dump_registers(state.m->vcpu, text, sizeof text);
        put(text, len);
    }
    _exit(1);
}

static void set_handler(int sig, void (*plain)(int), void (*full)(int, siginfo_t *, void *))
{
    struct sigaction sa = {.sa_flags = SA_ONSTACK | (full ? SA_SIGINFO : 0)};

    if (full)
        sa.sa_sigaction = full;
    else
        sa.sa_handler = plain;
    sigemptyset(&sa.sa_mask);
    sigaction(sig, &sa, NULL);
}

static void catch_unless_ignored(int sig, void (*handler)(int))
{
    struct sigaction old;

    /* nohup and background jobs of simple shells ignore some; that was meant. */
    if (sigaction(sig, NULL, &old) == 0 && old.sa_handler == SIG_IGN)
        return;
    set_handler(sig, handler, NULL);
}

int signals_install(struct machine *m, struct error *e)
{
    static uint8_t stack[ALT_STACK] __attribute__((aligned(64)));
    stack_t alt = {.ss_sp = stack, .ss_size = sizeof stack};
    static const int crashes[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};

    state.m = m;
    if (state.fd < 0)
        state.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (state.fd < 0 || sigaltstack(&alt, NULL) < 0)
        return error_set(e, "cannot prepare for signals: %s", strerror(errno));
    for (unsigned i = 0; i < ARRAY_LEN(crashes); i++)
        set_handler(crashes[i], NULL, on_crash);
    catch_unless_ignored(SIGINT, on_quit);
    catch_unless_ignored(SIGQUIT, on_quit);
    catch_unless_ignored(SIGHUP, on_quit);
    catch_unless_ignored(SIGTERM, on_quit);
    catch_unless_ignored(SIGTSTP, on_stop);
    set_handler(SIGCONT, on_continue, NULL);
    signal(SIGPIPE, SIG_IGN);
    return 0;
}
