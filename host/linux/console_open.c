/* SPDX-License-Identifier: MIT */
/* console_open.c - opening and closing what -serial and -debugcon name. See console.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "host/linux/console_priv.h"
#include "host/linux/guest_ram.h"

/* Setting O_NONBLOCK on an inherited description would change it for the shell too. So terminals
 * and pipes are opened anew; a socket needs no mode; what cannot be opened again is written with
 * care. */
static void open_stdout(struct console *c)
{
    struct stat st;

    c->out_fd = STDOUT_FILENO;
    c->writer = WRITER_CAREFUL;
    if (fstat(STDOUT_FILENO, &st) < 0)
        return;
    if (S_ISREG(st.st_mode)) {
        c->writer = WRITER_PLAIN;
    } else if (S_ISSOCK(st.st_mode)) {
        c->writer = WRITER_SOCKET;
    } else if (S_ISCHR(st.st_mode) || S_ISFIFO(st.st_mode)) {
        int fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd < 0)
            return;
        c->out_fd = fd;
        c->writer = WRITER_NONBLOCK;
    }
}

static int open_stdio(struct console *c, const struct console_spec *spec)
{
    c->in_fd = STDIN_FILENO;
    c->terminal = isatty(STDIN_FILENO);
    c->mux = spec->mux;
    if (fcntl(STDIN_FILENO, F_GETFD) < 0)
        c->in_fd = -1; /* started with standard input closed */
    open_stdout(c);
    return 0;
}

static int open_file(struct console *c, const struct console_spec *spec, struct error *e)
{
    c->out_fd = open(spec->path, O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY | O_CLOEXEC, 0666);
    if (c->out_fd < 0)
        return error_set(e, "cannot create '%s' for %s: %s", spec->path, c->what, strerror(errno));
    struct stat st;
    c->writer = fstat(c->out_fd, &st) == 0 && S_ISREG(st.st_mode) ? WRITER_PLAIN : WRITER_CAREFUL;
    return 0;
}

static int open_pty(struct console *c, struct error *e)
{
    struct termios t;
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    const char *name = NULL;

    if (master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0)
        name = ptsname(master);
    /* Our own slave descriptor keeps the master from reporting a hang-up while nobody else has it
     * open. */
    int slave = name ? open(name, O_RDWR | O_NOCTTY | O_CLOEXEC) : -1;
    if (slave < 0) {
        int err = errno;
        if (master >= 0)
            close(master);
        return error_set(e, "cannot make a pseudo-terminal for %s: %s", c->what, strerror(err));
    }
    if (tcgetattr(slave, &t) == 0) {
        cfmakeraw(&t);
        tcsetattr(slave, TCSANOW, &t);
    }
    c->in_fd = c->out_fd = master;
    c->listen_fd = slave; /* only held */
    c->writer = WRITER_NONBLOCK;
    c->lossy = true;
    say("%s is %s", c->what, name);
    return 0;
}

static int unix_address(struct sockaddr_un *sa, const struct console *c, const char *path,
                        struct error *e)
{
    *sa = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof sa->sun_path)
        return error_set(e, "the socket path of %s is too long (at most %zu characters)", c->what,
                         sizeof sa->sun_path - 1);
    strcpy(sa->sun_path, path);
    return 0;
}

void console_accept(struct console *c)
{
    int fd = accept4(c->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd >= 0)
        c->in_fd = c->out_fd = fd;
}

/* Is there a socket of that name that nobody listens on any more? A datagram socket asks: a live
 * stream socket refuses it for its type and does not notice. */
