/* SPDX-License-Identifier: MIT */
/* values.c - the arguments of options that have a syntax of their own. See options.h. */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/options.h"
#include "cli/values_priv.h"
#include "include/ring1/trace.h"

const char *next_piece(const char *list, char *out, size_t cap)
{
    size_t len = strcspn(list, ","), kept = len < cap ? len : cap - 1;

    memcpy(out, list, kept);
    out[kept] = 0;
    return list[len] ? list + len + 1 : NULL;
}

const char *value_of(const char *piece, const char *key)
{
    size_t len = strlen(key);

    return strncmp(piece, key, len) == 0 && piece[len] == '=' ? piece + len + 1 : NULL;
}

bool parse_number(const char *text, uint64_t max, uint64_t *out)
{
    char *rest;

    if (!isdigit((unsigned char)text[0]))
        return false;
    errno = 0;
    unsigned long long n = strtoull(text, &rest, 0);
    if (errno || *rest || n > max)
        return false;
    *out = n;
    return true;
}

int on_off(const char *text, bool *out)
{
    if (!strcmp(text, "on") || !strcmp(text, "yes") || !strcmp(text, "true"))
        *out = true;
    else if (!strcmp(text, "off") || !strcmp(text, "no") || !strcmp(text, "false"))
        *out = false;
    else
        return -1;
    return 0;
}

/* ---- -m ---- */

bool parse_size(const char *text, uint64_t *bytes)
{
    static const char suffixes[] = "bkmgt";
    char *rest;

    if (!isdigit((unsigned char)text[0]))
        return false;
    errno = 0;
    unsigned long long whole = strtoull(text, &rest, 10);
    if (errno || whole > 1ull << 40)
        return false;
    uint64_t numerator = 0, denominator = 1;
    if (*rest == '.') {
        if (!isdigit((unsigned char)rest[1]))
            return false;
        for (rest++; isdigit((unsigned char)*rest); rest++) {
            if (denominator > 100000000)
                continue; /* finer than a byte of anything sensible */
            numerator = numerator * 10 + (uint64_t)(*rest - '0');
            denominator *= 10;
        }
    }
    unsigned shift = 20;
    if (*rest) {
        const char *s = strchr(suffixes, tolower((unsigned char)*rest));
        if (!s || rest[1])
            return false;
        shift = (unsigned)(s - suffixes) * 10;
    }
    if (whole >> (63 - shift) || numerator >> (63 - shift))
        return false;
    *bytes = (whole << shift) + (numerator << shift) / denominator;
    return true;
}

int value_memory(const char *text, uint64_t *bytes, struct error *e)
{
    char piece[64];
    const char *list = text;
    uint64_t size = 0;
    bool given = false;

    while (list) {
        bool first = list == text;
        list = next_piece(list, piece, sizeof piece);
        const char *size_text = value_of(piece, "size");
        if (value_of(piece, "slots") || value_of(piece, "maxmem"))
            return error_set(
                e, "-m %s: memory cannot be added while the guest runs; leave out slots and maxmem",
                text);
        if (!size_text && first)
            size_text = piece;
        if (!size_text || !parse_size(size_text, &size))
            return error_set(
                e, "-m %s is no memory size; write for example -m 256, -m 512M or -m 1G", text);
        given = true;
    }
    if (!given || size < RAM_MIN || size > RAM_MAX)
        return error_set(e, "-m %s is out of range; a guest can have 1 MiB to %llu MiB of RAM",
                         text, RAM_MAX / MIB);
    *bytes = (size + GUEST_PAGE_MASK) & ~(uint64_t)GUEST_PAGE_MASK;
    return 0;
}

/* ---- -serial, -debugcon ---- */

#define CONSOLE_WORDS "stdio, mon:stdio, file:PATH, pty, unix:PATH[,server][,nowait], null, none"

static int unix_console(const char *option, const char *text, const char *rest,
                        struct console_spec *out, struct error *e)
{
    char piece[sizeof out->path + 8];

