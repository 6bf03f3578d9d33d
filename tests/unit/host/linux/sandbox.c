/* SPDX-License-Identifier: MIT */
/* sandbox.c - a process under the filter of host/linux/sandbox.c really cannot do what it must not,
 * and still can do what it needs. Each try is a process of its own. */
/* uses: host/linux/sandbox.c */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "host/linux/guest_ram.h"
#include "host/linux/sandbox.h"

/* Prepared before the filter is there. */
static struct {
    int ram, other, null, pair[2], listener;
    char *page;
    char path[64];
    pid_t parent;
} world;

#define OF_RAM     MAP_SHARED, world.ram
#define OF_NOTHING MAP_PRIVATE | MAP_ANONYMOUS, -1

static long try_map(int prot, int flags, int fd)
{
    return mmap(NULL, 4096, prot, flags, fd, 0) == MAP_FAILED ? -1 : 0;
}

static long try_int80(void)
{
    long ret = 20; /* getpid() of the 32-bit interface */

    __asm__ volatile("int $0x80" : "+a"(ret) : : "r8", "r9", "r10", "r11", "memory");
    return ret;
}

static long try_ppoll(void)
{
    struct pollfd p = {.fd = world.pair[0], .events = POLLIN};
    struct timespec t = {0, 1000};

    return ppoll(&p, 1, &t, NULL);
}

static long try_stop(void)
{
    return kill(getpid(), SIGCONT);
}

static long try_abort_mask(void)
{
    sigset_t s;

    sigemptyset(&s);
    return sigprocmask(SIG_UNBLOCK, &s, NULL);
}

static char *const no_words[] = {NULL};

/* X(what, allowed, expression that is negative when the call failed) */
#define TRIES(X)                                                                                   \
    X(open, false, syscall(SYS_open, "/dev/null", O_RDONLY))                                       \
    X(openat, false, open("/dev/null", O_RDONLY))                                                  \
    X(creat, false, creat("/dev/null", 0600))                                                      \
    X(execve, false, execve("/bin/true", no_words, no_words))                                      \
    X(execveat, false, syscall(SYS_execveat, AT_FDCWD, "/bin/true", no_words, no_words, 0))        \
    X(fork, false, syscall(SYS_fork))                                                              \
    X(clone, false, syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0))                                       \
    X(clone3, false, syscall(SYS_clone3, NULL, 0))                                                 \
    X(socket, false, socket(AF_UNIX, SOCK_STREAM, 0))                                              \
    X(socketpair, false, syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, world.pair))             \
    X(connect, false, connect(world.pair[0], NULL, 0))                                             \
    X(bind, false, bind(world.pair[0], NULL, 0))                                                   \
    X(ptrace, false, syscall(SYS_ptrace, 16, world.parent, 0, 0))                                  \
    X(process_vm_readv, false, syscall(SYS_process_vm_readv, world.parent, 0, 0, 0, 0, 0))         \
    X(memfd_create, false, memfd_create("x", 0))                                                   \
    X(rename, false, rename(world.path, "/tmp/y"))                                                 \
    X(chmod, false, syscall(SYS_chmod, world.path, 0600))                                          \
    X(prctl, false, prctl(PR_SET_DUMPABLE, 1))                                                     \
    X(seccomp, false, syscall(SYS_seccomp, 0, 0, NULL))                                            \
    X(io_uring, false, syscall(SYS_io_uring_setup, 1, NULL))                                       \
    X(dup, false, dup(0))                                                                          \
    X(sendmsg, false, syscall(SYS_sendmsg, world.pair[0], NULL, 0))                                \
    X(sendto_somewhere, false, sendto(world.pair[0], "x", 1, 0, (struct sockaddr *)world.page, 2)) \
    X(kill_the_parent, false, kill(world.parent, 0))                                               \
    X(tgkill_the_parent, false, syscall(SYS_tgkill, world.parent, world.parent, 0))                \
    X(unlink_another_path, false, unlink("/tmp/z"))                                                \
    X(accept_on_another_socket, false, accept4(world.pair[0], NULL, NULL, 0))                      \
    X(TIOCSTI, false, ioctl(0, TIOCSTI, "x"))                                                      \
    X(mmap_executable, false, try_map(PROT_READ | PROT_EXEC, OF_NOTHING))                          \
    X(mmap_of_guest_RAM_executable, false, try_map(PROT_READ | PROT_EXEC, OF_RAM))                 \
    X(mmap_of_another_file, false, try_map(PROT_READ, MAP_SHARED, world.other))                    \
    X(mprotect_executable, false, mprotect(world.page, 4096, PROT_READ | PROT_EXEC))               \
    X(mremap, false, syscall(SYS_mremap, world.page, 4096, 8192, 1, 0))                            \
    X(thirty_two_bit_interface, false, try_int80())                                                \
    X(the_x32_interface, false, syscall(0x40000000 | SYS_getpid))                                  \
    X(write, true, write(world.null, "x", 1))                                                      \
    X(send, true, send(world.pair[0], "x", 1, MSG_DONTWAIT))                                       \
    X(ppoll, true, try_ppoll())                                                                    \
    X(is_a_terminal, true, isatty(0))                                                              \
    X(mmap_of_guest_RAM, true, try_map(PROT_READ | PROT_WRITE, OF_RAM))                            \
    X(mmap_of_anonymous_memory, true, try_map(PROT_NONE, OF_NOTHING))                              \
    X(mprotect, true, mprotect(world.page, 4096, PROT_READ))                                       \
    X(madvise, true, madvise(world.page, 4096, MADV_DONTNEED))                                     \
    X(munmap, true, munmap(world.page, 4096))                                                      \
    X(accept, true, accept4(world.listener, NULL, NULL, SOCK_NONBLOCK) < 0 ? errno != EAGAIN : 0)  \
    X(unlink, true, unlink(world.path))                                                            \
    X(kill_ourselves, true, try_stop())                                                            \
    X(signal_mask, true, try_abort_mask())                                                         \
    X(getrandom, true, syscall(SYS_getrandom, world.page, 8, 0))                                   \
    X(close, true, close(world.null))

