/* SPDX-License-Identifier: MIT */
/*
 * cost.c - see cost.h.
 *
 * How        A loop of COPIES runs n and (MORE + 1) n times, each the fastest of some runs: the
 *            difference is what MORE n rounds cost, without start and translation.
 */
#include "lab/cost.h"

#include "lab/holes.h"
#include "lab/run.h"

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
    double cycles; /* negative: it did not run */
    bool trapped;  /* by a signal */
    bool callout;  /* out of the cache */
};

static bool time_rounds(enum way w, const struct loop *l, uint32_t rounds, struct seen *out)
{
    struct program p = {.code = l->code, .at = l->code, .end = l->end, .esi = rounds};

    return way_time(w, &p, TRIES, out) && out->ended;
}

static struct cost measure(const struct way_of_cost *w, const struct loop *l)
{
    struct cost c = {.cycles = -1};
    struct seen few, many;

    if (!time_rounds(w->way, l, w->rounds, &few) ||
        !time_rounds(w->way, l, (MORE + 1) * w->rounds, &many))
        return c;
    double copies = (double)w->rounds * COPIES * MORE;
    c.cycles = ((double)many.cycles - (double)few.cycles) / copies;
    if (c.cycles < 0)
        c.cycles = 0;
    c.trapped = (double)(many.traps - few.traps) > copies / 2;
    c.callout = (double)(many.callouts - few.callouts) > copies / 2;
    return c;
}

static const char *label(enum way w, const struct cost *c)
{
    if (c->cycles < 0)
        return "not run";
    if (w == WAY_RING3)
        return c->trapped ? "signal" : "native";
    if (w == WAY_TRANSLATED)
        return c->callout ? "callout" : "in cache";
    return "";
}

/* ---- forms ---- */

static void put_text(FILE *f, const struct loop *l, const struct cost *c)
{
    fprintf(f, "%-14s", l->text);
    for (unsigned n = 0; n < WAYS_OF_COST; n++)
        if (c[n].cycles < 0)
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
            fprintf(f, ", \"%s\": {\"cycles\": %.2f, \"how\": \"%s\"}", way_name(ways[n].way),
                    c[n].cycles, label(ways[n].way, &c[n]));
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
#define SVG_ROW    44
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
        fprintf(f, "<text x='%u' y='16' fill='%s'>%s</text>\n", SVG_LEFT + n * 120, ways[n].colour,
                way_title(ways[n].way));
    for (unsigned d = 0; d <= 6; d++)
        fprintf(f,
                "<line x1='%u' y1='40' x2='%u' y2='%u' stroke='#ddd'/>"
                "<text x='%u' y='36' text-anchor='middle'>1e%u cycles</text>\n",
                SVG_LEFT + d * SVG_DECADE, SVG_LEFT + d * SVG_DECADE,
                50 + (unsigned)ARRAY_LEN(loops) * SVG_ROW, SVG_LEFT + d * SVG_DECADE, d);
}

int cost_run(FILE *f, enum cost_form form)
{
    unsigned bad = 0;

    if (form == COST_SVG)
        put_svg_head(f);
    else if (form == COST_TEXT)
        fprintf(f, "%-14s %18s %18s %18s\n", "cycles", "ring 3, naive", "interpreted",
                "translated");
    for (unsigned n = 0; n < ARRAY_LEN(loops); n++) {
        struct cost c[WAYS_OF_COST];
        for (unsigned w = 0; w < WAYS_OF_COST; w++)
            c[w] = measure(&ways[w], &loops[n]);
        bad += c[WAYS_OF_COST - 1].cycles < 0;
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
        fprintf(f,
                "\nCycles of the host's time-stamp counter for the line's instructions. signal: "
                "it trapped, and a\nsignal's handler and the interpreter emulated it; native: it "
                "ran as it is, with what that\nshows; in cache: translated without leaving; "
                "callout: a call into the monitor.\n");
    return bad != 0;
}
