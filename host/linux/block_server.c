/* SPDX-License-Identifier: MIT */
/* block_server.c - see block_server.h. The server gets its listening socket as a service manager
 * would hand it over (LISTEN_FDS): the socket's name is in a folder of ours, and gone before the
 * guest runs. */
#define _GNU_SOURCE
#include "host/linux/block_server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM       "qemu-nbd"
#define FIRST_FD      3 /* where the server looks for its socket */
#define ARGUMENTS     16
#define START_WAIT_MS 20000

struct start {
    char folder[64];
    struct sockaddr_un name;
    int listener, errors[2]; /* its standard error: a pipe */
    char pid_text[32];
    char *args[ARGUMENTS];
    unsigned count;
    char **environment; /* ours and two more */
    pid_t pid;
};

static void add(struct start *t, const char *arg)
{
    t->args[t->count++] = (char *)(uintptr_t)arg;
}

/* The server's cache modes have our names. */
static const char *cache_name(const struct drive_spec *s)
{
    static const char *const names[] = {
        [CACHE_WRITEBACK] = "--cache=writeback", [CACHE_WRITETHROUGH] = "--cache=writethrough",
        [CACHE_NONE] = "--cache=none",           [CACHE_DIRECTSYNC] = "--cache=directsync",
        [CACHE_UNSAFE] = "--cache=unsafe",
    };

    return names[s->cache];
}

static void make_arguments(struct start *t, const struct drive_spec *s, const char *format,
                           bool read_only)
{
    add(t, PROGRAM);
    add(t, "--shared=1");
    add(t, cache_name(s));
    add(t, s->discard ? "--discard=unmap" : "--discard=ignore");
    if (read_only)
        add(t, "--read-only");
    else if (s->snapshot)
        add(t, "--snapshot");
    add(t, "--format");
    add(t, format);
    add(t, "--");
    add(t, s->path);
}

static int make_environment(struct start *t)
{
    unsigned count = 0;

    while (environ[count])
        count++;
    t->environment = calloc(count + 3, sizeof *t->environment);
    if (!t->environment)
        return -1;
    memcpy(t->environment, environ, count * sizeof *t->environment);
    t->environment[count] = t->pid_text;
    t->environment[count + 1] = (char *)(uintptr_t) "LISTEN_FDS=1";
    return 0;
}

static int listen_somewhere(struct start *t)
{
    const char *folder = getenv("TMPDIR");

    if (!folder || !*folder || strlen(folder) > 30)
        folder = "/tmp";
    snprintf(t->folder, sizeof t->folder, "%s/ring1-XXXXXX", folder);
    if (!mkdtemp(t->folder)) {
        t->folder[0] = 0;
        return -1;
    }
    t->name.sun_family = AF_UNIX;
    snprintf(t->name.sun_path, sizeof t->name.sun_path, "%s/nbd", t->folder);
    t->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (t->listener < 0 || bind(t->listener, (struct sockaddr *)&t->name, sizeof t->name) < 0 ||
        listen(t->listener, 1) < 0)
        return -1;
    return pipe2(t->errors, O_CLOEXEC);
}

/* What no server of a file needs, whatever the image says: the network, other processes, the
 * machine itself. All else, starting a program included, is left to it. */
static int confine(void)
{
    static const char *const denied[] = {
        "socket",
        "socketpair",
        "connect",
        "bind",
        "ptrace",
        "process_vm_readv",
        "process_vm_writev",
        "pidfd_getfd",
        "mount",
        "umount2",
        "pivot_root",
        "chroot",
        "setns",
        "unshare",
        "bpf",
        "perf_event_open",
        "userfaultfd",
        "keyctl",
        "add_key",
        "request_key",
        "init_module",
        "finit_module",
        "kexec_load",
        "reboot",
        "swapon",
        "setuid",
        "setgid",
        "settimeofday",
        "clock_settime",
    };
    scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);
    int err = f ? 0 : -ENOMEM;

    for (unsigned i = 0; i < ARRAY_LEN(denied) && !err; i++)
        err =
            seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), seccomp_syscall_resolve_name(denied[i]), 0);
    if (!err)
        err = seccomp_load(f);
    seccomp_release(f);
    return err;
}

/* In the child, until the program runs; no other thread of ours holds a lock of the
 * C library's now: drives are opened before guests run. */