    rest = next_piece(rest, piece, sizeof piece);
    if (!piece[0] || strlen(piece) >= sizeof out->path)
        return error_set(e, "-%s %s: a socket's path must follow 'unix:'", option, text);
    strcpy(out->path, piece);
    out->wait = true; /* for a server */
    while (rest) {
        rest = next_piece(rest, piece, sizeof piece);
        const char *server = value_of(piece, "server"), *wait = value_of(piece, "wait");
        if (!strcmp(piece, "server"))
            out->server = true;
        else if (!strcmp(piece, "wait"))
            out->wait = true;
        else if (!strcmp(piece, "nowait"))
            out->wait = false;
        else if (!(server && !on_off(server, &out->server)) && !(wait && !on_off(wait, &out->wait)))
            return error_set(e, "-%s %s: '%s' is unknown; after the path come server and nowait",
                             option, text, piece);
    }
    if (!out->server)
        out->wait = false;
    return 0;
}

int value_console(const char *option, const char *text, struct console_spec *out, struct error *e)
{
    *out = (struct console_spec){.kind = CONSOLE_NULL};
    if (!strcmp(text, "none")) {
        out->kind = CONSOLE_NONE;
    } else if (!strcmp(text, "null")) {
        out->kind = CONSOLE_NULL;
    } else if (!strcmp(text, "stdio") || !strcmp(text, "mon:stdio")) {
        out->kind = CONSOLE_STDIO;
        out->mux = text[0] == 'm';
    } else if (!strcmp(text, "pty")) {
        out->kind = CONSOLE_PTY;
    } else if (!strncmp(text, "file:", 5)) {
        out->kind = CONSOLE_FILE;
        if (!text[5] || strlen(text + 5) >= sizeof out->path)
            return error_set(e, "-%s %s: a file name of at most %zu characters must follow 'file:'",
                             option, text, sizeof out->path - 1);
        strcpy(out->path, text + 5);
    } else if (!strncmp(text, "unix:", 5)) {
        out->kind = CONSOLE_UNIX;
        return unix_console(option, text, text + 5, out, e);
    } else {
        return error_set(e, "-%s %s: unknown console; it can be %s", option, text, CONSOLE_WORDS);
    }
    return 0;
}

/* ---- -rtc ---- */

static bool parse_date(const char *text, int64_t *seconds)
{
    struct tm tm = {0}, check;
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);

    if (!rest) {
        tm = (struct tm){0};
        rest = strptime(text, "%Y-%m-%d", &tm);
    }
    if (!rest || *rest || tm.tm_year < 70)
        return false;
    check = tm;
    time_t t = timegm(&check);
    if (check.tm_mday != tm.tm_mday || check.tm_mon != tm.tm_mon) /* 31 February */
        return false;
    *seconds = t;
    return true;
}

int value_rtc(const char *text, struct config *cfg, struct error *e)
{
    char piece[64];
    const char *list = text;

    while (list) {
        list = next_piece(list, piece, sizeof piece);
        const char *base = value_of(piece, "base"), *clock = value_of(piece, "clock");
        const char *drift = value_of(piece, "driftfix");
        if (base && !strcmp(base, "utc")) {
            cfg->rtc_base = RTC_UTC;
        } else if (base && !strcmp(base, "localtime")) {
            cfg->rtc_base = RTC_LOCALTIME;
        } else if (base && parse_date(base, &cfg->rtc_date)) {
            cfg->rtc_base = RTC_DATE;
        } else if (base) {
            return error_set(
                e, "-rtc base=%s: the base is utc, localtime, or a date like 2026-01-31T12:00:00",
                base);
        } else if (clock && !strcmp(clock, "host")) {
            continue;
        } else if (clock) {
            return error_set(
                e, "-rtc clock=%s: the guest's clock follows the host's; only clock=host exists",
                clock);
        } else if (drift && (!strcmp(drift, "none") || !strcmp(drift, "slew"))) {
            continue; /* lost ticks are always caught up */
        } else {
            return error_set(
                e,
                "-rtc %s: '%s' is unknown; write base=utc, base=localtime, base=DATE or clock=host",
                text, piece);
        }
    }
    return 0;
}

/* ---- -device ---- */

static int debug_exit_property(struct config *cfg, const char *text, const char *piece,
                               struct error *e)
{
    const char *base = value_of(piece, "iobase"), *size = value_of(piece, "iosize");
    uint64_t n;

