/* SPDX-License-Identifier: MIT */
/* options.c - the parser of `ring1 run`: every option's good and bad values, defaults,
 * suggestions. */
/* uses: cli/options.c cli/values.c cli/values_exec.c cli/suggest.c host/linux/error.c */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/options.h"
#include "include/ring1/trace.h"

#define MAX_ARGS 24

/* Splits at '|' and parses. */
static enum options_result parse(const char *line, struct config *cfg, struct error *e)
{
    char *args[MAX_ARGS + 1];
    int n = 0;

    e->text[0] = 0;
    for (char *s = strdup(line); s && *line; s = strchr(s, '|')) {
        if (n)
            *s++ = 0;
        args[n++] = s;
        cr_assert(n <= MAX_ARGS);
    }
    return options_parse(cfg, n, args, e);
}

Test(options, memory)
{
    static const struct {
        const char *text;
        uint64_t bytes; /* 0: an error */
    } rows[] = {
        {"256", 256 * MIB},
        {"1", MIB},
        {"64M", 64 * MIB},
        {"1G", 1024 * MIB},
        {"1g", 1024 * MIB},
        {"2048", 2048 * MIB},
        {"3584", 3584 * MIB},
        {"262144k", 256 * MIB},
        {"size=256", 256 * MIB},
        {"size=1G", 1024 * MIB},
        {"1.5G", 1536 * MIB},
        {"0.5g", 512 * MIB},
        {"1048577b", MIB + 4096},
        {"268435456b", 256 * MIB},
        {"", 0},
        {"0", 0},
        {"-1", 0},
        {"+1", 0},
        {"abc", 0},
        {"256X", 0},
        {"256MB", 0},
        {"256 M", 0},
        {" 256", 0},
        {"3585", 0},
        {"4G", 0},
        {"1T", 0},
        {"1k", 0},
        {"0x100", 0},
        {"1.G", 0},
        {".5G", 0},
        {"1e3", 0},
        {"99999999999999999999999", 0},
        {"18446744073709551615", 0},
        {"size=", 0},
        {"size=256,slots=2", 0},
        {"256,maxmem=1G", 0},
        {"256,foo", 0},
        {"size=256,", 0},
        {",", 0},
        {"4294967296.999999999999999999T", 0},
        {"NaN", 0},
    };
    struct error e;

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t bytes = 0;
        int err = value_memory(rows[i].text, &bytes, &e);
        cr_expect(err ? rows[i].bytes == 0 : bytes == rows[i].bytes, "row %u (-m %s): %d, %llu", i,
                  rows[i].text, err, (unsigned long long)bytes);
        if (err)
            cr_expect(e.text[0] && !strchr(e.text, '\n'), "row %u: no sentence", i);
    }
}

