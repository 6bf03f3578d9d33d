/* SPDX-License-Identifier: MIT */
/* crash.c - the reports of our own bugs: VMM_CHECK, a stray pointer, a second crash in the
 * report. */
/* uses: host/linux/signals.c host/linux/dump.c */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/linux/machine.h"
#include "host/linux/signals.h"

static void fail_check(void)
{
    int pages = 1;

    __asm__ volatile("" : "+r"(pages));
    VMM_CHECK(pages == 2);
}

static void stray_write(void)
{
    volatile char *p = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    *p = 1;
}

/* The compiler's own trap is no VMM_CHECK: rdi and rdx point nowhere. */
static void plain_trap(void)
{
    __asm__ volatile("ud2" : : "D"(1), "S"(2), "d"(3));
}

/* A debug trap, with TF and without: nothing to end for. */
static void debug_traps(void)
{
    __asm__ volatile(".byte 0xf1\n pushfq; orl $0x100, (%%rsp); popfq; nop; nop" ::
                         : "cc", "memory");
}

static void breakpoint(void)
{
    __asm__ volatile("int3");
}

/* Runs fn in a process of its own; its exit status, and what it wrote to standard error. */
static int crash(void (*fn)(void), char *text, size_t cap)
{
    static struct machine m;
    int fd[2], status;
    ssize_t n;
    size_t len = 0;

    cr_assert_eq(pipe(fd), 0);
    pid_t child = fork();
    if (child == 0) {
        struct error e;

        dup2(fd[1], STDERR_FILENO);
        m.host.trace_fd = -1;
        m.vcpu = calloc(1, sizeof *m.vcpu);
        m.vcpu->gpr[EAX] = 0x12345678;
        if (signals_install(&m, &e) == 0)
            fn();
        _exit(77);
    }
    close(fd[1]);
    while ((n = read(fd[0], text + len, cap - 1 - len)) > 0)
        len += (size_t)n;
    text[len] = 0;
    close(fd[0]);
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

Test(crash, reports)
{
    char text[8192];

    cr_expect_eq(crash(fail_check, text, sizeof text), 1);
    cr_expect(strstr(text, "ring1: internal error at ") && strstr(text, "crash.c:") &&
                  strstr(text, ": pages == 2; please report it with the guest's registers:"),
              "VMM_CHECK: %s", text);
    cr_expect(strstr(text, "eax 0x12345678"), "no registers: %s", text);
    cr_expect_eq(crash(stray_write, text, sizeof text), 1);
    cr_expect(strstr(text, "ring1: internal error: signal 11 (SEGV) at host address 0x") &&
                  strstr(text, "accessing 0x") && strstr(text, "\nhost registers:\r\nrax 0x") &&
                  strstr(text, "\nrip is ring1+0x") && strstr(text, "\ncode at rip: "),
              "a stray write: %s", text);
    cr_expect(strstr(text, "\nsignal 11 code 2 (0x2) trap 14 error 0x6 rflags 0x"), "codes: %s",
              text);
    cr_expect_eq(crash(breakpoint, text, sizeof text), 1);
    cr_expect(strstr(text, "\nsignal 5 code 128 (0x80) trap 3 "), "INT3: %s", text);
    cr_expect_eq(crash(debug_traps, text, sizeof text), 77, "debug traps: %s", text);
    cr_expect_eq(crash(plain_trap, text, sizeof text), 1);
    cr_expect(strstr(text, "ring1: internal error: signal 4 (ILL)"), "a trap: %s", text);
    cr_expect_eq(crash(abort, text, sizeof text), 1);
    cr_expect(strstr(text, "signal 6 (ABRT) came from process"), "abort(): %s", text);
}
