/* SPDX-License-Identifier: MIT */
/* process.c - processes: made, replaced, switched between. */
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench32.h"

#define TURNS  5u
#define COPIED 256u

static int there[2], back[2];
static pid_t partner;
static char *pages;

/* The partner sends back each byte until the pipe ends. */
static void pipes_make(void)
{
    char c;

    if (pipe(there) || pipe(back))
        bench_die("pipe");
    partner = fork();
    if (partner < 0)
        bench_die("fork");
    if (partner == 0) {
        close(there[1]);
        close(back[0]);
        while (bench_syscall(SYS_read, there[0], (long)&c, 1, 0, 0) == 1)
            bench_syscall(SYS_write, back[1], (long)&c, 1, 0, 0);
        _exit(0);
    }
    close(there[0]);
    close(back[1]);
}

static void pipes_end(void)
{
    int status;

    close(there[1]);
    close(back[0]);
    waitpid(partner, &status, 0);
}

static uint32_t pipe_turns(void)
{
    char c = 'x';

    for (unsigned i = 0; i < TURNS; i++) {
        bench_must("write", bench_syscall(SYS_write, there[1], (long)&c, 1, 0, 0));
        bench_must("read", bench_syscall(SYS_read, back[0], (long)&c, 1, 0, 0));
    }
    return (uint32_t)c;
}

/* The status of a child that should have ended well. */
static uint32_t wait_for(pid_t child, const char *what)
{
    int status;

    if (child < 0 || waitpid(child, &status, 0) != child)
        bench_die(what);
    return (uint32_t)status;
}

static uint32_t fork_wait(void)
{
    pid_t child = fork();

    if (child == 0)
        _exit(0);
    return wait_for(child, "fork");
}

static _Noreturn void become_nothing(void)
{
    static char name[] = "bench32", arg[] = "exit";
    static char *argv[] = {name, arg, NULL}, *env[] = {NULL};

    execve("/proc/self/exe", argv, env);
    _exit(127);
}

static uint32_t fork_exec(void)
{
    pid_t child = fork();

    if (child == 0)
        become_nothing();
    return wait_for(child, "fork");
}

static uint32_t vfork_exec(void)
{
    pid_t child = vfork();

    if (child == 0)
        become_nothing();
    return wait_for(child, "vfork");
}

static void pages_make(void)
{
    pages = bench_map(COPIED * PAGE);
    for (unsigned i = 0; i < COPIED; i++)
        pages[i * PAGE] = 1;
}

static void pages_end(void)
{
    bench_unmap(pages, COPIED * PAGE);
}

/* The child writes to every page and so gets copies of all. */
static uint32_t fork_copy(void)
{
    pid_t child = fork();

    if (child == 0) {
        for (unsigned i = 0; i < COPIED; i++)
            pages[i * PAGE] = 2;
        _exit(0);
    }
    return wait_for(child, "fork") + (uint32_t)pages[COPIED / 2 * PAGE];
}

const struct row process_rows[] = {
    {"proc.pipe", "turns", TURNS, pipe_turns, pipes_make, pipes_end},
    {"proc.fork", "forks", 1, fork_wait, NULL, NULL},
    {"proc.fork_exec", "execs", 1, fork_exec, NULL, NULL},
    {"proc.vfork_exec", "execs", 1, vfork_exec, NULL, NULL},
    {"mm.fork_256_pages", "forks", 1, fork_copy, pages_make, pages_end},
    {NULL, NULL, 0, NULL, NULL, NULL}};
