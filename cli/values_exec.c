/* SPDX-License-Identifier: MIT */
/* values_exec.c - the arguments of the options about how guest code runs: -exec, -accel,
 * -cache-size, -bt, -sandbox. See options.h. */
#include <stdio.h>
#include <string.h>

#include "bt/cache/options.h"
#include "cli/help.h"
#include "cli/options.h"
#include "cli/values_priv.h"

/* ---- -exec ---- */

static const struct {
    const char *name;
    enum exec_mode mode;
} modes[] = {
    {"interpret", EXEC_INTERPRET},
    {"translate", EXEC_TRANSLATE},
    {"lockstep", EXEC_LOCKSTEP},
};

static const char *mode_name(unsigned i)
{
    return i < ARRAY_LEN(modes) ? modes[i].name : NULL;
}

int value_exec(const char *text, struct config *cfg, struct error *e)
{
    for (unsigned i = 0; i < ARRAY_LEN(modes); i++) {
        if (!strcmp(text, modes[i].name)) {
            cfg->exec = modes[i].mode;
            return 0;
        }
    }
    const char *near = suggest(text, mode_name);
    return error_set(e, "-exec %s: unknown mode%s%s; it can be interpret, translate or lockstep",
                     text, near ? "; did you mean " : "", near ? near : "");
}

/* ---- -cache-size ---- */

static int parse_cache_size(const char *option, const char *text, uint64_t *bytes, struct error *e)
{
    uint64_t size;

    if (!parse_size(text, &size))
        return error_set(e, "-%s%s is no size; write for example -%s64M", option, text, option);
    if (size < CACHE_MIN || size > CACHE_MAX)
        return error_set(e, "-%s%s is out of range; a code cache has %llu to %llu MiB", option,
                         text, CACHE_MIN / MIB, CACHE_MAX / MIB);
    *bytes = (size + GUEST_PAGE_MASK) & ~(uint64_t)GUEST_PAGE_MASK;
    return 0;
}

int value_cache_size(const char *text, uint64_t *bytes, struct error *e)
{
    return parse_cache_size("cache-size ", text, bytes, e);
}

/* ---- -accel: QEMU's way to say -exec translate -cache-size N ---- */

int value_accel(const char *text, struct config *cfg, struct error *e)
{
    char piece[64];
    const char *list = next_piece(text, piece, sizeof piece);
    const char *name = value_of(piece, "accel");

    if (!name)
        name = piece;
    if (strcmp(name, "tcg"))
        return error_set(e,
                         "-accel %s: ring1 needs no help of the CPU or the kernel and has only "
                         "its translator, which is called tcg here as in QEMU; see also -exec",
                         text);
    cfg->exec = EXEC_TRANSLATE;
    while (list) {
        list = next_piece(list, piece, sizeof piece);
        const char *size = value_of(piece, "tb-size"), *thread = value_of(piece, "thread");
        if (size) {
            if (parse_cache_size("accel tcg,tb-size=", size, &cfg->cache_size, e))
                return -1;
        } else if (!thread || (strcmp(thread, "single") && strcmp(thread, "multi"))) {
            return error_set(e, "-accel %s: '%s' is unknown; ring1 knows tb-size=N", text, piece);
        }
    }
    return 0;
}

/* ---- -bt ---- */

enum knob_kind { KNOB_IS_OFF, KNOB_IS_SET, KNOB_IS_NUMBER };

static const struct knob {
    const char *name;
    enum knob_kind kind;
    size_t at; /* in struct bt_options: a bool, or a uint16_t */
    unsigned min, max;
    const char *text;
} knobs[] = {
#define KNOB_OFF(str, member, help)                                                                \
    {.name = str, .kind = KNOB_IS_OFF, .at = offsetof(struct bt_options, member), .text = help},
#define KNOB_SET(str, member, help)                                                                \
    {.name = str, .kind = KNOB_IS_SET, .at = offsetof(struct bt_options, member), .text = help},
#define KNOB_NUMBER(str, member, low, high, help)                                                  \
    {.name = str,                                                                                  \
     .kind = KNOB_IS_NUMBER,                                                                       \
     .at = offsetof(struct bt_options, member),                                                    \
     .min = low,                                                                                   \
     .max = high,                                                                                  \
     .text = help},
#include "cli/knob.def"
#undef KNOB_OFF
#undef KNOB_SET
#undef KNOB_NUMBER
};

