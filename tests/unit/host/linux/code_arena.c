/* SPDX-License-Identifier: MIT */
/*
 * code_arena.c - generated code is written through one view and executed through another: neither
 * view can do both, nor can any other mapping of the process, before and after a guest ran.
 */
/* uses: host/linux/code_arena.c */
#define _GNU_SOURCE
#include "tests/rig/guest_run.h"

#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "host/linux/code_arena.h"

struct mapping {
    uint64_t first, end;
    char rights[5]; /* "rwxs" */
};

/* Calls look(mapping, arg) for each mapping of the process; returns how many there are. */
static unsigned each_mapping(void (*look)(const struct mapping *, void *), void *arg)
{
    FILE *f = fopen("/proc/self/maps", "r");
    char line[512];
    struct mapping m;
    unsigned n = 0;

    cr_assert(f);
    while (fgets(line, sizeof line, f)) {
        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s", &m.first, &m.end, m.rights) != 3)
            continue;
        look(&m, arg);
        n++;
    }
    fclose(f);
    return n;
}

static void expect_not_both(const struct mapping *m, void *when)
{
    cr_expect(m->rights[1] != 'w' || m->rights[2] != 'x', "%s: %" PRIx64 "-%" PRIx64 " is %s",
              (const char *)when, m->first, m->end, m->rights);
}

/* A view: every page of it is mapped with these rights. */
struct view {
    uint64_t first, end, seen;
    const char *rights;
};

static void check_view(const struct mapping *m, void *arg)
{
    struct view *v = arg;

    if (m->end <= v->first || m->first >= v->end)
        return;
    cr_expect(!strcmp(m->rights, v->rights), "%" PRIx64 "-%" PRIx64 " is %s, not %s", m->first,
              m->end, m->rights, v->rights);
    v->seen += (m->end < v->end ? m->end : v->end) - (m->first > v->first ? m->first : v->first);
}

static void expect_view(const void *at, size_t size, const char *rights)
{
    struct view v = {(uintptr_t)at, (uintptr_t)at + size, 0, rights};

    each_mapping(check_view, &v);
    cr_expect_eq(v.seen, size, "%zu of %zu bytes mapped", (size_t)v.seen, size);
}

static void expect_views(const struct host_code_arena *a)
{
    cr_assert(a->size);
    expect_view(a->rw, a->size, "rw-s");
    expect_view(a->rx, a->size, "r-xs");
}

/* ---- tries ---- */

static sigjmp_buf escape;
static volatile uint64_t trap_error, trap_address;

#define PF_WRITE 2u
#define PF_FETCH 16u

static void on_segv(int sig, siginfo_t *info, void *context)
{
    (void)sig;
    trap_error = (uint64_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_ERR];
    trap_address = (uintptr_t)info->si_addr;
    siglongjmp(escape, 1);
}

static void expect_trap(const struct host_code_arena *a, size_t at, bool execute)
{
    static const uint8_t ret = 0xc3;
    const uint8_t *where = execute ? a->rw + at : a->rx + at;

    a->rw[at] = ret;
    trap_error = 0;
    if (!sigsetjmp(escape, 1)) {
        if (execute)
            ((void (*)(void))(uintptr_t)where)();
        else
            *(volatile uint8_t *)(uintptr_t)where = 0x90;
        cr_expect(false, "%s went well at 0x%zx", execute ? "execution" : "a write", at);
        return;
    }
    cr_expect(trap_error & (execute ? PF_FETCH : PF_WRITE), "error code %" PRIx64, trap_error);
    cr_expect_eq(trap_address, (uintptr_t)where);
    cr_expect_eq(a->rx[at], ret, "nothing was written");
}

static void try_views(const struct host_code_arena *a)
{
    struct sigaction sa = {.sa_sigaction = on_segv, .sa_flags = SA_SIGINFO};

    sigaction(SIGSEGV, &sa, NULL);
    for (unsigned execute = 0; execute < 2; execute++) {
        expect_trap(a, 0, execute);
        expect_trap(a, a->size / 2, execute);
        expect_trap(a, a->size - 1, execute);
    }
    a->rw[5] = 0xc3; /* and this is how it is meant */
    ((void (*)(void))(uintptr_t)(a->rx + 5))();
}

Test(code_arena, views)
{
    struct host_code_arena a;

    each_mapping(expect_not_both, "at the start");
    cr_assert_eq(code_arena_create(&a, 100000), 0);
    cr_expect(a.size >= 100000 && a.size % GUEST_PAGE_SIZE == 0);
    cr_expect(a.rx >= a.rw + a.size || a.rw >= a.rx + a.size, "they do not overlap");
    each_mapping(expect_not_both, "with an arena");
    expect_views(&a);
    try_views(&a);
    code_arena_destroy(&a);
}

Test(code_arena, of_a_machine)
{
    struct machine *m = guest_run("smc", (struct bt_options){0});

    cr_expect(each_mapping(expect_not_both, "behind a guest") > 10);
    expect_views(&m->host.cpu.stubs);
    expect_views(&m->host.cpu.cache);
    try_views(&m->host.cpu.cache);
    machine_destroy(m);
    munmap(m, sizeof *m);
    each_mapping(expect_not_both, "at the end");
}
