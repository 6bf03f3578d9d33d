/* SPDX-License-Identifier: MIT */
/*
 * main.c - bench32, the driver: measures every row for a while and prints a rate.
 *
 * The output, one line each, all on descriptor 1:
 *     bench32 init                          run as process 1; then becomes busybox's init
 *     bench32 begin                         the clock of `end` starts
 *     bench32 row NAME RATE UNIT CHECK MEAN
 *         RATE: in UNIT per second, the 90th percentile of many batches of a millisecond: shorter
 *         than the time slice of a busy machine, so that these batches had the CPU to themselves.
 *         MEAN: of all batches. CHECK: what a round computed, hexadecimal.
 *     bench32 skip NAME                     this CPU lacks the instructions
 *     bench32 wrong NAME FIRST NOW          a round's result differed from the first round's
 *     bench32 end NANOSECONDS               by this system's clock, since begin
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fnmatch.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "bench32.h"

#define ROUNDS_MAX  2000000000u
#define BATCH_NS    1000000u
#define BATCHES_MIN 8
#define BATCHES_MAX 4096

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

static uint64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* How many rounds should fill `min`, if `rounds` took `took`. Never below twice as many. */
static uint32_t more_rounds(uint32_t rounds, uint64_t took, uint64_t min)
{
    double factor = took ? 1.15 * (double)min / (double)took : 100;

    if (factor < 2)
        factor = 2;
    if (factor > 100)
        factor = 100;
    factor *= rounds;
    return factor > ROUNDS_MAX ? ROUNDS_MAX : (uint32_t)factor;
}

/* What a row's batches gave. */
struct result {
    uint32_t first, wrong, got; /* the first round's value; how many differed; the last of those */
    double good, mean;          /* rounds per nanosecond */
};

/* One batch; returns its nanoseconds. */
static uint64_t batch(const struct row *r, uint32_t rounds, struct result *out)
{
    uint64_t start = now();

    for (uint32_t i = 0; i < rounds; i++) {
        uint32_t value = r->round();
        if (value != out->first) {
            out->wrong++;
            out->got = value;
        }
    }
    start = now() - start;
    return start ? start : 1;
}

static int by_rate(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* The quickest of three, so that one interruption does not make a batch look long enough. */
static uint64_t batch_undisturbed(const struct row *r, uint32_t rounds, struct result *out)
{
    uint64_t least = UINT64_MAX;

    for (int i = 0; i < 3; i++) {
        uint64_t took = batch(r, rounds, out);
        least = took < least ? took : least;
        if (took > 50 * BATCH_NS)
            break; /* long anyway */
    }
    return least;
}

/* Finds a size of batch (and so warms up what there is to warm up), then runs batches for `min`. */
static void batches(const struct row *r, uint64_t min, struct result *out)
{
    static double rate[BATCHES_MAX];
    uint32_t rounds = 1, count = 0;
    uint64_t took, total = 0;

    out->first = r->round();
    while ((took = batch_undisturbed(r, rounds, out)) < BATCH_NS && rounds < ROUNDS_MAX)
        rounds = more_rounds(rounds, took, BATCH_NS);
    while (count < BATCHES_MAX && (count < BATCHES_MIN || total < min)) {
        took = batch(r, rounds, out);
        total += took;
        rate[count++] = rounds / (double)took;
    }
    qsort(rate, count, sizeof rate[0], by_rate);
    out->good = rate[count - 1 - count / 10];
    out->mean = (double)count * rounds / (double)total;
}

static int measure(const struct row *r, uint64_t min)
{
    struct result out = {0};
    double scale = r->ops * 1e9;

    if (r->setup)
        r->setup();
    batches(r, min, &out);
    if (r->teardown)
        r->teardown();
    if (out.wrong)
        dprintf(1, "bench32 wrong %s %x %x\n", r->name, out.first, out.got);
    else
        dprintf(1, "bench32 row %s %.6g %s %x %.6g\n", r->name, out.good * scale, r->unit,
                out.first, out.mean * scale);
    return out.wrong != 0;
}

static int measure_all(const char *glob, uint64_t min)
{
    int failed = 0;

    for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++)
        for (const struct row *r = tables[t]; r->name; r++) {
            if (fnmatch(glob, r->name, 0))
                continue;
            if (tables[t] == sse_rows && !__builtin_cpu_supports("sse2"))
                dprintf(1, "bench32 skip %s\n", r->name);
            else
                failed |= measure(r, min);
        }
    return failed;
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
    int c, failed;

    if (argc == 2 && strcmp(argv[1], "exit") == 0)
        return 0; /* the program of the exec rows */
    if (getpid() == 1)
        return be_init();
    while ((c = getopt(argc, argv, "lr:m:d:")) != -1) {
        if (c == 'r')
            glob = optarg;
        else if (c == 'm')
            min = strtoull(optarg, NULL, 10) * 1000000;
        else if (c == 'd')
            bench_dir = optarg;
        else if (c == 'l')
            return list(), 0;
        else
            return fprintf(stderr, "usage: bench32 [-l] [-r ROWS] [-m MILLISECONDS] [-d DIR]\n"), 2;
    }
    stay_on_this_cpu();
    bench_syscall_setup();
    dprintf(1, "\nbench32 begin\n");
    tcdrain(1);
    start = now();
    failed = measure_all(glob, min);
    dprintf(1, "bench32 end %llu\n", (unsigned long long)(now() - start));
    return failed;
}