Test(options, consoles)
{
    static const struct {
        const char *text;
        int kind; /* -1: an error */
        bool mux, server, wait;
        const char *path;
    } rows[] = {
        {"stdio", CONSOLE_STDIO, false, false, false, ""},
        {"mon:stdio", CONSOLE_STDIO, true, false, false, ""},
        {"none", CONSOLE_NONE, false, false, false, ""},
        {"null", CONSOLE_NULL, false, false, false, ""},
        {"pty", CONSOLE_PTY, false, false, false, ""},
        {"file:/tmp/x,y", CONSOLE_FILE, false, false, false, "/tmp/x,y"},
        {"unix:/tmp/s", CONSOLE_UNIX, false, false, false, "/tmp/s"},
        {"unix:/tmp/s,server", CONSOLE_UNIX, false, true, true, "/tmp/s"},
        {"unix:/tmp/s,server,nowait", CONSOLE_UNIX, false, true, false, "/tmp/s"},
        {"unix:/tmp/s,server=on,wait=off", CONSOLE_UNIX, false, true, false, "/tmp/s"},
        {"unix:/tmp/s,server=off", CONSOLE_UNIX, false, false, false, "/tmp/s"},
        {"", -1, false, false, false, ""},
        {"stdi", -1, false, false, false, ""},
        {"file:", -1, false, false, false, ""},
        {"unix:", -1, false, false, false, ""},
        {"unix:,server", -1, false, false, false, ""},
        {"unix:/tmp/s,servr", -1, false, false, false, ""},
        {"unix:/tmp/s,server=maybe", -1, false, false, false, ""},
        {"tcp:localhost:1234", -1, false, false, false, ""},
        {"mon:pty", -1, false, false, false, ""},
        {"stdio ", -1, false, false, false, ""},
    };
    struct console_spec s;
    struct error e;

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        int err = value_console("serial", rows[i].text, &s, &e);
        cr_expect_eq(err != 0, rows[i].kind < 0, "row %u (%s)", i, rows[i].text);
        if (err || rows[i].kind < 0)
            continue;
        cr_expect((int)s.kind == rows[i].kind && s.mux == rows[i].mux &&
                      s.server == rows[i].server && s.wait == rows[i].wait &&
                      !strcmp(s.path, rows[i].path),
                  "row %u (%s)", i, rows[i].text);
    }
    char longest[600] = "file:";
    memset(longest + 5, 'x', sizeof longest - 6);
    cr_expect(value_console("serial", longest, &s, &e) != 0);
    memcpy(longest, "unix:", 5);
    cr_expect(value_console("serial", longest, &s, &e) != 0);
}

