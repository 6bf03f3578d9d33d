/* SPDX-License-Identifier: MIT */
/* matrix.c - see matrix.h. */
#include "lab/matrix.h"

#include <string.h>

#include "monitor/cpu/trace.h"

/* What Linux stores for SGDT on a CPU with UMIP: the low half of 0xfffffffffffe0000. */
#define UMIP_GDT 0xfffe0000u

/* A cell that tells nothing: of an emulator's quirk. */
enum cell { NOT_RUN, VISIBLE, CLOSED, TRAPS, QUIRK };

struct result {
    struct seen seen[WAYS];
    bool ran[WAYS];
    bool umip; /* the host's CPU has it, and the host's kernel emulates */
};

static enum cell cell_of(const struct result *r, unsigned hole, unsigned column)
{
    const struct program *p = &programs[hole];
    const struct seen *s = &r->seen[column];
    bool hard = column >= WAY_HARD;

    /* The interpreter has one CPU model in both rings: nothing to see. */
    if (!r->ran[column] || (column == WAY_RING1 && hole == HOLE_cpuid) ||
        (column == WAY_TRANSLATED && !s->translated))
        return NOT_RUN;
    if (column == WAY_HARD_NAIVE && hard_quirk(hole))
        return QUIRK;
    if (!way_is_true(p, s))
        return VISIBLE;
    return s->trapped && (!hard || column == WAY_HARD_NAIVE) ? TRAPS : CLOSED;
}

/* Must the guest see what ring 0 sees? */
static bool must_close(unsigned column)
{
    return column == WAY_INTERPRETED || column == WAY_TRANSLATED || column == WAY_HARD_TRANSLATED ||
           column == WAY_HARD_DIRECT;
}

/* A machine that did not run is no failure; one that did has closed all. */
static bool is_bad(const struct result *r, unsigned hole, unsigned column)
{
    if (!must_close(column) || (column >= WAY_HARD && !r->ran[column]))
        return false;
    return cell_of(r, hole, column) != CLOSED;
}

/* Is it what the host's kernel emulates, so that the instruction did trap? */
static bool is_umip(const struct result *r, unsigned hole)
{
    return r->umip && holes[hole].umip[0] && !r->seen[WAY_RING3].trapped;
}

static const char *cell_name(enum cell c)
{
    static const char *const names[] = {"not run", "visible", "closed", "traps", "quirk"};

    return names[c];
}

/* ---- the machine's columns ---- */

/* What all rows saw there; why[] says why not. */
static struct {
    struct seen seen[WAYS][HOLE_COUNT];
    const char *why[WAYS];
} hard;

static void run_hard(const struct hard_machine *m, const char *only)
{
    struct hard_job job[HOLE_COUNT];
    struct seen seen[HOLE_COUNT];

    for (unsigned w = WAY_HARD; w < WAYS; w++) {
        unsigned row[HOLE_COUNT], count = 0;
        for (unsigned hole = 0; hole < HOLE_COUNT; hole++) {
            if (only && strcmp(only, holes[hole].name) != 0)
                continue;
            row[count] = hole;
            job[count++] =
                (struct hard_job){.name = holes[hole].name, .program = &programs[hole], .runs = 1};
        }
        if (!count)
            return;
        hard.why[w] = hard_run(m, w, job, count, seen);
        for (unsigned n = 0; n < count; n++)
            hard.seen[w][row[n]] = seen[n];
    }
}

/* ---- printing ---- */

