/* SPDX-License-Identifier: MIT */
/* matrix.c - see matrix.h. */
#define _GNU_SOURCE
#include "lab/matrix.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lab/naive.h"
#include "monitor/cpu/trace.h"

#define LIMIT_MS 10000u
#define TICK_NS  200000l

enum column { RING3, RING1, INTERPRETED, TRANSLATED, COLUMNS };

/* What Linux stores for SGDT on a CPU with UMIP: the low half of 0xfffffffffffe0000. */
#define UMIP_GDT 0xfffe0000u

enum cell { NOT_RUN, VISIBLE, CLOSED, TRAPS };

struct result {
    struct seen seen[COLUMNS];
    bool ran[COLUMNS];
    bool umip; /* the host's CPU has it, and the host's kernel emulates */
};

static const struct way {
    const char *name, *title;
    enum exec_mode exec;
    int (*start)(struct micro *m, const struct program *p, struct seen *out);
} ways[COLUMNS] = {
    [RING3] = {"ring3", "ring 3, naive", EXEC_INTERPRET, naive_ring3_start},
    [RING1] = {"ring1", "ring 1, naive", EXEC_INTERPRET, naive_ring1_start},
    [INTERPRETED] = {"interpreted", "interpreted", EXEC_INTERPRET, NULL},
    [TRANSLATED] = {"translated", "translated", EXEC_TRANSLATE, NULL},
};

/* ---- a cell ---- */

static _Noreturn void run_child(const struct way *w, const struct program *p, struct seen *out)
{
    static struct micro m;
    struct error e;

    if (micro_create(&m, w->exec, 0, -1, &e)) {
        say("%s", e.text);
        _exit(2);
    }
    micro_load(&m, p);
    if (w->start && w->start(&m, p, out))
        _exit(2);
    micro_run(&m, out);
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

static bool run_cell(const struct way *w, const struct program *p, struct seen *shared,
                     struct seen *out)
{
    memset(shared, 0, sizeof *shared);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        run_child(w, p, shared);
    bool ran = child > 0 && wait_child(child);
    *out = *shared;
    return ran;
}

static enum cell cell_of(const struct result *r, unsigned hole, unsigned column)
{
    const struct program *p = &programs[hole];
    const struct seen *s = &r->seen[column];

    /* Both are one CPU model here: nothing to see. */
    if (!r->ran[column] || (column == RING1 && hole == HOLE_cpuid) ||
        (column == TRANSLATED && !s->translated))
        return NOT_RUN;
    if (!s->ended || (s->eax & p->mask) != (p->want & p->mask) || s->iflag != p->wants_if)
        return VISIBLE;
    return s->trapped ? TRAPS : CLOSED;
}

/* Is it what the host's kernel emulates, so that the instruction did trap? */
static bool is_umip(const struct result *r, unsigned hole)
{
    return r->umip && holes[hole].umip[0] && !r->seen[RING3].trapped;
}

static const char *cell_name(enum cell c)
{
    static const char *const names[] = {"not run", "visible", "closed", "traps"};

    return names[c];
}

/* ---- printing ---- */

static void print_row(FILE *f, unsigned hole, const struct result *r)
{
    fprintf(f, "%-17s", holes[hole].name);
    for (unsigned n = 0; n < COLUMNS; n++) {
        char text[32];
        snprintf(text, sizeof text, "%s%s", cell_name(cell_of(r, hole, n)),
                 n == RING3 && is_umip(r, hole) ? " (UMIP)" : "");
        fprintf(f, " %-15s", text);
    }
    fprintf(f, " 0x%08x", programs[hole].want & programs[hole].mask);
    if (cell_of(r, hole, RING3) == VISIBLE)
        fprintf(f, " / 0x%08x%s", r->seen[RING3].eax & programs[hole].mask,
                r->seen[RING3].iflag != programs[hole].wants_if ? ", IF" : "");
    fputc('\n', f);
}

static void print_row_json(FILE *f, unsigned hole, const struct result *r)
{
    const struct program *p = &programs[hole];

    fprintf(f, "{\"name\": \"%s\", \"want\": %u, \"mask\": %u, \"want_if\": %u", holes[hole].name,
            p->want, p->mask, p->wants_if);
    for (unsigned n = 0; n < COLUMNS; n++) {
        const struct seen *s = &r->seen[n];
        fprintf(f, ",\n  \"%s\": {\"cell\": \"%s\", \"eax\": %u, \"if\": %u", ways[n].name,
                cell_name(cell_of(r, hole, n)), s->eax, s->iflag);
        if (s->trapped)
            fprintf(f, ", \"trap\": \"%s\"", trace_vector_name(s->trap));
        if (n == RING3)
            fprintf(f, ", \"umip\": %s", is_umip(r, hole) ? "true" : "false");
        fputc('}', f);
    }
    fputc('}', f);
}

static void print_head(FILE *f)
{
    fprintf(f, "%-17s", "");
    for (unsigned n = 0; n < COLUMNS; n++)
        fprintf(f, " %-15s", ways[n].title);
    fprintf(f, " ring 0 sees / ring 3 saw\n");
}

static void print_foot(FILE *f)
{
    fprintf(f, "\n"
               "visible   the micro-guest sees something else than in ring 0\n"
               "closed    it sees what ring 0 sees\n"
               "traps     so it does, since the instruction trapped and was emulated\n"
               "(UMIP)    the host's kernel emulated it: the values are Linux's, not the "
               "machine's\n\n"
               "ring 3, naive: on this CPU in compatibility mode, in a process; ring 1, naive: as "
               "the SDM\nhas it, by the interpreter. Both emulate what traps and nothing else.\n");
}

int matrix_run(FILE *f, const char *only, bool json)
{
    struct seen *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    unsigned rows = 0, bad = 0;
    struct seen probe;

    if (shared == MAP_FAILED)
        return 1;
    bool umip =
        run_cell(&ways[RING3], &programs[HOLE_sgdt], shared, &probe) && probe.eax == UMIP_GDT;
    for (unsigned hole = 0; hole < HOLE_COUNT; hole++) {
        struct result r = {.umip = umip};
        if (only && strcmp(only, holes[hole].name) != 0)
            continue;
        if (!rows && !json)
            print_head(f);
        for (unsigned n = 0; n < COLUMNS; n++)
            r.ran[n] = run_cell(&ways[n], &programs[hole], shared, &r.seen[n]);
        for (unsigned n = INTERPRETED; n < COLUMNS; n++)
            bad += cell_of(&r, hole, n) != CLOSED;
        if (json) {
            fputs(rows ? ",\n " : "[", f);
            print_row_json(f, hole, &r);
        } else {
            print_row(f, hole, &r);
        }
        rows++;
    }
    munmap(shared, sizeof *shared);
    if (!rows)
        return -1;
    if (json)
        fputs("]\n", f);
    else
        print_foot(f);
    return bad != 0;
}