Test(options, lines)
{
    static const struct {
        const char *line;
        int result;
        const char *says; /* part of the error */
    } rows[] = {
        {"-kernel|k", OPTIONS_RUN, NULL},
        {"--kernel|k|--append=a b|--initrd=i", OPTIONS_RUN, NULL},
        {"-kernel=k", OPTIONS_RUN, NULL},
        {"-kernel|k|-append|", OPTIONS_RUN, NULL},
        {"-kernel|k|-nographic|-no-reboot|-no-shutdown|-stats|--exec=interpret", OPTIONS_RUN, NULL},
        {"-kernel|k|-M|pc|-machine|pc,acpi=off|-net|none|-nic|none|-vga|none|-monitor|none|-"
         "nodefaults",
         OPTIONS_RUN, NULL},
        {"-kernel|k|-smp|1|-smp|cpus=1,cores=1|-cpu|help", OPTIONS_CPU_HELP, NULL},
        {"-d|help", OPTIONS_TRACE_HELP, NULL},
        {"-device|help", OPTIONS_DEVICE_HELP, NULL},
        {"-machine|help", OPTIONS_MACHINE_HELP, NULL},
        {"-h", OPTIONS_HELP, NULL},
        {"--help", OPTIONS_HELP, NULL},
        {"--version", OPTIONS_VERSION, NULL},
        {"-kernel|k|-serial|none|-serial|null|-serial|pty|-serial|stdio", OPTIONS_RUN, NULL},
        {"-kernel|k|-rtc|base=2026-02-28T23:59:59,clock=host", OPTIONS_RUN, NULL},
        {"-kernel|k|-device|pc-testdev|-device|isa-debug-exit,iobase=0xf4,iosize=0x4", OPTIONS_RUN,
         NULL},
        {"", OPTIONS_RUN, NULL},
        {"-kernel", OPTIONS_ERROR, "-kernel needs a value"},
        {"-kernel|", OPTIONS_ERROR, "not empty"},
        {"-initrd|i", OPTIONS_ERROR, "-kernel"},
        {"-append|i", OPTIONS_ERROR, "-kernel"},
        {"vmlinuz", OPTIONS_ERROR, "-kernel"},
        {"-", OPTIONS_ERROR, "no option"},
        {"--", OPTIONS_ERROR, "unknown option"},
        {"-kernal|k", OPTIONS_ERROR, "did you mean -kernel"},
        {"-kernle|k", OPTIONS_ERROR, "did you mean -kernel"},
        {"--nographics", OPTIONS_ERROR, "did you mean -nographic"},
        {"-initd|i", OPTIONS_ERROR, "did you mean -initrd"},
        {"-noreboot", OPTIONS_ERROR, "did you mean -no-reboot"},
        {"-apend|x", OPTIONS_ERROR, "did you mean -append"},
        {"-zzzzzzzz", OPTIONS_ERROR, "unknown option"},
        {"-no-reboot=yes", OPTIONS_ERROR, "takes no value"},
        {"-kernel|k|-smp|2", OPTIONS_ERROR, "one CPU"},
        {"-kernel|k|-smp|0", OPTIONS_ERROR, "no number of CPUs"},
        {"-kernel|k|-smp|cpus=x", OPTIONS_ERROR, "no number of CPUs"},
        {"-kernel|k|-cpu|nonesuch", OPTIONS_ERROR, "unknown CPU model"},
        {"-kernel|k|-exec|translate|-cache-size|64|-bt|chain=off,soft,insns=1", OPTIONS_RUN, NULL},
        {"-kernel|k|-accel|tcg,tb-size=64,thread=single|-sandbox|on,spawn=deny", OPTIONS_RUN, NULL},
        {"-bt|help", OPTIONS_KNOB_HELP, NULL},
        {"-kernel|k|-exec|transalte", OPTIONS_ERROR, "did you mean translate"},
        {"-kernel|k|-cache-size|512k", OPTIONS_ERROR, "1 to 1024 MiB"},
        {"-kernel|k|-cache-size|1025", OPTIONS_ERROR, "1 to 1024 MiB"},
        {"-kernel|k|-cache-size|big", OPTIONS_ERROR, "no size"},
        {"-kernel|k|-accel|kvm", OPTIONS_ERROR, "tcg"},
        {"-kernel|k|-accel|tcg,tb-size=0", OPTIONS_ERROR, "1 to 1024 MiB"},
        {"-kernel|k|-accel|tcg,split-wx=on", OPTIONS_ERROR, "'split-wx=on' is unknown"},
        {"-kernel|k|-bt|chian=off", OPTIONS_ERROR, "did you mean chain"},
        {"-kernel|k|-bt|chain", OPTIONS_ERROR, "chain is on or off"},
        {"-kernel|k|-bt|soft=perhaps", OPTIONS_ERROR, "soft is on or off"},
        {"-kernel|k|-bt|insns=0", OPTIONS_ERROR, "from 1 to 64"},
        {"-kernel|k|-bt|insns=65", OPTIONS_ERROR, "from 1 to 64"},
        {"-kernel|k|-bt|heat", OPTIONS_ERROR, "from 0 to 65535"},
        {"-kernel|k|-bt|", OPTIONS_ERROR, "unknown knob ''"},
        {"-kernel|k|-sandbox|maybe", OPTIONS_ERROR, "on, off or report"},
        {"-kernel|k|-sandbox|on,spawn=allow", OPTIONS_ERROR, "spawn=allow"},
        {"-kernel|k|-exec|fast", OPTIONS_ERROR, "unknown mode"},
        {"-kernel|k|-device|e1000", OPTIONS_ERROR, "isa-debug-exit and pc-testdev"},
        {"-kernel|k|-device|isa-debug-exit,iobase=0x10000", OPTIONS_ERROR, "iobase"},
        {"-kernel|k|-device|isa-debug-exit,iobase=0xffff,iosize=4", OPTIONS_ERROR, "0xffff"},
        {"-kernel|k|-device|isa-debug-exit,iosize=3", OPTIONS_ERROR, "iosize"},
        {"-kernel|k|-device|isa-debug-exit,foo=3", OPTIONS_ERROR, "no property"},
        {"-kernel|k|-device|isa-debug-exit|-device|isa-debug-exit", OPTIONS_ERROR, "twice"},
        {"-kernel|k|-serial|null|-serial|null|-serial|null|-serial|null|-serial|null",
         OPTIONS_ERROR, "4 serial"},
        {"-kernel|k|-serial|stdio|-debugcon|stdio", OPTIONS_ERROR, "more than one"},
        {"-kernel|k|-rtc|base=yesterday", OPTIONS_ERROR, "base"},
        {"-kernel|k|-rtc|base=2026-02-30", OPTIONS_ERROR, "base"},
        {"-kernel|k|-rtc|clock=vm", OPTIONS_ERROR, "clock=host"},
        {"-kernel|k|-rtc|foo", OPTIONS_ERROR, "unknown"},
        {"-kernel|k|-d|nonsense", OPTIONS_ERROR, "unknown stage"},
        {"-kernel|k|-d|", OPTIONS_ERROR, "unknown stage"},
        {"-kernel|k|-machine|q35", OPTIONS_ERROR, "unknown machine"},
        {"-kernel|k|-machine|pc,foo=1", OPTIONS_ERROR, "unknown property"},
        {"-kernel|k|-machine|pc,acpi=perhaps", OPTIONS_ERROR, "on or off"},
        {"-kernel|k|-display|gtk", OPTIONS_ERROR, "-display none"},
        {"-kernel|k|-monitor|stdio", OPTIONS_ERROR, "mon:stdio"},
        {"-kernel|k|-net|user", OPTIONS_ERROR, "-net none"},
    };
    struct config cfg;
    struct error e;

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        enum options_result r = parse(rows[i].line, &cfg, &e);
        cr_expect_eq((int)r, rows[i].result, "row %u (%s): %d %s", i, rows[i].line, r, e.text);
        if (rows[i].says)
            cr_expect(strstr(e.text, rows[i].says) && !strchr(e.text, '\n'), "row %u (%s): %s", i,
                      rows[i].line, e.text);
    }
}

