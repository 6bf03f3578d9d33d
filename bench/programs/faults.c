/* SPDX-License-Identifier: MIT */
/* faults.c - page faults, mappings and signals. */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench32.h"

#define TOUCHED   64u
#define MAPPINGS  10u
#define PROTECTED 16u
#define SIGNALS   5u

static char *guarded;
static volatile sig_atomic_t arrived;
static struct sigaction before;

/* A mapping's first touch of each page. */
static uint32_t touch(void)
{
    char *p = bench_map(TOUCHED * PAGE);
    uint32_t sum = 0;

    for (unsigned i = 0; i < TOUCHED; i++) {
        sum += (uint32_t)p[i * PAGE + 8];
        p[i * PAGE] = 1;
    }
    bench_unmap(p, TOUCHED * PAGE);
    return sum;
}

/* 64 KiB come and go; one page of them is used. */
static uint32_t map_unmap(void)
{
    for (unsigned i = 0; i < MAPPINGS; i++) {
        long p = bench_must("mmap2", bench_syscall(SYS_mmap2, 0, 16 * PAGE, PROT_READ | PROT_WRITE,
                                                   MAP_PRIVATE | MAP_ANONYMOUS, -1));
        *(volatile char *)p = 1;
        bench_must("munmap", bench_syscall(SYS_munmap, p, 16 * PAGE, 0, 0, 0));
    }
    return 0;
}

static void guarded_make(void)
{
    guarded = bench_map(PROTECTED * PAGE);
    for (unsigned i = 0; i < PROTECTED; i++)
        guarded[i * PAGE] = 1;
}

static void guarded_end(void)
{
    bench_unmap(guarded, PROTECTED * PAGE);
}

static void protect(int prot, unsigned pages)
{
    bench_must("mprotect",
               bench_syscall(SYS_mprotect, (long)guarded, (long)(pages * PAGE), prot, 0, 0));
}

static uint32_t mprotect_row(void)
{
    for (unsigned i = 0; i < MAPPINGS; i++) {
        protect(PROT_READ, PROTECTED);
        protect(PROT_READ | PROT_WRITE, PROTECTED);
    }
    return 0;
}

static void count(int signal)
{
    (void)signal;
    arrived++;
}

static void repair(int signal)
{
    (void)signal;
    arrived++;
    protect(PROT_READ | PROT_WRITE, 1);
}

static void handle(int signal, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler};

    if (sigaction(signal, &action, &before))
        bench_die("sigaction");
}

static void usr1_make(void)
{
    handle(SIGUSR1, count);
}

static void usr1_end(void)
{
    sigaction(SIGUSR1, &before, NULL);
}

static uint32_t signal_row(void)
{
    long self = getpid();

    arrived = 0;
    for (unsigned i = 0; i < SIGNALS; i++)
        bench_syscall(SYS_kill, self, SIGUSR1, 0, 0, 0);
    return (uint32_t)arrived;
}

static void segv_make(void)
{
    guarded_make();
    handle(SIGSEGV, repair);
}

static void segv_end(void)
{
    sigaction(SIGSEGV, &before, NULL);
    guarded_end();
}

/* The handler permits what failed; the instruction is repeated. */
static uint32_t segv(void)
{
    arrived = 0;
    for (unsigned i = 0; i < SIGNALS; i++) {
        protect(PROT_NONE, 1);
        *(volatile char *)guarded = (char)i;
    }
    return (uint32_t)arrived;
}

const struct row fault_rows[] = {
    {"mm.touch", "pages", TOUCHED, touch, NULL, NULL},
    {"mm.map_unmap", "pairs", MAPPINGS, map_unmap, NULL, NULL},
    {"mm.mprotect_16", "calls", 2 * MAPPINGS, mprotect_row, guarded_make, guarded_end},
    {"signal.deliver", "signals", SIGNALS, signal_row, usr1_make, usr1_end},
    {"signal.segv", "signals", SIGNALS, segv, segv_make, segv_end},
    {NULL, NULL, 0, NULL, NULL, NULL}};
