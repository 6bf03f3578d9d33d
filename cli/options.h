/* SPDX-License-Identifier: MIT */
/*
 * options.h - the options of `ring1 run`: the table (include/ring1/option.def) and the parser.
 *
 * Promises   options_parse() changes nothing but *cfg and *e, prints nothing, opens nothing.
 */
#ifndef RING1_CLI_OPTIONS_H
#define RING1_CLI_OPTIONS_H

#include "host/linux/config.h"
#include "host/linux/error.h"

enum option_id {
#define OPTION(id, name, arg, preset, text) OPT_##id,
#include "include/ring1/option.def"
#undef OPTION
    OPT_COUNT
};

/* A row of the table as the help, the completions and the man page want it, in order. */
struct option_row {
    const char *group; /* a heading; the members below are then NULL */
    const char *name, *arg, *text;
    const char *preset; /* the argument that holds without the option; NULL: none */
    bool alias;         /* another name of option `id`; arg as there, text NULL */
    enum option_id id;
};
extern const struct option_row option_rows[];
extern const unsigned option_row_count;

/* The preset of the option's row. */
const char *option_preset(enum option_id id);

enum options_result {
    OPTIONS_RUN,
    OPTIONS_ERROR, /* in *e */
    OPTIONS_HELP,
    OPTIONS_VERSION,
    OPTIONS_CPU_HELP,
    OPTIONS_TRACE_HELP,
    OPTIONS_DEVICE_HELP,
    OPTIONS_MACHINE_HELP,
    OPTIONS_KNOB_HELP,
};

/* args: what follows `run`. Strings in *cfg point into args. */
enum options_result options_parse(struct config *cfg, int count, char *const *args,
                                  struct error *e);

/* ---- values; each returns 0, or -1 with *e (values.c) ---- */
int value_memory(const char *text, uint64_t *bytes, struct error *e);
int value_console(const char *option, const char *text, struct console_spec *out, struct error *e);
int value_rtc(const char *text, struct config *cfg, struct error *e);
int value_device(const char *text, struct config *cfg, struct error *e);
int value_machine(const char *text, struct config *cfg, struct error *e);
int value_boot(const char *text, struct config *cfg, struct error *e);
int value_global(const char *text, struct config *cfg, struct error *e);
int value_smp(const char *text, struct error *e);
int value_cpu(const char *text, struct config *cfg, struct error *e);
int value_trace(const char *text, uint32_t *mask, struct error *e);

/* ... and those of values_exec.c */
int value_exec(const char *text, struct config *cfg, struct error *e);
int value_accel(const char *text, struct config *cfg, struct error *e);
int value_cache_size(const char *text, uint64_t *bytes, struct error *e);
int value_bt(const char *text, struct bt_options *to, struct error *e);
int value_sandbox(const char *text, enum sandbox_mode *mode, struct error *e);

/* ... and of values_drive.c: each adds a drive to *cfg, or gives one a place. `index`: of the four
 * drives; `list`: what follows the device's name, NULL: nothing. */
int value_drive(const char *text, struct config *cfg, struct error *e);
int value_disk(const char *option, const char *file, int index, bool cdrom, struct config *cfg,
               struct error *e);
int value_blockdev(const char *text, struct config *cfg, struct error *e);
int value_ide_device(const char *text, bool cdrom, const char *list, struct config *cfg,
                     struct error *e);
/* -snapshot: for all drives that do not say otherwise. */
void drives_snapshot(struct config *cfg);

/* ---- suggestions (suggest.c) ---- */
/* How many insertions, deletions, substitutions and swaps of neighbours turn a into b. Both are
 * names of at most 31 characters. */
unsigned edit_distance(const char *a, const char *b);
/* The name nearest to `wrong`, if it is near enough to be what was meant, else NULL. name(i) is the
 * i-th name, NULL after the last. */
const char *suggest(const char *wrong, const char *(*name)(unsigned i));

#endif
