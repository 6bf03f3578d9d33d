/* SPDX-License-Identifier: MIT */
/* options.c - the parser of `ring1 run`. See options.h; the syntax of single values is in
 * values.c. */
#include "cli/options.h"

#include <string.h>

const struct option_row option_rows[] = {
#define OPTION_GROUP(title) {.group = title},
#define OPTION(opt, str, argument, def, help)                                                      \
    {.name = str, .arg = argument, .text = help, .preset = def, .id = OPT_##opt},
#define OPTION_ALIAS(opt, str) {.name = str, .alias = true, .id = OPT_##opt},
#include "include/ring1/option.def"
#undef OPTION
};
const unsigned option_row_count = ARRAY_LEN(option_rows);

static const char *const arguments[OPT_COUNT] = {
#define OPTION(opt, str, argument, def, help) [OPT_##opt] = argument,
#include "include/ring1/option.def"
#undef OPTION
};

static const char *const presets[OPT_COUNT] = {
#define OPTION(opt, str, argument, def, help) [OPT_##opt] = def,
#include "include/ring1/option.def"
#undef OPTION
};

const char *option_preset(enum option_id id)
{
    return presets[id];
}

/* What decides between options only after all were seen. */
struct parser {
    struct config *cfg;
    struct error *e;
    bool nographic, display_none, nodefaults, vga_asked, snapshot;
    enum options_result result; /* a request for help wins over everything */
};

/* The i-th option name, for suggestions. */
static const char *option_name(unsigned i)
{
    for (unsigned r = 0; r < option_row_count; r++)
        if (option_rows[r].name && i-- == 0)
            return option_rows[r].name;
    return NULL;
}

static const struct option_row *find(const char *name, size_t len)
{
    for (unsigned r = 0; r < option_row_count; r++)
        if (option_rows[r].name && strlen(option_rows[r].name) == len &&
            !memcmp(option_rows[r].name, name, len))
            return &option_rows[r];
    return NULL;
}

static int only_none(struct parser *p, const char *option, const char *arg)
{
    if (!strcmp(arg, "none"))
        return 0;
    return error_set(p->e,
                     "-%s %s: this build of ring1 has no such device; only '-%s none' is possible",
                     option, arg, option);
}

static int set_vga(struct parser *p, const char *arg)
{
    if (strcmp(arg, "std") && strcmp(arg, "none"))
        return error_set(p->e, "-vga %s: unknown graphics card; ring1 knows std and none", arg);
    p->cfg->vga = !strcmp(arg, "std");
    p->vga_asked = true;
    return 0;
}

static int add_serial(struct parser *p, const char *arg)
{
    struct config *cfg = p->cfg;

    if (cfg->serial_count == MAX_SERIAL)
        return error_set(p->e, "-serial %s: a PC has %u serial ports at most, and all are taken",
                         arg, MAX_SERIAL);
    return value_console("serial", arg, &cfg->serial[cfg->serial_count++], p->e);
}

static int set_text(struct parser *p, const char *option, const char **to, const char *arg,
                    bool may_be_empty)
{
    if (!*arg && !may_be_empty)
        return error_set(p->e, "-%s needs a value that is not empty", option);
    *to = arg;
    return 0;
}

static int set_monitor(struct parser *p, const char *arg)
{
    if (!strcmp(arg, "none"))
        return 0;
    return error_set(
        p->e, "-monitor %s: ring1 has no monitor; -serial mon:stdio offers the Ctrl-A commands",
        arg);
}

static int add_folder(struct parser *p, const char *arg)
{
    struct config *cfg = p->cfg;

    if (cfg->firmware_folder_count == FIRMWARE_FOLDERS)
        return error_set(p->e, "-L was given more than %u times", FIRMWARE_FOLDERS);
    cfg->firmware_folder[cfg->firmware_folder_count++] = arg;
    return 0;
}

static void want_help(struct parser *p, enum options_result what)
{
    if (p->result == OPTIONS_RUN)
        p->result = what;
}

/* Where the argument of an option goes that is taken as it is. */
static const char **text_of(struct config *cfg, enum option_id id)
{
    switch (id) {
    case OPT_KERNEL:
        return &cfg->kernel;
    case OPT_INITRD:
        return &cfg->initrd;
    case OPT_APPEND:
        return &cfg->append;
    case OPT_BIOS:
        return &cfg->bios;
    case OPT_NAME:
        return &cfg->name;
    default:
        return &cfg->trace_path;
    }
}

static int apply(struct parser *p, const struct option_row *row, const char *arg)
{
    struct config *cfg = p->cfg;
    bool help = arg && (!strcmp(arg, "help") || !strcmp(arg, "?"));

    switch (row->id) {
    case OPT_KERNEL:
    case OPT_INITRD:
    case OPT_APPEND:
    case OPT_BIOS:
    case OPT_NAME:
    case OPT_TRACE_FILE:
        return set_text(p, row->name, text_of(cfg, row->id), arg, row->id == OPT_APPEND);
    case OPT_BOOT:
        return value_boot(arg, cfg, p->e);
    case OPT_FIRMWARE_FOLDER:
        return add_folder(p, arg);
    case OPT_GLOBAL:
        return value_global(arg, cfg, p->e);
    case OPT_MEMORY:
        return value_memory(arg, &cfg->ram_size, p->e);
    case OPT_CPU:
        return help ? (want_help(p, OPTIONS_CPU_HELP), 0) : value_cpu(arg, cfg, p->e);
    case OPT_SMP:
        return value_smp(arg, p->e);
    case OPT_MACHINE:
        return help ? (want_help(p, OPTIONS_MACHINE_HELP), 0) : value_machine(arg, cfg, p->e);
    case OPT_NO_ACPI:
        cfg->acpi = false;
        return 0;
    case OPT_RTC:
        return value_rtc(arg, cfg, p->e);
    case OPT_DEVICE:
        return help ? (want_help(p, OPTIONS_DEVICE_HELP), 0) : value_device(arg, cfg, p->e);
    case OPT_NOGRAPHIC:
        p->nographic = cfg->nographic = true;
        return 0;
    case OPT_SERIAL:
        return add_serial(p, arg);
    case OPT_DEBUGCON:
        return value_console("debugcon", arg, &cfg->debugcon, p->e);
    case OPT_DISPLAY:
        p->display_none = true;
        return only_none(p, row->name, arg);
    case OPT_VGA:
        return set_vga(p, arg);
    case OPT_NET:
    case OPT_PARALLEL:
        return only_none(p, row->name, arg);
    case OPT_MONITOR:
        return set_monitor(p, arg);
    case OPT_NODEFAULTS:
        p->nodefaults = true;
        return 0;
    case OPT_HDA:
    case OPT_HDB:
    case OPT_HDC:
    case OPT_HDD:
        return value_disk(row->name, arg, (int)(row->id - OPT_HDA), false, cfg, p->e);
    case OPT_CDROM:
        return value_disk(row->name, arg, 0, true, cfg, p->e);
    case OPT_DRIVE:
        return value_drive(arg, cfg, p->e);
    case OPT_BLOCKDEV:
        return value_blockdev(arg, cfg, p->e);
    case OPT_SNAPSHOT:
        p->snapshot = true;
        return 0;
    case OPT_NO_REBOOT:
        cfg->no_reboot = true;
        return 0;
    case OPT_NO_SHUTDOWN:
        cfg->no_shutdown = true;
        return 0;
    case OPT_EXEC:
        return value_exec(arg, cfg, p->e);
    case OPT_ACCEL:
        return value_accel(arg, cfg, p->e);
    case OPT_CACHE_SIZE:
        return value_cache_size(arg, &cfg->cache_size, p->e);
    case OPT_BT:
        return help ? (want_help(p, OPTIONS_KNOB_HELP), 0) : value_bt(arg, &cfg->bt, p->e);
    case OPT_SANDBOX:
        return value_sandbox(arg, &cfg->sandbox, p->e);
    case OPT_TRACE:
        return help ? (want_help(p, OPTIONS_TRACE_HELP), 0)
                    : value_trace(arg, &cfg->trace_mask, p->e);
    case OPT_STATS:
        cfg->stats = true;
        return 0;
    case OPT_HELP:
        want_help(p, OPTIONS_HELP);
        return 0;
    case OPT_VERSION:
        want_help(p, OPTIONS_VERSION);
        return 0;
    case OPT_COUNT:
        break;
    }
    return error_set(p->e, "-%s is not handled", row->name);
}

/* One option with its argument, at args[*i]. */
static int parse_one(struct parser *p, int count, char *const *args, int *i)
{
    const char *text = args[*i], *name = text, *arg;

    if (name[0] != '-' || !name[1])
        return error_set(
            p->e, "'%s' is no option; a kernel is named with -kernel, and options begin with '-'",
            text);
    name += name[1] == '-' ? 2 : 1;
    size_t len = strcspn(name, "=");
    const struct option_row *row = find(name, len);
    if (!row) {
        char wrong[32];
        size_t kept = len < sizeof wrong - 1 ? len : sizeof wrong - 1;
        memcpy(wrong, name, kept);
        wrong[kept] = 0;
        const char *near = suggest(wrong, option_name);
        return error_set(p->e, "unknown option '%s'%s%s; 'ring1 run --help' lists all", text,
                         near ? "; did you mean -" : "", near ? near : "");
    }
    bool inline_arg = name[len] == '=';
    if (!arguments[row->id]) {
        if (inline_arg)
            return error_set(p->e, "-%s takes no value", row->name);
        return apply(p, row, NULL);
    }
    if (inline_arg) {
        arg = name + len + 1;
    } else {
        if (*i + 1 >= count)
            return error_set(p->e, "-%s needs a value: %s", row->name, arguments[row->id]);
        arg = args[++*i];
    }
    return apply(p, row, arg);
}

/* What the rows say that holds without the option. Consoles depend on the other options and come
 * last. */
static int apply_presets(struct parser *p)
{
    for (unsigned r = 0; r < option_row_count; r++) {
        const struct option_row *row = &option_rows[r];
        if (row->preset && row->id != OPT_SERIAL && apply(p, row, row->preset))
            return -1;
    }
    return 0;
}

/* Consoles that were not asked for. */
static int default_consoles(struct parser *p)
{
    struct config *cfg = p->cfg;

    if (cfg->serial_count)
        return 0;
    if (p->nodefaults && !p->nographic)
        return 0;
    cfg->serial_count = 1;
    cfg->serial[0] = (struct console_spec){.kind = CONSOLE_NULL};
    bool wanted = p->nographic || !p->display_none;
    if (wanted && cfg->debugcon.kind != CONSOLE_STDIO)
        return value_console("serial", option_preset(OPT_SERIAL), &cfg->serial[0], p->e);
    return 0;
}

/* Kernels that end by isa-debug-exit are test kernels, and those of kvm-unit-tests take pc-testdev
 * for granted. The two go together wherever port 0xe9 is not the debug console's. */
static void default_devices(struct config *cfg)
{
    if (cfg->debug_exit && cfg->debugcon.kind == CONSOLE_NONE)
        cfg->testdev = true;
}

static int check_whole(struct parser *p)
{
    const struct config *cfg = p->cfg;
    unsigned stdio = cfg->debugcon.kind == CONSOLE_STDIO;

    for (unsigned i = 0; i < cfg->serial_count; i++)
        stdio += cfg->serial[i].kind == CONSOLE_STDIO;
    if (stdio > 1)
        return error_set(p->e, "stdio was given to more than one console; only one can have it");
    if (!cfg->kernel && cfg->initrd)
        return error_set(p->e, "-initrd needs a kernel to go with; add -kernel FILE");
    if (cfg->kernel && strcmp(cfg->bios, option_preset(OPT_BIOS)))
        return error_set(p->e, "a kernel is started without firmware; leave out -kernel or -bios");
    if (!cfg->kernel && cfg->append)
        return error_set(p->e, "-append needs a kernel to go with; add -kernel FILE");
    return 0;
}

enum options_result options_parse(struct config *cfg, int count, char *const *args, struct error *e)
{
    struct parser p = {.cfg = cfg, .e = e, .result = OPTIONS_RUN};

    *cfg = (struct config){0};
    if (apply_presets(&p))
        return OPTIONS_ERROR;
    p.vga_asked = false; /* but by the row */
    for (int i = 0; i < count; i++)
        if (parse_one(&p, count, args, &i))
            return OPTIONS_ERROR;
    if (p.result != OPTIONS_RUN)
        return p.result;
    default_devices(cfg);
    if (p.snapshot)
        drives_snapshot(cfg);
    if (p.nodefaults && !p.vga_asked)
        cfg->vga = false;
    if (default_consoles(&p) || check_whole(&p))
        return OPTIONS_ERROR;
    if (!cfg->append)
        cfg->append = "";
    return OPTIONS_RUN;
}
