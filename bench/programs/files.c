/* SPDX-License-Identifier: MIT */
/* files.c - files on tmpfs. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench32.h"

#define FILES  10u
#define CHUNK  4096u
#define CHUNKS 16u

static char names[FILES][256], buffer[CHUNK];
static int file;

static void names_make(void)
{
    for (unsigned i = 0; i < FILES; i++)
        snprintf(names[i], sizeof names[i], "%s/bench32.%u", bench_dir, i);
}

static uint32_t create(void)
{
    for (unsigned i = 0; i < FILES; i++) {
        long fd = bench_must(
            "open", bench_syscall(SYS_open, (long)names[i], O_RDWR | O_CREAT | O_EXCL, 0600, 0, 0));
        bench_must("close", bench_syscall(SYS_close, fd, 0, 0, 0, 0));
    }
    for (unsigned i = 0; i < FILES; i++)
        bench_must("unlink", bench_syscall(SYS_unlink, (long)names[i], 0, 0, 0, 0));
    return 0;
}

static void file_make(void)
{
    names_make();
    file = open(names[0], O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (file < 0)
        bench_die(names[0]);
    for (unsigned i = 0; i < CHUNKS; i++)
        if (write(file, buffer, CHUNK) != (ssize_t)CHUNK)
            bench_die(names[0]);
}

static void file_end(void)
{
    close(file);
    unlink(names[0]);
}

/* Empty, then filled: tmpfs finds new pages for it each time. */
static uint32_t write_row(void)
{
    bench_must("ftruncate", bench_syscall(SYS_ftruncate, file, 0, 0, 0, 0));
    bench_must("lseek", bench_syscall(SYS_lseek, file, 0, SEEK_SET, 0, 0));
    for (unsigned i = 0; i < CHUNKS; i++)
        bench_must("write", bench_syscall(SYS_write, file, (long)buffer, CHUNK, 0, 0));
    return 0;
}

static uint32_t read_row(void)
{
    uint32_t sum = 0;

    bench_must("lseek", bench_syscall(SYS_lseek, file, 0, SEEK_SET, 0, 0));
    for (unsigned i = 0; i < CHUNKS; i++)
        sum +=
            (uint32_t)bench_must("read", bench_syscall(SYS_read, file, (long)buffer, CHUNK, 0, 0));
    return sum;
}

const struct row file_rows[] = {
    {"file.create", "files", FILES, create, names_make, NULL},
    {"file.write", "bytes", CHUNK *CHUNKS, write_row, file_make, file_end},
    {"file.read", "bytes", CHUNK *CHUNKS, read_row, file_make, file_end},
    {NULL, NULL, 0, NULL, NULL, NULL}};
