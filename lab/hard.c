/* SPDX-License-Identifier: MIT */
/* hard.c - see hard.h. */
#define _GNU_SOURCE
#include "lab/hard.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_S 240
#define TEXT_MAX   (256u << 10)
#define NOT_THERE  127 /* a shell's status for a program that is not installed */

/* The image's command line. */
static const char *const words[] = {
    [WAY_HARD_NAIVE - WAY_HARD] = "memory=16M lab=naive",
    [WAY_HARD_TRANSLATED - WAY_HARD] = "memory=16M lab=run user=translate kernel=translate",
    [WAY_HARD_DIRECT - WAY_HARD] = "memory=16M lab=run user=direct kernel=direct",
};

static const struct {
    unsigned hole;
    const char *why;
} quirks[] = {
    {HOLE_rdtsc,
     "QEMU's time-stamp counter starts with QEMU: its high half is 0 for some seconds, as "
     "the micro-guest's own would be"},
};

const char *hard_quirk(unsigned hole)
{
    for (unsigned n = 0; n < ARRAY_LEN(quirks); n++)
        if (quirks[n].hole == hole)
            return quirks[n].why;
    return NULL;
}

/* The file of micro-guests. */
static bool write_file(int fd, const struct hard_job *job, unsigned count)
{
    struct micro_head h = {.magic = MICRO_MAGIC, .count = count, .state = micro_state};
    static struct micro_guest g;

    if (write(fd, &h, sizeof h) != (ssize_t)sizeof h)
        return false;
    for (unsigned n = 0; n < count; n++) {
        const struct program *p = job[n].program;
        memset(&g, 0, sizeof g);
        snprintf(g.name, sizeof g.name, "%s", job[n].name);
        g.at = LAB_CODE + (uint32_t)(p->at - p->code);
        g.esi = p->esi;
        g.runs = job[n].runs;
        g.mark = n;
        micro_image(g.image, p);
        if (write(fd, &g, sizeof g) != (ssize_t)sizeof g)
            return false;
    }
    return true;
}

/* UMIP is off: with it, the CPU itself closes five of the holes by a trap. */
static _Noreturn void start_qemu(const struct hard_machine *m, enum way w, const char *file,
                                 int out)
{
    const char *argv[] = {"qemu-system-x86_64",
                          "-accel",
                          "tcg",
                          "-cpu",
                          "max,-umip",
                          "-m",
                          "256",
                          "-display",
                          "none",
                          "-monitor",
                          "none",
                          "-serial",
                          "stdio",
                          "-no-reboot",
                          "-kernel",
                          m->image,
                          "-append",
                          words[w - WAY_HARD],
                          "-initrd",
                          file,
                          m->count ? "-icount" : NULL,
                          "shift=0,sleep=off",
                          NULL};

    if (freopen("/dev/null", "r", stdin) && freopen("/dev/null", "w", stderr) &&
        dup2(out, STDOUT_FILENO) >= 0)
        execvp(argv[0], (char *const *)argv);
    _exit(errno == ENOENT ? NOT_THERE : 1);
}

/* What the machine says until it turns itself off, or for PATIENCE_S. */
static size_t listen(int fd, char *text)
{
    struct timespec now;
    size_t len = 0;

    clock_gettime(CLOCK_MONOTONIC, &now);
    for (time_t end = now.tv_sec + PATIENCE_S; now.tv_sec < end && len < TEXT_MAX - 1;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t n = poll(&p, 1, 1000) > 0 ? read(fd, text + len, TEXT_MAX - 1 - len) : -1;
        if (n == 0)
            break;
        len += n > 0 ? (size_t)n : 0;
        clock_gettime(CLOCK_MONOTONIC, &now);
    }
    text[len] = 0;
    return len;
}

/* The number after NAME= in the line; `none` and a line without it are -1. */
static long long field(const char *line, const char *name, int base)
{
    char key[24];

    snprintf(key, sizeof key, " %s=", name);
    const char *at = strstr(line, key);
    return !at || at[strlen(key)] == 'n' ? -1 : strtoll(at + strlen(key), NULL, base);
}

/* Takes one line; true: it was the last. */
static bool take_line(const char *line, unsigned count, struct seen *out, unsigned *taken)
{
    if (strncmp(line, "ring1: lab ", 11) != 0)
        return false;
    if (strncmp(line + 11, "end", 3) == 0)
        return true;
    long long n = field(line, "mark", 10);
    if (n < 0 || n >= count)
        return false;
    struct seen *s = &out[n];
    long long trap = field(line, "trap", 10);
    *s = (struct seen){.ended = field(line, "ended", 10) == 1,
                       .iflag = field(line, "if", 10) == 1,
                       .trapped = trap >= 0,
                       .trap = (uint8_t)(trap < 0 ? 0 : trap),
                       .translated = field(line, "translated", 10) == 1,
                       .direct = field(line, "direct", 10) == 1,
                       .eax = (uint32_t)field(line, "eax", 16),
                       .cycles = (uint64_t)field(line, "ticks", 10),
                       .traps = (uint64_t)field(line, "traps", 10),
                       .callouts = (uint64_t)field(line, "callouts", 10)};
    ++*taken;
    return false;
}

static const char *read_lines(char *text, unsigned count, struct seen *out)
{
    unsigned taken = 0;

    for (char *line = strtok(text, "\r\n"); line; line = strtok(NULL, "\r\n"))
        if (take_line(line, count, out, &taken))
            return taken == count ? NULL : "the machine in QEMU said nothing of some micro-guests";
    return "the machine in QEMU did not come to its end";
}

static const char *talk(const struct hard_machine *m, enum way w, const char *file, unsigned count,
                        struct seen *out)
{
    static char text[TEXT_MAX];
    int ends[2], status = 0;

    if (pipe(ends))
        return "this process cannot make a pipe";
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        start_qemu(m, w, file, ends[1]);
    close(ends[1]);
    if (child > 0) {
        listen(ends[0], text);
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
    }
    close(ends[0]);
    if (child < 0)
        return "this process cannot start another";
    if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_THERE)
        return "qemu-system-x86_64 is not installed; Debian's package qemu-system-x86 has it";
    return read_lines(text, count, out);
}

const char *hard_run(const struct hard_machine *m, enum way w, const struct hard_job *job,
                     unsigned count, struct seen *out)
{
    char file[] = "/tmp/ring1-micro-XXXXXX";

    memset(out, 0, count * sizeof *out);
    if (m->unwanted)
        return "it was not asked for";
    if (!m->image)
        return "the image ring1-metal is not built (docs/metal.md says how)";
    int fd = mkstemp(file);
    if (fd < 0)
        return "there is no room in /tmp for the file of micro-guests";
    bool written = write_file(fd, job, count);
    close(fd);
    const char *why = written ? talk(m, w, file, count, out)
                              : "there is no room in /tmp for the file of micro-guests";
    unlink(file);
    return why;
}
