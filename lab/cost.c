/* SPDX-License-Identifier: MIT */
/*
 * cost.c - see cost.h.
 *
 * How        A loop of COPIES runs n and (MORE + 1) n times, each the fastest of some runs: the
 *            difference is what MORE n rounds cost, without start and translation.
 */
#include "lab/cost.h"

#include "lab/holes.h"

#define COPIES 8u
#define MORE   4u
#define TRIES  7u

static const struct way_of_cost {
    enum way way;
    uint32_t rounds; /* so that it takes some ten milliseconds at most */
    const char *colour;
} ways[] = {
    {WAY_RING3, 200, "#c0392b"},
    {WAY_INTERPRETED, 2000, "#7f8c8d"},
    {WAY_TRANSLATED, 10000, "#2471a3"},
    {WAY_HARD_NAIVE, 20, "#d35400"},
    {WAY_HARD_TRANSLATED, 2000, "#17a589"},
};
#define WAYS_OF_COST ARRAY_LEN(ways)

#define COST(name, text) extern const uint8_t lab_cost_##name[], lab_cost_end_##name[];
#include "lab/cost.def"
#undef COST

static const struct loop {
    const char *name, *text;
    const uint8_t *code, *end;
} loops[] = {
#define COST(name, text) {#name, text, lab_cost_##name, lab_cost_end_##name},
#include "lab/cost.def"
#undef COST
};

struct cost {
    double cycles; /* or instructions of the emulated machine; negative: it did not run */
    bool trapped;  /* by a signal */
    bool callout;  /* out of the cache */
};

/* What the machine of hard.h measured: each loop with few rounds, then with many. */
static struct {
    struct seen seen[WAYS_OF_COST][2 * ARRAY_LEN(loops)];
    const char *why[WAYS_OF_COST];
} hard;

static struct program program_of(const struct loop *l, uint32_t rounds)
{
    return (struct program){.code = l->code, .at = l->code, .end = l->end, .esi = rounds};
}

static void run_hard(const struct hard_machine *m)
{
    struct hard_machine counting = *m;

    counting.count = true;
    for (unsigned w = 0; w < WAYS_OF_COST; w++) {
        struct program p[2 * ARRAY_LEN(loops)];
        struct hard_job job[2 * ARRAY_LEN(loops)];
        if (ways[w].way < WAY_HARD)
            continue;
        for (unsigned n = 0; n < ARRAY_LEN(p); n++) {
            p[n] = program_of(&loops[n / 2], ways[w].rounds * (n % 2 ? MORE + 1 : 1));
            job[n] = (struct hard_job){.name = loops[n / 2].name, .program = &p[n], .runs = TRIES};
        }
        hard.why[w] = hard_run(&counting, ways[w].way, job, ARRAY_LEN(job), hard.seen[w]);
    }
}

static bool time_rounds(const struct way_of_cost *w, const struct loop *l, bool many,
                        struct seen *out)
{
    size_t column = (size_t)(w - ways);

    if (w->way >= WAY_HARD) {
        *out = hard.seen[column][2 * (l - loops) + many];
        return !hard.why[column] && out->ended;
    }
    struct program p = program_of(l, w->rounds * (many ? MORE + 1 : 1));
    return way_time(w->way, &p, TRIES, out) && out->ended;
}

static struct cost measure(const struct way_of_cost *w, const struct loop *l)
{
    struct cost c = {.cycles = -1};
    struct seen few, many;

    if (!time_rounds(w, l, false, &few) || !time_rounds(w, l, true, &many))
        return c;
    double copies = (double)w->rounds * COPIES * MORE;
    c.cycles = ((double)many.cycles - (double)few.cycles) / copies;
    if (c.cycles < 0)
        c.cycles = 0;
    /* Those of a way on the machine are of all its runs. */
    double of = w->way < WAY_HARD ? copies : copies * TRIES;
    c.trapped = (double)many.traps - (double)few.traps > of / 2;
    c.callout = (double)many.callouts - (double)few.callouts > of / 2;
    return c;
}

static const char *label(enum way w, const struct cost *c)
{
    if (c->cycles < 0)
        return "not run";
    if (w == WAY_RING3)
        return c->trapped ? "signal" : "native";
    if (w == WAY_HARD_NAIVE)
        return c->trapped ? "#GP" : "native";
    if (w == WAY_TRANSLATED || w == WAY_HARD_TRANSLATED)
        return c->callout ? "callout" : "in cache";
    return "";
}

static const char *unit(enum way w)
{
    return w < WAY_HARD ? "cycles" : "instructions";
}

/* ---- forms ---- */

static void put_text(FILE *f, const struct loop *l, const struct cost *c)
{
    fprintf(f, "%-14s", l->text);
    for (unsigned n = 0; n < WAYS_OF_COST; n++)
        if (hard.why[n])
            continue;
        else if (c[n].cycles < 0)
            fprintf(f, " %18s", "not run");
        else
            fprintf(f, " %9.1f %-8s", c[n].cycles, label(ways[n].way, &c[n]));
    fputc('\n', f);
}

