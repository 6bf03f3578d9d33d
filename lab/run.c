/* SPDX-License-Identifier: MIT */
/* run.c - see run.h. */
#define _GNU_SOURCE
#include "lab/run.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lab/naive.h"

#define LIMIT_MS 10000u
#define TICK_NS  200000l

static const struct way_row {
    const char *name, *title;
    enum exec_mode exec;
    int (*start)(struct micro *m, const struct program *p, struct seen *out);
} ways[WAYS] = {
    [WAY_RING3] = {"ring3", "ring 3, naive", EXEC_INTERPRET, naive_ring3_start},
    [WAY_RING1] = {"ring1", "ring 1, naive", EXEC_INTERPRET, naive_ring1_start},
    [WAY_INTERPRETED] = {"interpreted", "interpreted", EXEC_INTERPRET, NULL},
    [WAY_TRANSLATED] = {"translated", "translated", EXEC_TRANSLATE, NULL},
    [WAY_HARD_NAIVE] = {"metal-naive", "metal, naive", EXEC_TRANSLATE, NULL},
    [WAY_HARD_TRANSLATED] = {"metal-translated", "metal, transl.", EXEC_TRANSLATE, NULL},
    [WAY_HARD_DIRECT] = {"metal-direct", "metal, direct", EXEC_TRANSLATE, NULL},
};

bool way_is_true(const struct program *p, const struct seen *s)
{
    return s->ended && ((s->eax ^ p->want) & p->mask) == 0 && s->iflag == p->wants_if;
}

const char *way_name(enum way w)
{
    return ways[w].name;
}

const char *way_title(enum way w)
{
    return ways[w].title;
}

static _Noreturn void run_child(const struct way_row *w, const struct program *p, unsigned tries,
                                struct seen *out)
{
    uint64_t best = UINT64_MAX;
    static struct micro m;
    struct error e;

    if (micro_create(&m, w->exec, 0, -1, &e)) {
        say("%s", e.text);
        _exit(2);
    }
    micro_load(&m, p);
    if (w->start && w->start(&m, p, out))
        _exit(2);
    for (unsigned n = 0; n < tries; n++) {
        uint64_t traps = out->traps, callouts = out->callouts;
        if (n)
            micro_restart(&m, p);
        micro_run(&m, out);
        best = out->cycles < best ? out->cycles : best;
        if (n + 1 == tries) { /* of the last run alone */
            out->traps -= traps;
            out->callouts -= callouts;
        }
    }
    out->cycles = best;
    _exit(0);
}

/* Did the child come to its end by itself? */
static bool wait_child(pid_t child)
{
    const struct timespec tick = {.tv_nsec = TICK_NS};
    int status = -1;

    for (unsigned n = 0; n < LIMIT_MS * 1000000ull / TICK_NS; n++) {
        if (waitpid(child, &status, WNOHANG) == child)
            return WIFEXITED(status) && WEXITSTATUS(status) == 0;
        nanosleep(&tick, NULL);
    }
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    return false;
}

bool way_run(enum way w, const struct program *p, struct seen *out)
{
    return way_time(w, p, 1, out);
}

bool way_time(enum way w, const struct program *p, unsigned tries, struct seen *out)
{
    struct seen *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    memset(out, 0, sizeof *out);
    if (shared == MAP_FAILED)
        return false;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        run_child(&ways[w], p, tries, shared);
    bool ran = child > 0 && wait_child(child);
    *out = *shared;
    munmap(shared, sizeof *shared);
    return ran;
}