static void print_row(FILE *f, unsigned hole, const struct result *r)
{
    fprintf(f, "%-16s", holes[hole].name);
    for (unsigned n = 0; n < WAYS; n++) {
        char text[32];
        if (n >= WAY_HARD && !r->ran[n])
            continue;
        snprintf(text, sizeof text, "%s%s%s", cell_name(cell_of(r, hole, n)),
                 n == WAY_RING3 && is_umip(r, hole) ? " (UMIP)" : "",
                 n == WAY_HARD_DIRECT && r->seen[n].direct ? " (bare)" : "");
        fprintf(f, " %-14s", text);
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
        fprintf(f, ",\n  \"%s\": {\"cell\": \"%s\"", way_name(n), cell_name(cell_of(r, hole, n)));
        if (n >= WAY_HARD && !r->ran[n]) {
            fputs(", \"why\": ", f);
            json_string(f, hard.why[n]);
            fputc('}', f);
            continue;
        }
        fprintf(f, ", \"eax\": %u, \"if\": %u", s->eax, s->iflag);
        if (s->trapped)
            fprintf(f, ", \"trap\": \"%s\"", trace_vector_name(s->trap));
        if (n == WAY_RING3)
            fprintf(f, ", \"umip\": %s", is_umip(r, hole) ? "true" : "false");
        if (n == WAY_HARD_NAIVE && hard_quirk(hole)) {
            fputs(", \"why\": ", f);
            json_string(f, hard_quirk(hole));
        }
        if (n == WAY_HARD_DIRECT)
            fprintf(f, ", \"bare\": %s", s->direct ? "true" : "false");
        fputc('}', f);
    }
    fputc('}', f);
}

static void print_head(FILE *f)
{
    fprintf(f, "%-16s", "");
    for (unsigned n = 0; n < WAYS; n++)
        if (n < WAY_HARD || !hard.why[n])
            fprintf(f, " %-14s", way_title(n));
    fprintf(f, " ring 0 sees / ring 3 saw\n");
}

static void print_foot(FILE *f)
{
    const char *said = NULL;

    fprintf(f, "\n"
               "visible   the micro-guest sees something else than in ring 0\n"
               "closed    it sees what ring 0 sees\n"
               "traps     so it does, since the instruction trapped and was emulated\n"
               "quirk     what it saw is the emulator's doing, see below\n"
               "(UMIP)    the host's kernel emulated it: the values are Linux's, not the "
               "machine's\n"
               "(bare)    all of it ran on the CPU itself at CPL 1; what trapped was interpreted. "
               "Without:\n          the page was not clean, and the translator ran it\n\n"
               "ring 3, naive: on this CPU in compatibility mode, in a process; ring 1, naive: as "
               "the SDM\nhas it, by the interpreter. metal: in ring 1 of a machine of ring1's own "
               "(QEMU's x86-64 CPU,\nwithout UMIP), naive as the CPU has it. Naive columns emulate "
               "what traps and nothing else.\n");
    for (unsigned n = WAY_HARD; n < WAYS; n++)
        if (hard.why[n] && hard.why[n] != said)
            fprintf(f, "No column '%s': %s.\n", way_title(n), said = hard.why[n]);
    for (unsigned hole = 0; hole < HOLE_COUNT && !hard.why[WAY_HARD_NAIVE]; hole++)
        if (hard_quirk(hole))
            fprintf(f, "quirk of %s: %s.\n", holes[hole].name, hard_quirk(hole));
}

static void run_row(struct result *r, unsigned hole)
{
    for (unsigned n = 0; n < WAY_HARD; n++)
        r->ran[n] = way_run(n, &programs[hole], &r->seen[n]);
    for (unsigned n = WAY_HARD; n < WAYS; n++) {
        r->ran[n] = !hard.why[n];
        r->seen[n] = hard.seen[n][hole];
    }
}

int matrix_run(FILE *f, const struct hard_machine *machine, const char *only, bool json)
{
    unsigned rows = 0, bad = 0;
    struct seen probe;

    bool umip = way_run(WAY_RING3, &programs[HOLE_sgdt], &probe) && probe.eax == UMIP_GDT;
    run_hard(machine, only);
    for (unsigned hole = 0; hole < HOLE_COUNT; hole++) {
        struct result r = {.umip = umip};
        if (only && strcmp(only, holes[hole].name) != 0)
            continue;
        if (!rows && !json)
            print_head(f);
        run_row(&r, hole);
        for (unsigned n = 0; n < WAYS; n++)
            bad += is_bad(&r, hole, n);
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