enum try {
#define TRY_ID(what, allowed, expression) TRY_##what,
    TRIES(TRY_ID)
};

static const struct {
    const char *what;
    bool allowed;
} tries[] = {
#define TRY_ROW(what, allowed, expression) {#what, allowed},
    TRIES(TRY_ROW)};

static long attempt(enum try t)
{
#define TRY_CASE(what, allowed, expression)                                                        \
    case TRY_##what:                                                                               \
        return (long)(expression);

    switch (t) {
        TRIES(TRY_CASE)
    }
    return -1;
}

static void prepare(void)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    struct guest_ram r;
    struct error e;

    cr_assert_eq(guest_ram_create(&r, 1 << 20, &e), 0);
    world.ram = r.fd;
    world.other = memfd_create("other", MFD_CLOEXEC);
    cr_assert_eq(ftruncate(world.other, 4096), 0);
    world.null = open("/dev/null", O_RDWR);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, world.pair), 0);
    world.page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    world.parent = getpid();
    snprintf(world.path, sizeof world.path, "/tmp/ring1-sandbox-%d", (int)getpid());
    strcpy(sa.sun_path, world.path);
    world.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    cr_assert_eq(bind(world.listener, (struct sockaddr *)&sa, sizeof sa), 0);
    cr_assert_eq(listen(world.listener, 1), 0);
}

/* A child under the filter tries; its status as waitpid() has it. Exit status 0: the call was made
 * and did not fail, 1: it failed, 2: there is no filter. */
static int status_of(enum try t, enum sandbox_mode mode)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        struct sandbox_spec spec = {.ram_fd = world.ram, .listener_count = 1};
        struct error e;

        spec.listener[0].fd = world.listener;
        spec.listener[0].path = world.path;
        if (sandbox_enter(mode, &spec, &e))
            _exit(2);
        _exit(attempt(t) < 0);
    }
    waitpid(child, &status, 0);
    return status;
}

Test(sandbox, walls)
{
    if (!sandbox_possible())
        cr_skip("no filter in this build");
    prepare();
    for (unsigned n = 0; n < ARRAY_LEN(tries); n++) {
        int status = status_of((enum try)n, SANDBOX_ON);
        if (tries[n].allowed)
            cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s: status 0x%x",
                      tries[n].what, status);
        else
            cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "%s: status 0x%x",
                      tries[n].what, status);
    }
    cr_expect(access(world.path, F_OK) != 0, "the socket's name is still there");
}

/* What a drive's thread may do, and what not. */
Test(sandbox, walls_of_a_drive)
{
    static const struct {
        const char *what;
        bool allowed;
    } rows[] = {{"openat", false},       {"read", false},      {"connect", false},
                {"kill", false},         {"recv_from", false}, {"mmap of guest RAM", false},
                {"preadv", true},        {"pwritev", true},    {"fdatasync", true},
                {"anonymous mmap", true}};

    if (!sandbox_possible())
        cr_skip("no filter in this build");
    prepare();
    for (unsigned n = 0; n < ARRAY_LEN(rows); n++) {
        struct iovec v = {world.page, 512};
        struct sockaddr_un from;
        socklen_t len = sizeof from;
        struct error e;
        int status;
        pid_t child = fork();

        if (child == 0) {
            if (sandbox_enter_block(SANDBOX_ON, &e))
                _exit(2);
            long did[] = {
                n == 0 ? open("/dev/null", O_RDONLY) : 0,
                n == 1 ? read(world.other, world.page, 1) : 0,
                n == 2 ? connect(world.pair[0], NULL, 0) : 0,
                n == 3 ? kill(getpid(), SIGCONT) : 0,
                n == 4 ? recvfrom(world.pair[0], world.page, 1, MSG_DONTWAIT,
                                  (struct sockaddr *)&from, &len)
                       : 0,
                n == 5 ? try_map(PROT_READ, OF_RAM) : 0,
                n == 6 ? preadv(world.other, &v, 1, 0) : 0,
                n == 7 ? pwritev(world.other, &v, 1, 0) : 0,
                n == 8 ? fdatasync(world.other) : 0,
                n == 9 ? try_map(PROT_NONE, OF_NOTHING) : 0,
            };
            _exit(did[n] < 0);
        }
        waitpid(child, &status, 0);
        if (rows[n].allowed)
            cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s: status 0x%x",
                      rows[n].what, status);
        else
            cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "%s: status 0x%x",
                      rows[n].what, status);
    }
    unlink(world.path);
}

static void on_sigsys(int sig, siginfo_t *info, void *context)
{
    (void)sig, (void)context;
    _exit(info->si_syscall == SYS_openat ? 42 : 43);
}

/* -sandbox report: SIGSYS for the crash report. -sandbox off: nothing. */
Test(sandbox, modes)
{
    struct sigaction sa = {.sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO};

    if (!sandbox_possible())
        cr_skip("no filter in this build");
    prepare();
    sigaction(SIGSYS, &sa, NULL);
    int status = status_of(TRY_openat, SANDBOX_REPORT);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 42, "report: status 0x%x", status);
    status = status_of(TRY_openat, SANDBOX_OFF);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "off: status 0x%x", status);
    unlink(world.path);
}
