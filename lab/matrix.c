/* SPDX-License-Identifier: MIT */
/* matrix.c - see matrix.h. */
#include "lab/matrix.h"

#include <string.h>

#include "lab/run.h"
#include "monitor/cpu/trace.h"

/* What Linux stores for SGDT on a CPU with UMIP: the low half of 0xfffffffffffe0000. */
#define UMIP_GDT 0xfffe0000u

enum cell { NOT_RUN, VISIBLE, CLOSED, TRAPS };

struct result {
    struct seen seen[WAYS];
    bool ran[WAYS];
    bool umip; /* the host's CPU has it, and the host's kernel emulates */
};

static enum cell cell_of(const struct result *r, unsigned hole, unsigned column)
{
    const struct program *p = &programs[hole];
    const struct seen *s = &r->seen[column];

    /* Both have one CPU model there: nothing to see. */
    if (!r->ran[column] || (column == WAY_RING1 && hole == HOLE_cpuid) ||
        (column == WAY_TRANSLATED && !s->translated))
        return NOT_RUN;
    if (!way_is_true(p, s))
        return VISIBLE;
    return s->trapped ? TRAPS : CLOSED;
}

/* Is it what the host's kernel emulates, so that the instruction did trap? */
static bool is_umip(const struct result *r, unsigned hole)
{
    return r->umip && holes[hole].umip[0] && !r->seen[WAY_RING3].trapped;
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
    for (unsigned n = 0; n < WAYS; n++) {
        char text[32];
        snprintf(text, sizeof text, "%s%s", cell_name(cell_of(r, hole, n)),
                 n == WAY_RING3 && is_umip(r, hole) ? " (UMIP)" : "");
        fprintf(f, " %-15s", text);
    }
    fprintf(f, " 0x%08x", programs[hole].want & programs[hole].mask);
    if (cell_of(r, hole, WAY_RING3) == VISIBLE)
        fprintf(f, " / 0x%08x%s", r->seen[WAY_RING3].eax & programs[hole].mask,
                r->seen[WAY_RING3].iflag != programs[hole].wants_if ? ", IF" : "");
    fputc('\n', f);
}

static void print_row_json(FILE *f, unsigned hole, const struct result *r)
{
    const struct program *p = &programs[hole];

    fprintf(f, "{\"name\": \"%s\", \"want\": %u, \"mask\": %u, \"want_if\": %u", holes[hole].name,
            p->want, p->mask, p->wants_if);
    for (unsigned n = 0; n < WAYS; n++) {
        const struct seen *s = &r->seen[n];
        fprintf(f, ",\n  \"%s\": {\"cell\": \"%s\", \"eax\": %u, \"if\": %u", way_name(n),
                cell_name(cell_of(r, hole, n)), s->eax, s->iflag);
        if (s->trapped)
            fprintf(f, ", \"trap\": \"%s\"", trace_vector_name(s->trap));
        if (n == WAY_RING3)
            fprintf(f, ", \"umip\": %s", is_umip(r, hole) ? "true" : "false");
        fputc('}', f);
    }
    fputc('}', f);
}

static void print_head(FILE *f)
{
    fprintf(f, "%-17s", "");
    for (unsigned n = 0; n < WAYS; n++)
        fprintf(f, " %-15s", way_title(n));
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
    unsigned rows = 0, bad = 0;
    struct seen probe;

    bool umip = way_run(WAY_RING3, &programs[HOLE_sgdt], &probe) && probe.eax == UMIP_GDT;
    for (unsigned hole = 0; hole < HOLE_COUNT; hole++) {
        struct result r = {.umip = umip};
        if (only && strcmp(only, holes[hole].name) != 0)
            continue;
        if (!rows && !json)
            print_head(f);
        for (unsigned n = 0; n < WAYS; n++)
            r.ran[n] = way_run(n, &programs[hole], &r.seen[n]);
        for (unsigned n = WAY_INTERPRETED; n < WAYS; n++)
            bad += cell_of(&r, hole, n) != CLOSED;
        if (json) {
            fputs(rows ? ",\n " : "[", f);
            print_row_json(f, hole, &r);
        } else {
            print_row(f, hole, &r);
        }
        rows++;
    }
    if (!rows)
        return -1;
    if (json)
        fputs("]\n", f);
    else
        print_foot(f);
    return bad != 0;
}
