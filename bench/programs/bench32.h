/* SPDX-License-Identifier: MIT */
/*
 * bench32.h - what the rows of bench32 share.
 *
 * Promises   A row's round() does the same work every time and returns the same value, 0 when there
 *            is nothing to check; the driver compares the values of all rounds, compare.py those of
 *            all machines.
 * Not here   The choice of how many rounds: main.c.
 */
#ifndef BENCH32_H
#define BENCH32_H

#include <stddef.h>
#include <stdint.h>

#define PAGE 4096u

struct row {
    const char *name; /* "group.row" */
    const char *unit; /* of which a round has `ops` */
    uint32_t ops;
    uint32_t (*round)(void);
    void (*setup)(void); /* both may be NULL */
    void (*teardown)(void);
};

/* One table per file, ended by a row without a name. */
extern const struct row integer_rows[], call_rows[], x87_rows[], sse_rows[], memory_rows[];
extern const struct row syscall_rows[], process_rows[], fault_rows[], file_rows[], smc_rows[];

/* The folder for test files; on tmpfs. */
extern const char *bench_dir;

/* Numbers that are the same everywhere. */
uint32_t bench_random(uint32_t *state);

/* Fresh memory in pages of 4 KiB (no huge ones: whether a system finds one is chance). */
void *bench_map(uint32_t size);
void bench_unmap(void *p, uint32_t size);

/* Ends the program with a message that names the system call. */
_Noreturn void bench_die(const char *what);

/* A system call by the entry that the kernel names in the aux vector (the vDSO's, with SYSENTER
 * where the CPU has it), as every dynamically linked program does it. The result is the kernel's:
 * negative for errors. */
long bench_syscall(long nr, long a, long b, long c, long d, long e);
void bench_syscall_setup(void);

/* As bench_syscall(), for calls that must not fail. */
static inline long bench_must(const char *what, long result)
{
    if (result < 0 && result > -4096)
        bench_die(what);
    return result;
}

#endif
