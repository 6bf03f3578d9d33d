/* SPDX-License-Identifier: MIT */
/* bochs.c - see bochs.h. */
#define _GNU_SOURCE
#include "cli/bochs.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROMPT "<bochs"

static _Noreturn void child(int master, const char *rc)
{
    const char *name = ptsname(master);
    int out = dup2(1, BOCHS_COM1);

    setsid();
    int tty = name ? open(name, O_RDWR) : -1;
    if (tty < 0 || out < 0)
        _exit(126);
    for (int fd = 0; fd < 3; fd++)
        dup2(tty, fd);
    if (tty > 2)
        close(tty);
    close(master);
    setenv("TERM", "xterm", 1);
    execlp("bochs", "bochs", "-q", "-f", rc, (char *)NULL);
    _exit(errno == ENOENT ? 127 : 126);
}

/* Reads what Bochs draws, until it ends; answers its debugger's first prompt, which may come in two
 * parts. */
static void attend(int master)
{
    char buf[4096 + sizeof PROMPT];
    size_t kept = 0;
    bool answered = false;

    for (;;) {
        ssize_t n = read(master, buf + kept, sizeof buf - kept);
        if (n <= 0) {
            if (n < 0 && errno == EINTR)
                continue;
            return; /* EIO: nobody has the other end any more */
        }
        size_t len = kept + (size_t)n;
        if (!answered && memmem(buf, len, PROMPT, sizeof PROMPT - 1)) {
            answered = true;
            if (write(master, "c\n", 2) != 2)
                return;
        }
        kept = len < sizeof PROMPT ? len : sizeof PROMPT;
        memmove(buf, buf + len - kept, kept);
    }
}

int bochs_run(const char *rc)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), status;

    if (master < 0 || grantpt(master) || unlockpt(master))
        return 126;
    pid_t pid = fork();
    if (pid < 0)
        return 126;
    if (pid == 0)
        child(master, rc);
    attend(master);
    close(master);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return 126;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