Test(options, firmware)
{
    static const struct {
        const char *line;
        enum options_result result;
        const char *says;
    } rows[] = {
        {"-bios|b|-L|d|-L|e|-boot|dc|-boot|order=c,once=d,menu=on,splash-time=500", OPTIONS_RUN,
         NULL},
        {"-bios|b|-kernel|k", OPTIONS_ERROR, "without firmware"},
        {"-boot|order=cz", OPTIONS_ERROR, "'z' is no drive"},
        {"-boot|once=z", OPTIONS_ERROR, "'z' is no drive"},
        {"-boot|menu=perhaps", OPTIONS_ERROR, "on or off"},
        {"-boot|splash-time=1s", OPTIONS_ERROR, "milliseconds"},
        {"-boot|a,foo=1", OPTIONS_ERROR, "'foo=1' is unknown"},
        {"-L|1|-L|2|-L|3|-L|4|-L|5|-L|6|-L|7|-L|8|-L|9", OPTIONS_ERROR, "more than 8"},
        {"-global|isa-debugcon.iobase=0x402", OPTIONS_RUN, NULL},
        {"-global|isa-debugcon.iobase=0", OPTIONS_ERROR, "a port"},
        {"-global|a.b=c", OPTIONS_ERROR, "only isa-debugcon"},
    };
    struct config cfg;
    struct error e;

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        enum options_result r = parse(rows[i].line, &cfg, &e);
        cr_expect_eq((int)r, (int)rows[i].result, "row %u (%s): %d %s", i, rows[i].line, r, e.text);
        if (rows[i].says)
            cr_expect(strstr(e.text, rows[i].says) && !strchr(e.text, '\n'), "row %u (%s): %s", i,
                      rows[i].line, e.text);
    }
}