    if (base && parse_number(base, 0xffff, &n)) {
        cfg->debug_exit_base = (uint32_t)n;
        return 0;
    }
    if (size && parse_number(size, 4, &n) && (n == 1 || n == 2 || n == 4)) {
        cfg->debug_exit_size = (uint32_t)n;
        return 0;
    }
    if (base)
        return error_set(e, "-device %s: iobase is a port number from 0 to 0xffff", text);
    if (size)
        return error_set(e, "-device %s: iosize is 1, 2 or 4", text);
    return error_set(e, "-device %s: isa-debug-exit has no property '%s', only iobase and iosize",
                     text, piece);
}

static int debug_exit_properties(struct config *cfg, const char *text, const char *list,
                                 struct error *e)
{
    char piece[64];

    while (list) {
        list = next_piece(list, piece, sizeof piece);
        if (debug_exit_property(cfg, text, piece, e))
            return -1;
    }
    return 0;
}

int value_device(const char *text, struct config *cfg, struct error *e)
{
    char piece[64];
    const char *list = next_piece(text, piece, sizeof piece);

    if (!strcmp(piece, "pc-testdev")) {
        if (list)
            return error_set(e, "-device %s: pc-testdev has no properties", text);
        cfg->testdev = true;
        return 0;
    }
    if (!strcmp(piece, "ide-hd") || !strcmp(piece, "ide-cd"))
        return value_ide_device(text, piece[4] == 'c', list, cfg, e);
    if (strcmp(piece, "isa-debug-exit"))
        return error_set(e,
                         "-device %s: unknown device '%s'; ring1 knows ide-hd, ide-cd, "
                         "isa-debug-exit and pc-testdev",
                         text, piece);
    if (cfg->debug_exit)
        return error_set(e, "-device isa-debug-exit was given twice; one is enough");
    cfg->debug_exit = true;
    if (debug_exit_properties(cfg, text, DEBUG_EXIT_DEFAULT, e) ||
        debug_exit_properties(cfg, text, list, e))
        return -1;
    if (cfg->debug_exit_base + cfg->debug_exit_size > 0x10000)
        return error_set(e, "-device %s: the ports end at 0xffff", text);
    return 0;
}

/* ---- the short ones ---- */

int value_machine(const char *text, struct config *cfg, struct error *e)
{
    char piece[64];
    const char *list = text;
    bool first = true;

    for (; list; first = false) {
        list = next_piece(list, piece, sizeof piece);
        const char *type = value_of(piece, "type"), *acpi = value_of(piece, "acpi");
        const char *accel = value_of(piece, "accel");
        if (!type && first && !strchr(piece, '='))
            type = piece;
        if (type && (!strcmp(type, "pc") || !strncmp(type, "pc-i440fx", 9)))
            continue;
        if (acpi && !on_off(acpi, &cfg->acpi))
            continue;
        if (type)
            return error_set(e, "-machine %s: unknown machine '%s'; ring1 has one, pc", text, type);
        if (acpi)
            return error_set(e, "-machine %s: acpi is on or off", text);
        if (accel)
            return error_set(e, "-machine %s: ring1 has no accelerators to choose; see -exec",
                             text);
        return error_set(e, "-machine %s: unknown property '%s'; ring1 knows acpi=on|off", text,
                         piece);
    }
    return 0;
}

int value_smp(const char *text, struct error *e)
{
    static const char *const keys[] = {"cpus",  "sockets", "dies",   "clusters",
                                       "cores", "threads", "maxcpus"};
    char piece[64];
    const char *list = text;
    bool first = true;

    for (; list; first = false) {
        const char *number = NULL;
        uint64_t n;
        list = next_piece(list, piece, sizeof piece);
        for (unsigned i = 0; i < ARRAY_LEN(keys) && !number; i++)
            number = value_of(piece, keys[i]);
        if (!number && first)
            number = piece;
        if (!number || !parse_number(number, 1u << 20, &n) || n == 0)
            return error_set(e, "-smp %s is no number of CPUs; write -smp 1", text);
        if (n != 1)
            return error_set(e, "-smp %s: this build of ring1 gives a guest one CPU; write -smp 1",
                             text);
    }
    return 0;
}