static _Noreturn void become_server(struct start *t, pid_t parent, bool filter)
{
    int null = open("/dev/null", O_RDWR), error = fcntl(t->errors[1], F_DUPFD, FIRST_FD + 1),
        listener = fcntl(t->listener, F_DUPFD, FIRST_FD + 1);
    sigset_t none;
    char digits[16];
    unsigned n = sizeof digits;
    char *to = t->pid_text + strlen("LISTEN_PID=");

    /* A signal that asks: it closes the image properly. */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    setpgid(0, 0); /* Ctrl-C in the terminal is ours */
    if (getppid() != parent)
        _exit(1);
    for (unsigned pid = (unsigned)getpid(); pid; pid /= 10)
        digits[--n] = (char)('0' + pid % 10);
    memcpy(to, digits + n, sizeof digits - n);
    to[sizeof digits - n] = 0;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_IGN); /* nobody reads its words later */
    signal(SIGXFSZ, SIG_IGN); /* as with us: an error of that write */
    if (null < 0 || error < 0 || listener < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 ||
        dup2(error, 2) < 0 || dup2(listener, FIRST_FD) < 0 ||
        syscall(SYS_close_range, FIRST_FD + 1, ~0u, 0) < 0)
        _exit(1);
    if (filter && confine()) {
        dprintf(2, PROGRAM ": no system call filter can be set up; -sandbox off runs without\n");
        _exit(1);
    }
    execvpe(PROGRAM, t->args, t->environment);
    _exit(127);
}

/* What the server said, without its name and the line's end. */
static void read_sentence(struct start *t, char *out, size_t cap)
{
    ssize_t n = read(t->errors[0], out, cap - 1);
    size_t len;

    out[n > 0 ? n : 0] = 0;
    out[strcspn(out, "\n")] = 0;
    len = strlen(PROGRAM ": ");
    if (!strncmp(out, PROGRAM ": ", len))
        memmove(out, out + len, strlen(out + len) + 1);
}

/* The server greets whoever connects as soon as it has opened the image; or it ends and says
 * why. */
static int wait_for_greeting(struct start *t, int fd, int process, const struct drive_spec *s,
                             struct error *e)
{
    struct pollfd p[2] = {{.fd = fd, .events = POLLIN}, {.fd = process, .events = POLLIN}};
    char why[400];
    int status = 0;

    while (poll(p, 2, START_WAIT_MS) < 0 && errno == EINTR)
        continue;
    if ((p[0].revents & POLLIN) && !(p[0].revents & POLLHUP))
        return 0;
    if (!p[0].revents && !p[1].revents)
        return error_set(e, "qemu-nbd does not answer for the image '%s'", s->path);
    close(t->errors[1]);
    t->errors[1] = -1;
    read_sentence(t, why, sizeof why);
    waitpid(t->pid, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        return error_set(
            e,
            "the image '%s' is not raw, and qemu-nbd, which knows other formats, cannot be run; "
            "install qemu-utils",
            s->path);
    return error_set(e, "qemu-nbd cannot use the image '%s': %s", s->path,
                     *why ? why : "it gives no reason");
}

static int start(struct start *t, const struct drive_spec *s, bool filter, int *process,
                 struct error *e)
{
    pid_t us = getpid();
    int fd;

    if (listen_somewhere(t) < 0 || make_environment(t) < 0)
        return error_set(e, "cannot prepare for qemu-nbd: %s", strerror(errno));
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&t->name, sizeof t->name) < 0) {
        error_set(e, "cannot connect to qemu-nbd: %s", strerror(errno));
        close(fd);
        return -1;
    }
    t->pid = fork();
    if (t->pid == 0)
        become_server(t, us, filter);
    *process = t->pid < 0 ? -1 : (int)syscall(SYS_pidfd_open, t->pid, 0);
    if (*process < 0)
        error_set(e, "cannot start qemu-nbd: %s", strerror(errno));
    else
        fcntl(*process, F_SETFD, FD_CLOEXEC);
    /* Only the server has it from now on: its end is the connection's. */
    close(t->listener);
    t->listener = -1;
    if (*process < 0 || wait_for_greeting(t, fd, *process, s, e)) {
        close(fd);
        return -1;
    }
    return fd;
}

int block_server_start(const struct drive_spec *s, const char *format, bool read_only, bool filter,
                       int *process, struct error *e)
{
    struct start t = {.listener = -1, .errors = {-1, -1}, .pid_text = "LISTEN_PID="};

    make_arguments(&t, s, format, read_only);
    int fd = start(&t, s, filter, process, e);
    if (t.name.sun_path[0])
        unlink(t.name.sun_path);
    if (t.folder[0])
        rmdir(t.folder);
    for (unsigned i = 0; i < 2; i++)
        if (t.errors[i] >= 0)
            close(t.errors[i]);
    if (t.listener >= 0)
        close(t.listener);
    free(t.environment);
    return fd;
}