Test(options, meanings)
{
    struct config c;
    struct error e;

    cr_assert_eq(parse("-kernel|k", &c, &e), OPTIONS_RUN);
    cr_expect(c.ram_size == 128 * MIB && c.acpi && !c.no_reboot && !strcmp(c.append, "") &&
              !c.initrd);
    cr_expect(c.cpu == cpu_model_at(0) && c.rtc_base == RTC_UTC && !c.debug_exit && !c.testdev);
    cr_expect(c.serial_count == 1 && c.serial[0].kind == CONSOLE_STDIO && c.serial[0].mux);
    cr_expect_eq(c.debugcon.kind, CONSOLE_NONE);
    parse("-kernel|k|-display|none", &c, &e);
    cr_expect(c.serial_count == 1 && c.serial[0].kind == CONSOLE_NULL);
    parse("-kernel|k|-display|none|-nographic", &c, &e);
    cr_expect(c.serial_count == 1 && c.serial[0].kind == CONSOLE_STDIO);
    parse("-kernel|k|-nographic|-debugcon|stdio", &c, &e);
    cr_expect(c.serial[0].kind == CONSOLE_NULL && c.debugcon.kind == CONSOLE_STDIO);
    parse("-boot|adn|-global|isa-debugcon.iobase=0x402|-nographic", &c, &e);
    cr_expect(!c.kernel && !strcmp(c.bios, "bios-256k.bin") && c.nographic);
    cr_expect(c.boot.order[0] == PC_BOOT_FLOPPY && c.boot.order[1] == PC_BOOT_CD &&
              c.boot.order[2] == PC_BOOT_NETWORK && !c.boot.once[0] && c.debugcon_port == 0x402);
    parse("-boot|once=d,menu=on,splash-time=77", &c, &e);
    cr_expect(c.boot.once[0] == PC_BOOT_CD && c.boot.menu && c.boot.menu_ms == 77);
    parse("-kernel|k|-nodefaults", &c, &e);
    cr_expect_eq(c.serial_count, 0);
    parse("-kernel|k|-no-acpi|-device|isa-debug-exit|-d|exec,int|-m|64|-rtc|base=1970-01-02", &c,
          &e);
    cr_expect(!c.acpi && c.debug_exit && c.debug_exit_base == 0x501 && c.debug_exit_size == 2);
    cr_expect_eq(c.trace_mask, TRACE_BIT(TRACE_EXEC) | TRACE_BIT(TRACE_INT));
    cr_expect(c.ram_size == 64 * MIB && c.rtc_base == RTC_DATE && c.rtc_date == 86400);
    parse("-kernel|k|-device|isa-debug-exit,iobase=0xf4,iosize=0x4|-d|all", &c, &e);
    cr_expect(c.debug_exit_base == 0xf4 && c.debug_exit_size == 4);
    cr_expect_eq(c.trace_mask, TRACE_BIT(TRACE_COUNT) - 1);
}

/* A default is what its row says: the option with that argument changes nothing. */
Test(options, presets)
{
    static struct config without, with;
    struct error e;
    unsigned presets = 0;

    cr_assert_eq(parse("-kernel|k", &without, &e), OPTIONS_RUN);
    for (unsigned i = 0; i < option_row_count; i++) {
        const struct option_row *row = &option_rows[i];
        char line[256];
        if (!row->preset)
            continue;
        snprintf(line, sizeof line, "-kernel|k|-%s|%s", row->name, row->preset);
        cr_assert_eq(parse(line, &with, &e), OPTIONS_RUN, "%s: %s", line, e.text);
        without.kernel = with.kernel;
        without.append = with.append;
        cr_expect_str_eq(without.bios, with.bios);
        without.bios = with.bios;
        cr_expect_eq(memcmp(&with, &without, sizeof with), 0, "%s", line);
        cr_expect(row->arg, "a switch is off: %s", row->name);
        presets++;
    }
    cr_expect(presets >= 10);
    parse("-kernel|k|-device|isa-debug-exit", &without, &e);
    parse("-kernel|k|-device|isa-debug-exit," DEBUG_EXIT_DEFAULT, &with, &e);
    cr_expect(with.debug_exit_base == without.debug_exit_base &&
              with.debug_exit_size == without.debug_exit_size);
}

