/* SPDX-License-Identifier: MIT */
/*
 * main.c - bench32, the driver: measures rows and prints rates, all at once or one by one on order.
 *
 * The output, one line each, all on descriptor 1:
 *     bench32 init                          run as process 1; then becomes busybox's init
 *     bench32 begin                         the clock of `end` starts
 *     bench32 row NAME RATE UNIT CHECK MEAN
 *         RATE: in UNIT per second, the 90th percentile of many batches of a millisecond. MEAN: of
 *         all batches. CHECK: what a round computed, hexadecimal.
 *     bench32 skip NAME                     this CPU lacks the instructions
 *     bench32 wrong NAME FIRST NOW          a round's result differed from the first round's
 *     bench32 end NANOSECONDS               by this system's clock, since begin
 *     bench32 failed WHAT                   and ends
 *
 * With -s it takes commands from descriptor 0, one line each, and answers each with one line:
 *     open NAME                             sets the row up: `open NAME`, or `skip NAME`
 *     run MILLISECONDS                      measures the open row: `row ...` or `wrong ...`
 *     close                                 undoes the setup: `close NAME`
 *     end                                   `end ...`, and ends; so does the end of the input
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fnmatch.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <termios.h>
#include <unistd.h>

#include "measure.h"

const char *bench_dir = "/tmp";
static uintptr_t kernel_entry;

static const struct row *const tables[] = {integer_rows, call_rows,    x87_rows,     sse_rows,
                                           memory_rows,  syscall_rows, process_rows, fault_rows,
                                           file_rows,    smc_rows};

uint32_t bench_random(uint32_t *state)
{
    uint32_t x = *state;

    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return *state = x;
}

_Noreturn void bench_die(const char *what)
{
    dprintf(1, "bench32 failed %s: %s\n", what, strerror(errno));
    exit(1);
}

void *bench_map(uint32_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        bench_die("mmap");
    madvise(p, size, MADV_NOHUGEPAGE); /* a kernel without huge pages refuses, and is right */
    return p;
}

void bench_unmap(void *p, uint32_t size)
{
    if (munmap(p, size))
        bench_die("munmap");
}

long bench_syscall(long nr, long a, long b, long c, long d, long e)
{
    long result;

    __asm__ volatile("call *%1"
                     : "=a"(result)
                     : "m"(kernel_entry), "0"(nr), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
                     : "memory", "cc");
    return result;
}

void bench_syscall_setup(void)
{
    kernel_entry = getauxval(AT_SYSINFO);
    if (!kernel_entry) {
        errno = ENOSYS;
        bench_die("AT_SYSINFO");
    }
}

/* Two processes of a row are to take turns, on every machine. */
static void stay_on_this_cpu(void)
{
    cpu_set_t set;
    int cpu = sched_getcpu();

    CPU_ZERO(&set);
    CPU_SET(cpu < 0 ? 0 : cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
}

/* Whether this CPU can run the rows of the table. */
static int can_run(const struct row *table)
{
    return table != sse_rows || __builtin_cpu_supports("sse2");
}

static int run(struct measurement *m, uint64_t min)
{
    const struct row *r = m->row;

    measure_run(m, min);
    if (m->wrong)
        dprintf(1, "bench32 wrong %s %x %x\n", r->name, m->first, m->got);
    else
        dprintf(1, "bench32 row %s %.6g %s %x %.6g\n", r->name, m->good, r->unit, m->first,
                m->mean);
    return m->wrong != 0;
}

/* The rows that the glob names, one after the other. */
static int run_all(const char *glob, uint64_t min)
{
    struct measurement m;
    int failed = 0;

    for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++)
        for (const struct row *r = tables[t]; r->name; r++) {
            if (fnmatch(glob, r->name, 0))
                continue;
            if (!can_run(tables[t])) {
                dprintf(1, "bench32 skip %s\n", r->name);
                continue;
            }
            measure_open(&m, r);
            failed |= run(&m, min);
            measure_close(&m);
        }
    return failed;
}

static void open_row(struct measurement *m, const char *name)
{
    for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++)
        for (const struct row *r = tables[t]; r->name; r++) {
            if (strcmp(name, r->name))
                continue;
            if (can_run(tables[t]))
                measure_open(m, r);
            dprintf(1, "bench32 %s %s\n", can_run(tables[t]) ? "open" : "skip", name);
            return;
        }
    errno = ENOENT;
    bench_die(name);
}

/* Reads a line of the input without its end; 0 at the end of the input. A byte at a time: what
 * follows stays in the kernel, not in a buffer that fork() copies. */
static int read_line(char *line, size_t size)
{
    size_t n = 0;
    char c;

    while (read(0, &c, 1) == 1) {
        if (c == '\n') {
            line[n] = 0;
            return 1;
        }
        if (c != '\r' && n < size - 1)
            line[n++] = c;
    }
    return 0;
}

static int serve(void)
{
    struct measurement m = {0};
    char line[100], name[64];
    unsigned ms;
    int failed = 0;

    while (read_line(line, sizeof line) && strcmp(line, "end")) {
        if (!m.row && sscanf(line, "open %63s", name) == 1)
            open_row(&m, name);
        else if (m.row && sscanf(line, "run %u", &ms) == 1)
            failed |= run(&m, ms * (uint64_t)1000000);
        else if (m.row && !strcmp(line, "close")) {
            strcpy(name, m.row->name);
            measure_close(&m);
            dprintf(1, "bench32 close %s\n", name);
        } else {
            errno = EINVAL;
            bench_die(line);
        }
    }
    return failed;
}

/* A terminal that passes lines on and returns nothing by itself. */
static void quiet_terminal(void)
{
    struct termios t;

    if (tcgetattr(0, &t))
        return; /* no terminal */
    t.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
    tcsetattr(0, TCSANOW, &t);
}

static void list(void)
{
    for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++)
        for (const struct row *r = tables[t]; r->name; r++)
            printf("%s %s\n", r->name, r->unit);
}

/* Process 1 of a guest: says that it lives. */
static int be_init(void)
{
    dprintf(1, "\nbench32 init\n");
    execl("/bin/busybox", "init", (char *)NULL);
    bench_die("/bin/busybox");
}

int main(int argc, char **argv)
{
    const char *glob = "*";
    uint64_t min = 300000000, start;
    int c, failed, serving = 0;

    if (argc == 2 && strcmp(argv[1], "exit") == 0)
        return 0; /* the program of the exec rows */
    if (getpid() == 1)
        return be_init();
    while ((c = getopt(argc, argv, "lsr:m:d:")) != -1) {
        if (c == 'r')
            glob = optarg;
        else if (c == 'm')
            min = strtoull(optarg, NULL, 10) * 1000000;
        else if (c == 'd')
            bench_dir = optarg;
        else if (c == 's')
            serving = 1;
        else if (c == 'l')
            return list(), 0;
        else
            return fprintf(stderr, "usage: bench32 [-l] [-s] [-r ROWS] [-m MS] [-d DIR]\n"), 2;
    }
    stay_on_this_cpu();
    bench_syscall_setup();
    if (serving)
        quiet_terminal();
    dprintf(1, "\nbench32 begin\n");
    tcdrain(1);
    start = measure_now();
    failed = serving ? serve() : run_all(glob, min);
    dprintf(1, "bench32 end %llu\n", (unsigned long long)(measure_now() - start));
    return failed;
}