static const char *cpu_name(unsigned i)
{
    const struct cpu_model *m = cpu_model_at(i);
    return m ? m->name : NULL;
}

int value_cpu(const char *text, struct config *cfg, struct error *e)
{
    const struct cpu_model *m = cpu_model_find(text);

    if (!m && strchr(text, ','))
        return error_set(e,
                         "-cpu %s: single features cannot be changed; name a model only ('-cpu "
                         "help' lists them)",
                         text);
    if (!m) {
        const char *near = suggest(text, cpu_name);
        return error_set(e, "-cpu %s: unknown CPU model%s%s; '-cpu help' lists them", text,
                         near ? "; did you mean " : "", near ? near : "");
    }
    cfg->cpu = m;
    return 0;
}

static const char *const stages[TRACE_COUNT] = {
#define TRACE(id, name, text) #name,
#include "include/ring1/trace.def"
#undef TRACE
};

static const char *stage_name(unsigned i)
{
    return i < TRACE_COUNT ? stages[i] : NULL;
}

int value_trace(const char *text, uint32_t *mask, struct error *e)
{
    char piece[64];
    const char *list = text;

    while (list) {
        unsigned i = 0;
        list = next_piece(list, piece, sizeof piece);
        while (i < TRACE_COUNT && strcmp(piece, stages[i]))
            i++;
        if (!strcmp(piece, "all"))
            *mask |= TRACE_BIT(TRACE_COUNT) - 1;
        else if (i < TRACE_COUNT)
            *mask |= TRACE_BIT(i);
        else {
            const char *near = suggest(piece, stage_name);
            return error_set(e, "-d %s: unknown stage '%s'%s%s; '-d help' lists them", text, piece,
                             near ? "; did you mean " : "", near ? near : "");
        }
    }
    return 0;
}

/* ---- -global ---- */

int value_global(const char *text, struct config *cfg, struct error *e)
{
    const char *port = value_of(text, "isa-debugcon.iobase");
    uint64_t n;

    if (!port)
        return error_set(e, "-global %s: only isa-debugcon.iobase can be set", text);
    if (!parse_number(port, 0xffff, &n) || !n)
        return error_set(e, "-global %s: a port is a number from 1 to 0xffff", text);
    cfg->debugcon_port = (uint16_t)n;
    return 0;
}

/* ---- -boot ---- */

static int boot_drives(const char *text, uint8_t *out, struct error *e)
{
    static const char letters[] = "acdn"; /* enum pc_boot_from, less one */
    unsigned n = 0;

    memset(out, 0, PC_BOOT_PLACES);
    for (; *text; text++) {
        const char *at = strchr(letters, *text);
        if (!at)
            return error_set(
                e, "-boot: '%c' is no drive; a is a floppy, c a disk, d a CD, n the network",
                *text);
        if (n < PC_BOOT_PLACES)
            out[n++] = (uint8_t)(at - letters + 1);
    }
    return 0;
}

int value_boot(const char *text, struct config *cfg, struct error *e)
{
    char piece[64];
    uint64_t ms;

    for (const char *list = text; list;) {
        bool first = list == text;
        list = next_piece(list, piece, sizeof piece);
        const char *order = value_of(piece, "order"), *once = value_of(piece, "once");
        const char *menu = value_of(piece, "menu"), *wait = value_of(piece, "splash-time");
        if (!order && first && !strchr(piece, '='))
            order = piece;
        if (order ? boot_drives(order, cfg->boot.order, e)
                  : once && boot_drives(once, cfg->boot.once, e))
            return -1;
        if (menu && on_off(menu, &cfg->boot.menu))
            return error_set(e, "-boot menu=%s: write on or off", menu);
        if (wait && !parse_number(wait, 0xffff, &ms))
            return error_set(e, "-boot splash-time=%s: write milliseconds, up to 65535", wait);
        if (wait)
            cfg->boot.menu_ms = (uint32_t)ms;
        if (!order && !once && !menu && !wait && strncmp(piece, "strict", 6))
            return error_set(
                e, "-boot %s: '%s' is unknown; it can be order=, once=, menu=, splash-time=", text,
                piece);
    }
    return 0;
}