static const char *knob_name(unsigned i)
{
    return i < ARRAY_LEN(knobs) ? knobs[i].name : NULL;
}

/* `value`: what follows "=", NULL when nothing does. */
static int turn_knob(const struct knob *k, const char *text, const char *value,
                     struct bt_options *to, struct error *e)
{
    bool on = true;
    uint64_t n;

    if (k->kind == KNOB_IS_NUMBER) {
        if (!value || !parse_number(value, k->max, &n) || n < k->min)
            return error_set(e, "-bt %s: %s is a number from %u to %u", text, k->name, k->min,
                             k->max);
        uint16_t number = (uint16_t)n;
        memcpy((char *)to + k->at, &number, sizeof number);
        return 0;
    }
    if (value ? on_off(value, &on) != 0 : k->kind == KNOB_IS_OFF)
        return error_set(e, "-bt %s: %s is on or off", text, k->name);
    bool member = k->kind == KNOB_IS_SET ? on : !on;
    memcpy((char *)to + k->at, &member, sizeof member);
    return 0;
}

int value_bt(const char *text, struct bt_options *to, struct error *e)
{
    char piece[64];
    const char *list = text;

    while (list) {
        unsigned i = 0;
        list = next_piece(list, piece, sizeof piece);
        char *value = strchr(piece, '=');
        if (value)
            *value++ = 0;
        while (i < ARRAY_LEN(knobs) && strcmp(piece, knobs[i].name))
            i++;
        if (i == ARRAY_LEN(knobs)) {
            const char *near = suggest(piece, knob_name);
            return error_set(e, "-bt %s: unknown knob '%s'%s%s; '-bt help' lists them", text, piece,
                             near ? "; did you mean " : "", near ? near : "");
        }
        if (turn_knob(&knobs[i], text, value, to, e))
            return -1;
    }
    return 0;
}

void help_knobs(FILE *f)
{
    fprintf(f, "Knobs of the translator for -bt, for tests and measurements:\n");
    for (unsigned i = 0; i < ARRAY_LEN(knobs); i++) {
        const char *value[] = {"=on|off", "", "=N"};
        char word[32];
        snprintf(word, sizeof word, "%s%s", knobs[i].name, value[knobs[i].kind]);
        fprintf(f, "  %-20s %s%s\n", word, knobs[i].text,
                knobs[i].kind == KNOB_IS_OFF ? " (default on)" : "");
    }
}

/* ---- -sandbox ---- */

/* Is it one of QEMU's further words? They forbid what is forbidden here in any case. */
static bool is_denial(const char *piece)
{
    static const char *const denied[] = {"obsolete", "elevateprivileges", "spawn",
                                         "resourcecontrol"};

    for (unsigned i = 0; i < ARRAY_LEN(denied); i++) {
        const char *value = value_of(piece, denied[i]);
        if (value && !strcmp(value, "deny"))
            return true;
    }
    return false;
}

int value_sandbox(const char *text, enum sandbox_mode *mode, struct error *e)
{
    char piece[64];
    const char *list = next_piece(text, piece, sizeof piece);
    const char *word = value_of(piece, "enable");
    bool on;

    if (!word)
        word = piece;
    if (!strcmp(word, "report"))
        *mode = SANDBOX_REPORT;
    else if (!on_off(word, &on))
        *mode = on ? SANDBOX_ON : SANDBOX_OFF;
    else
        return error_set(e, "-sandbox %s: the sandbox is on, off or report", text);
    while (list) {
        list = next_piece(list, piece, sizeof piece);
        if (!is_denial(piece))
            return error_set(e,
                             "-sandbox %s: '%s' is unknown; ring1's sandbox has no parts to "
                             "choose from",
                             text, piece);
    }
    return 0;
}
