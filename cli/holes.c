/* SPDX-License-Identifier: MIT */
/* holes.c - see holes.h: the laboratory's subcommands are a table. */
#include "cli/holes.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cli/metal.h"
#include "host/linux/error.h"
#include "include/ring1/types.h"
#include "lab/cost.h"
#include "lab/demo.h"
#include "lab/explain.h"
#include "lab/holes.h"
#include "lab/matrix.h"
#include "lab/shadow.h"

static int list(int count, char **args)
{
    if (count == 0)
        holes_list(stdout);
    else if (count == 1 && strcmp(args[0], "--json") == 0)
        holes_list_json(stdout);
    else {
        say("'ring1 holes list' takes nothing but --json");
        return 1;
    }
    return 0;
}

/* The machine of its own, if its image is built. */
static struct hard_machine find_machine(bool wanted)
{
    static char image[PATH_MAX + 64];

    return (struct hard_machine){
        .image = wanted && metal_find_image(image, sizeof image) == 0 ? image : NULL,
        .unwanted = !wanted};
}

static int run(int count, char **args)
{
    const char *only = NULL;
    bool json = false, metal = true;

    for (int n = 0; n < count; n++)
        if (strcmp(args[n], "--json") == 0) {
            json = true;
        } else if (strcmp(args[n], "--no-metal") == 0) {
            metal = false;
        } else if (args[n][0] != '-' && !only) {
            only = args[n];
        } else {
            say("'ring1 holes run' takes the name of a row, --json and --no-metal");
            return 1;
        }
    struct hard_machine machine = find_machine(metal);
    int status = matrix_run(stdout, &machine, only, json);
    if (status < 0)
        say("no row is called '%s'; 'ring1 holes list' has their names", only);
    return status != 0;
}

/* --block ADDR -kernel FILE, and options of the guest's. */
static int explain_code(int count, char **args)
{
    struct explain_guest g = {.append = "", .seconds = 10};
    const char *at = NULL, *seconds = NULL;
    const struct {
        const char *name, **value;
    } options[] = {{"--block", &at},
                   {"-kernel", &g.kernel},
                   {"-initrd", &g.initrd},
                   {"-append", &g.append},
                   {"--seconds", &seconds}};
    char *end = NULL, *rest = NULL;

    for (int n = 0; n < count; n += 2) {
        unsigned k = 0;
        while (k < ARRAY_LEN(options) && strcmp(args[n], options[k].name) != 0)
            k++;
        if (k == ARRAY_LEN(options) || n + 1 == count) {
            say("'ring1 holes explain --block ADDR -kernel FILE' takes -initrd FILE, -append TEXT "
                "and --seconds N, not '%s'",
                args[n]);
            return 1;
        }
        *options[k].value = args[n + 1];
    }
    unsigned long long address = at ? strtoull(at, &end, 16) : 0;
    if (seconds)
        g.seconds = (unsigned)strtoul(seconds, &rest, 10);
    if (!at || end == at || *end || address > UINT32_MAX || !g.kernel || (rest && *rest) ||
        !g.seconds || g.seconds > 3600) {
        say("'ring1 holes explain' wants --block with a linear address (c1000000), -kernel with a "
            "file, and at most 3600 --seconds");
        return 1;
    }
    return explain_block(stdout, (uint32_t)address, &g);
}

static int explain_one(int count, char **args)
{
    if (count && strcmp(args[0], "--block") == 0)
        return explain_code(count, args);
    if (count != 1 || args[0][0] == '-') {
        say("'ring1 holes explain' takes one mnemonic (POPF), or bytes of code (9d)");
        return 1;
    }
    int status = explain(stdout, args[0]);
    if (status < 0)
        say("'%s' is no row of 'ring1 holes list', and no bytes in hexadecimal", args[0]);
    return status != 0;
}

static int demo_all(int count, char **args)
{
    if (count) {
        say("'ring1 holes demo' takes no argument, but '%s' was given", args[0]);
        return 1;
    }
    return demo(stdout);
}

static int shadow_paging(int count, char **args)
{
    if (count) {
        say("'ring1 holes shadow' takes no argument, but '%s' was given", args[0]);
        return 1;
    }
    return shadow(stdout);
}

static int cost(int count, char **args)
{
    static const char *const forms[] = {
        [COST_TEXT] = "", [COST_JSON] = "--json", [COST_SVG] = "--svg"};
    unsigned form = COST_TEXT;
    bool metal = true;

    for (int n = 0; n < count; n++) {
        unsigned named = COST_JSON;
        while (named < ARRAY_LEN(forms) && strcmp(args[n], forms[named]) != 0)
            named++;
        if (strcmp(args[n], "--no-metal") == 0) {
            metal = false;
        } else if (named < ARRAY_LEN(forms) && form == COST_TEXT) {
            form = named;
        } else {
            say("'ring1 holes cost' takes nothing but --json or --svg, and --no-metal");
            return 1;
        }
    }
    struct hard_machine machine = find_machine(metal);
    return cost_run(stdout, &machine, form);
}

static const struct row {
    const char *name, *arguments, *text;
    int (*run)(int count, char **args);
} rows[] = {
    {"list", "[--json]", "every sensitive instruction, and what it does in each ring", list},
    {"explain", "MNEMONIC|BYTES", "what the translator makes of it, line by line", explain_one},
    {"explain", "--block ADDR -kernel FILE...", "the same of a guest's code, as it runs",
     explain_one},
    {"run", "[NAME] [--json] [--no-metal]",
     "execute each: naive, interpreted, translated, directly", run},
    {"demo", "", "kernels that go wrong when deprivileged naively, and right when translated",
     demo_all},
    {"shadow", "", "shadow page tables at work: hidden and true page faults", shadow_paging},
    {"cost", "[--json|--svg] [--no-metal]", "what they cost: signal, #GP, interpreted, translated",
     cost},
};

static int usage(FILE *f)
{
    fprintf(f, "The holes of x86: why a kernel cannot just run in ring 1 or 3.\n\n");
    for (unsigned n = 0; n < ARRAY_LEN(rows); n++)
        fprintf(f, "  ring1 holes %s %-*s  %s\n", rows[n].name, (int)(34 - strlen(rows[n].name)),
                rows[n].arguments, rows[n].text);
    fprintf(f, "\ndocs/lab/README.md is a worksheet that goes through them.\n");
    return f == stdout ? 0 : 1;
}

int cmd_holes(int count, char **args)
{
    if (count && (strcmp(args[0], "--help") == 0 || strcmp(args[0], "-h") == 0))
        return usage(stdout);
    if (!count)
        return usage(stderr);
    for (unsigned n = 0; n < ARRAY_LEN(rows); n++)
        if (strcmp(args[0], rows[n].name) == 0)
            return rows[n].run(count - 1, args + 1);
    say("unknown subcommand '%s' of 'ring1 holes'; 'ring1 holes --help' lists them", args[0]);
    return 1;
}
