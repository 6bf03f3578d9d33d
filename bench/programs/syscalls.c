/* SPDX-License-Identifier: MIT */
/* syscalls.c - system calls that do little: what remains is the way into the kernel and back. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench32.h"

#define CALLS 20u

static char path[256];
static int zero;

static uint32_t getppid_row(void)
{
    for (unsigned i = 0; i < CALLS; i++)
        bench_syscall(SYS_getppid, 0, 0, 0, 0, 0);
    return 0;
}

static void file_make(void)
{
    snprintf(path, sizeof path, "%s/bench32.file", bench_dir);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, "x", 1) != 1)
        bench_die(path);
    close(fd);
}

static void file_remove(void)
{
    unlink(path);
}

static uint32_t stat_row(void)
{
    long buffer[64]; /* a stat64 has 96 bytes */

    for (unsigned i = 0; i < CALLS; i++)
        bench_must("stat64", bench_syscall(SYS_stat64, (long)path, (long)buffer, 0, 0, 0));
    return 0;
}

static uint32_t open_close(void)
{
    for (unsigned i = 0; i < CALLS; i++) {
        long fd = bench_must("open", bench_syscall(SYS_open, (long)path, O_RDONLY, 0, 0, 0));
        bench_must("close", bench_syscall(SYS_close, fd, 0, 0, 0, 0));
    }
    return 0;
}

static void zero_open(void)
{
    zero = open("/dev/zero", O_RDONLY);
    if (zero < 0)
        bench_die("/dev/zero");
}

static void zero_close(void)
{
    close(zero);
}

static uint32_t read_row(void)
{
    char c = 1;

    for (unsigned i = 0; i < CALLS; i++)
        bench_must("read", bench_syscall(SYS_read, zero, (long)&c, 1, 0, 0));
    return (uint32_t)c;
}

const struct row syscall_rows[] = {
    {"sys.getppid", "calls", CALLS, getppid_row, NULL, NULL},
    {"file.stat", "calls", CALLS, stat_row, file_make, file_remove},
    {"file.open_close", "pairs", CALLS, open_close, file_make, file_remove},
    {"file.read1", "calls", CALLS, read_row, zero_open, zero_close},
    {NULL, NULL, 0, NULL, NULL, NULL}};