static void put_json(FILE *f, const struct loop *l, const struct cost *c)
{
    fprintf(f, "{\"name\": \"%s\", \"code\": \"%s\"", l->name, l->text);
    for (unsigned n = 0; n < WAYS_OF_COST; n++)
        if (c[n].cycles >= 0)
            fprintf(f, ", \"%s\": {\"%s\": %.2f, \"how\": \"%s\"}", way_name(ways[n].way),
                    unit(ways[n].way), c[n].cycles, label(ways[n].way, &c[n]));
    fputc('}', f);
}

/* The decimal logarithm of x, at least 1, to a thousandth: digit by digit, in binary. */
static double log_10(double x)
{
    double result = 0, step = 0.5;

    for (; x >= 10; x /= 10)
        result++;
    for (unsigned n = 0; n < 10; n++, step /= 2) {
        x *= x;
        if (x >= 10) {
            x /= 10;
            result += step;
        }
    }
    return result;
}

/* A bar for each way, on a logarithmic scale from 1 to 1 million cycles. */
#define SVG_LEFT   130
#define SVG_DECADE 100
#define SVG_ROW    68
#define SVG_BAR    12

static void put_svg(FILE *f, unsigned row, const struct loop *l, const struct cost *c)
{
    unsigned top = 50 + row * SVG_ROW;

    fprintf(f, "<text x='%d' y='%u' text-anchor='end'>%s</text>\n", SVG_LEFT - 8, top + 22,
            l->text);
    for (unsigned n = 0; n < WAYS_OF_COST; n++) {
        double width = c[n].cycles > 1 ? SVG_DECADE * log_10(c[n].cycles) : 1;
        unsigned y = top + n * SVG_BAR;
        if (c[n].cycles < 0)
            continue;
        fprintf(f,
                "<rect x='%d' y='%u' width='%.1f' height='%d' fill='%s'/>"
                "<text x='%.1f' y='%u'>%.1f %s</text>\n",
                SVG_LEFT, y, width, SVG_BAR - 2, ways[n].colour, SVG_LEFT + width + 4, y + 9,
                c[n].cycles, label(ways[n].way, &c[n]));
    }
}

static void put_svg_head(FILE *f)
{
    fprintf(f,
            "<svg xmlns='http://www.w3.org/2000/svg' width='860' height='%u' "
            "font-family='sans-serif' font-size='10'>\n"
            "<rect width='100%%' height='100%%' fill='white'/>\n",
            60 + (unsigned)ARRAY_LEN(loops) * SVG_ROW);
    for (unsigned n = 0; n < WAYS_OF_COST; n++)
        fprintf(f, "<text x='%u' y='16' fill='%s'>%s, %s</text>\n", 20 + n * 170, ways[n].colour,
                way_title(ways[n].way), unit(ways[n].way));
    for (unsigned d = 0; d <= 6; d++)
        fprintf(f,
                "<line x1='%u' y1='40' x2='%u' y2='%u' stroke='#ddd'/>"
                "<text x='%u' y='36' text-anchor='middle'>1e%u</text>\n",
                SVG_LEFT + d * SVG_DECADE, SVG_LEFT + d * SVG_DECADE,
                50 + (unsigned)ARRAY_LEN(loops) * SVG_ROW, SVG_LEFT + d * SVG_DECADE, d);
}

static void put_text_head(FILE *f)
{
    fprintf(f, "%-14s", "");
    for (unsigned n = 0; n < WAYS_OF_COST; n++)
        if (!hard.why[n])
            fprintf(f, " %9s %-8s", "", way_title(ways[n].way));
    fputc('\n', f);
}

static void put_text_foot(FILE *f)
{
    const char *said = NULL;

    fprintf(f, "\nCycles of the host's time-stamp counter for the line's instructions. signal: it "
               "trapped, and a\nsignal's handler and the interpreter emulated it; native: it ran "
               "as it is, with what that\nshows; in cache: translated without leaving; callout: a "
               "call into the monitor.\n\nmetal: instructions, not cycles, that the emulated "
               "machine (QEMU, -icount) executed for the\nline's. #GP: it trapped into ring 0, "
               "whose monitor in ring 1 emulated it.\n");
    for (unsigned n = 0; n < WAYS_OF_COST; n++)
        if (hard.why[n] && hard.why[n] != said)
            fprintf(f, "No column '%s': %s.\n", way_title(ways[n].way), said = hard.why[n]);
}

int cost_run(FILE *f, const struct hard_machine *machine, enum cost_form form)
{
    unsigned bad = 0;

    run_hard(machine);

    if (form == COST_SVG)
        put_svg_head(f);
    else if (form == COST_TEXT)
        put_text_head(f);
    for (unsigned n = 0; n < ARRAY_LEN(loops); n++) {
        struct cost c[WAYS_OF_COST];
        for (unsigned w = 0; w < WAYS_OF_COST; w++)
            c[w] = measure(&ways[w], &loops[n]);
        for (unsigned w = 0; w < WAYS_OF_COST; w++)
            bad += ways[w].way != WAY_RING3 && !hard.why[w] && c[w].cycles < 0;
        if (form == COST_SVG)
            put_svg(f, n, &loops[n], c);
        else if (form == COST_JSON)
            fputs(n ? ",\n " : "[", f), put_json(f, &loops[n], c);
        else
            put_text(f, &loops[n], c);
    }
    if (form == COST_SVG)
        fputs("</svg>\n", f);
    else if (form == COST_JSON)
        fputs("]\n", f);
    else
        put_text_foot(f);
    return bad != 0;
}