static bool is_left_over(const struct sockaddr_un *sa)
{
    struct stat st;

    if (lstat(sa->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
        return false;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int err = fd >= 0 && connect(fd, (const struct sockaddr *)sa, sizeof *sa) < 0 ? errno : 0;
    if (fd >= 0)
        close(fd);
    return err == ECONNREFUSED;
}

/* Returns a descriptor: until it is closed, no other ring1 looks for a left-over socket in that
 * directory, where it would take the name that has just become ours. -1: the directory cannot be
 * locked, and we go on without. */
static int lock_directory(const char *path)
{
    char dir[sizeof((struct sockaddr_un *)0)->sun_path];
    const char *slash = strrchr(path, '/');

    snprintf(dir, sizeof dir, "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int tries = 0; fd >= 0 && tries < 100 && flock(fd, LOCK_EX | LOCK_NB) < 0; tries++)
        usleep(10000);
    return fd;
}

/* Listens on the path; an end by a signal finds either nothing made or all noted. */
static int make_server(struct console *c, const struct sockaddr_un *sa)
{
    sigset_t all, before;
    struct stat st;

    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    int lock = lock_directory(sa->sun_path);
    if (is_left_over(sa))
        unlink(sa->sun_path);
    int err = bind(c->listen_fd, (const struct sockaddr *)sa, sizeof *sa) < 0 ? errno : 0;
    if (!err && lstat(sa->sun_path, &st) == 0) {
        memcpy(c->path, sa->sun_path, sizeof c->path);
        c->path_dev = st.st_dev;
        c->path_ino = st.st_ino;
    }
    if (!err && listen(c->listen_fd, 1) < 0)
        err = errno;
    if (lock >= 0)
        close(lock);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return err;
}

static int serve_unix(struct console *c, const struct console_spec *spec,
                      const struct sockaddr_un *sa, struct error *e)
{
    int err = make_server(c, sa);

    if (err == EADDRINUSE)
        return error_set(e,
                         "cannot listen on the socket '%s' for %s: the name is in use; end the "
                         "process that listens there, or name another path",
                         spec->path, c->what);
    if (err)
        return error_set(e, "cannot listen on the socket '%s' for %s: %s", spec->path, c->what,
                         strerror(err));
    while (spec->wait && c->in_fd < 0) {
        struct pollfd p = {.fd = c->listen_fd, .events = POLLIN};
        if (!c->complained)
            say("waiting for a client on '%s' for %s", spec->path, c->what);
        c->complained = true;
        if (poll(&p, 1, -1) == 1)
            console_accept(c);
    }
    c->complained = false;
    return 0;
}

static int open_unix(struct console *c, const struct console_spec *spec, struct error *e)
{
    struct sockaddr_un sa;

    if (unix_address(&sa, c, spec->path, e))
        return -1;
    c->writer = WRITER_SOCKET;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return error_set(e, "cannot make a socket for %s: %s", c->what, strerror(errno));
    if (spec->server) {
        c->listen_fd = fd;
        return serve_unix(c, spec, &sa, e);
    }
    c->in_fd = c->out_fd = fd;
    if (connect(fd, (const struct sockaddr *)&sa, sizeof sa) < 0)
        return error_set(e, "cannot connect to the socket '%s' for %s: %s; is its server running?",
                         spec->path, c->what, strerror(errno));
    return 0;
}

int console_open(struct console *c, const struct console_spec *spec, const char *what,
                 struct error *e)
{
    int err = 0;

    *c = (struct console){
        .kind = spec->kind,
        .what = what,
        .in_fd = -1,
        .out_fd = -1,
        .listen_fd = -1,
        .full_since = NS_NEVER,
    };
    if (spec->kind == CONSOLE_NONE || spec->kind == CONSOLE_NULL)
        return 0;
    c->out = zeroed_alloc(sizeof *c->out);
    if (!c->out)
        return error_set(e, "out of memory");
    if (spec->kind == CONSOLE_STDIO)
        err = open_stdio(c, spec);
    else if (spec->kind == CONSOLE_FILE)
        err = open_file(c, spec, e);
    else if (spec->kind == CONSOLE_PTY)
        err = open_pty(c, e);
    else
        err = open_unix(c, spec, e);
    if (err)
        console_close(c);
    return err;
}

/* lstat() by its own system call, which the sandbox can compare the path of. */
void console_abandon(struct console *c)
{
    struct stat st;

    if (c->path[0] && syscall(SYS_lstat, c->path, &st) == 0 && st.st_dev == c->path_dev &&
        st.st_ino == c->path_ino)
        unlink(c->path);
    c->path[0] = 0;
}

static void close_fd(int *fd)
{
    if (*fd > STDERR_FILENO)
        close(*fd);
    *fd = -1;
}

void console_close(struct console *c)
{
    if (!c->out)
        return;
    /* A reader that is only slow gets the rest; one that stands still does not keep us. */
    for (unsigned tries = 0; tries < 20 && c->out_fd >= 0 && out_ring_used(c->out); tries++) {
        struct pollfd p = {.fd = c->out_fd, .events = POLLOUT};
        uint32_t before = out_ring_used(c->out);
        if (!c->lossy)
            poll(&p, 1, 50);
        console_serve(c, NULL, 0);
        if (out_ring_used(c->out) < before)
            tries = 0;
    }
    if (c->in_fd != c->out_fd)
        close_fd(&c->in_fd);
    close_fd(&c->out_fd);
    close_fd(&c->listen_fd);
    console_abandon(c);
    munmap(c->out, sizeof *c->out);
    c->out = NULL;
}