/* Only the row's own column says what the default is; everything is printed from there. */
Test(options, preset_is_said_once)
{
    for (unsigned i = 0; i < option_row_count; i++) {
        const struct option_row *row = &option_rows[i];
        const char *said = row->text ? strstr(row->text, "default") : NULL;
        cr_expect(!said || row->id == OPT_DEVICE || row->id == OPT_NODEFAULTS, "%s: %s", row->name,
                  row->text);
    }
}

Test(options, execution)
{
    struct config c;
    struct error e;

    parse("-kernel|k", &c, &e);
    cr_expect(c.exec == EXEC_TRANSLATE && c.sandbox == SANDBOX_ON);
    cr_expect_eq(c.cache_size, 128 * MIB);
    cr_expect(!c.bt.no_chain && !c.bt.no_return_stack && !c.bt.soft_only && !c.bt.max_insns &&
              !c.bt.heat && !c.bt.split_at_branches && !c.bt.no_bmi2);
    parse("-kernel|k|-exec|translate|-bt|chain=off,return-stack=off,insns=7|-bt|heat=300", &c, &e);
    cr_expect(c.exec == EXEC_TRANSLATE && c.bt.no_chain && c.bt.no_return_stack);
    cr_expect(c.bt.max_insns == 7 && c.bt.heat == 300 && !c.bt.soft_only);
    parse("-kernel|k|-bt|soft,chain=on,bmi2=off|-sandbox|off", &c, &e);
    cr_expect(c.bt.soft_only && !c.bt.no_chain && c.bt.no_bmi2 && c.sandbox == SANDBOX_OFF);
    parse("-kernel|k|-exec|lockstep|-sandbox|report", &c, &e);
    cr_expect(c.exec == EXEC_LOCKSTEP && c.sandbox == SANDBOX_REPORT);
    parse("-kernel|k|-accel|tcg,tb-size=128", &c, &e);
    cr_expect(c.exec == EXEC_TRANSLATE && c.cache_size == 128 * MIB);
    parse("-kernel|k|-cache-size|1G", &c, &e);
    cr_expect_eq(c.cache_size, 1024 * MIB);
}

Test(options, distances)
{
    static const struct {
        const char *a, *b;
        unsigned d;
    } rows[] = {
        {"", "", 0},
        {"a", "", 1},
        {"kernel", "kernel", 0},
        {"kernal", "kernel", 1},
        {"kernle", "kernel", 1},
        {"append", "apend", 1},
        {"abc", "xyz", 3},
        {"serial", "seral", 1},
        {"M", "m", 0},
    };

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        cr_expect_eq(edit_distance(rows[i].a, rows[i].b), rows[i].d, "row %u (%s, %s)", i,
                     rows[i].a, rows[i].b);
        cr_expect_eq(edit_distance(rows[i].b, rows[i].a), rows[i].d, "row %u (%s, %s)", i,
                     rows[i].b, rows[i].a);
    }
}

/* Every row can be typed, is known under one or two dashes, and has a text. */
Test(options, table)
{
    struct config c;
    struct error e;

    for (unsigned r = 0; r < option_row_count; r++) {
        const struct option_row *row = &option_rows[r];
        char with_two[64];
        if (!row->name)
            continue;
        cr_expect(row->alias || (row->text && strlen(row->text) > 10), "row %s", row->name);
        snprintf(with_two, sizeof with_two, "--%s|none", row->name);
        parse(with_two, &c, &e);
        cr_expect(!strstr(e.text, "unknown option") && !strstr(e.text, "not handled"), "%s: %s",
                  with_two, e.text);
        parse(with_two + 1, &c, &e);
        cr_expect(!strstr(e.text, "unknown option") && !strstr(e.text, "not handled"), "%s: %s",
                  with_two, e.text);
    }
}
