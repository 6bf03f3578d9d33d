/* SPDX-License-Identifier: MIT */
/* options.c - random command lines: every one is either accepted, with a configuration that makes
 * sense, or refused with one printable line. */
#include "cli/options.h"
#include "include/ring1/trace.h"
#include "tests/fuzz/fuzz.h"

#define ARGS 12u
#define TEXT 700u

static char text[ARGS][TEXT];

static const char *const words[] = {"stdio",
                                    "mon:stdio",
                                    "file:",
                                    "file:/x",
                                    "unix:/s",
                                    "unix:",
                                    "server",
                                    "nowait",
                                    "wait=off",
                                    "pty",
                                    "null",
                                    "none",
                                    "help",
                                    "?",
                                    "base=utc",
                                    "base=",
                                    "2026-",
                                    "02-31",
                                    "T25:61:61",
                                    "clock=",
                                    "host",
                                    "pc",
                                    "pc-i440fx",
                                    "acpi=",
                                    "on",
                                    "type=",
                                    "accel=",
                                    "isa-debug-exit",
                                    "iobase=",
                                    "iosize=",
                                    "0x",
                                    "65535",
                                    "0x10000",
                                    "cpus=",
                                    "1",
                                    "interpret",
                                    "translate",
                                    "int",
                                    "exec",
                                    "all",
                                    "size=",
                                    "slots=",
                                    "1.5G",
                                    "512M",
                                    "999999",
                                    "4294967296",
                                    "99999999999999",
                                    "1.99999999999",
                                    "k",
                                    "pc-testdev"};

/* Appends a piece of text or noise to s. */
static void add_piece(char *s)
{
    size_t len = strlen(s);
    unsigned how = rnd(10);

    if (how < 5) {
        snprintf(s + len, TEXT - len, "%s", PICK(words));
    } else if (how < 7) {
        snprintf(s + len, TEXT - len, "%c", ",=:-. x"[rnd(7)]);
    } else if (how < 8) {
        snprintf(s + len, TEXT - len, "%u", rnd32() >> rnd(32));
    } else if (how < 9) {
        for (unsigned n = rnd(20); n && len < TEXT - 1; n--)
            s[len++] = (char)(1 + rnd(255));
        s[len] = 0;
    } else if (chance(20)) {
        for (unsigned n = rnd(600); n && len < TEXT - 1; n--)
            s[len++] = 'x';
        s[len] = 0;
    }
}

static void make_value(char *s)
{
    for (unsigned n = rnd(6); n; n--)
        add_piece(s);
}

static void make_arg(char *s)
{
    const struct option_row *row = &option_rows[rnd(option_row_count)];

    s[0] = 0;
    if (chance(40) || !row->name) {
        make_value(s);
        return;
    }
    snprintf(s, TEXT, "%s%s", chance(80) ? "-" : "--", row->name);
    if (chance(10) && s[1])
        s[1 + rnd((uint32_t)strlen(s) - 1)] = (char)('a' + rnd(26));
    if (chance(40)) {
        strcat(s, "=");
        make_value(s);
    }
}

static void check_error(const struct error *e)
{
    size_t len = strnlen(e->text, sizeof e->text);

    FUZZ_CHECK(len > 0 && len < sizeof e->text);
    for (size_t i = 0; i < len; i++)
        FUZZ_CHECK((unsigned char)e->text[i] >= 0x20 && e->text[i] != 0x7f);
}

static void check_config(const struct config *c)
{
    FUZZ_CHECK((!c->kernel || *c->kernel) && c->bios && *c->bios && c->append && c->cpu);
    FUZZ_CHECK(c->ram_size >= RAM_MIN && c->ram_size <= RAM_MAX && !(c->ram_size & 0xfff));
    FUZZ_CHECK(c->serial_count <= MAX_SERIAL && !(c->trace_mask >> TRACE_COUNT));
    FUZZ_CHECK(!c->debug_exit || c->debug_exit_base + c->debug_exit_size <= 0x10000);
    for (unsigned i = 0; i < c->serial_count; i++)
        FUZZ_CHECK(memchr(c->serial[i].path, 0, sizeof c->serial[i].path));
}

static void one(void)
{
    for (unsigned round = 0; round < 100; round++) {
        char *args[ARGS + 2];
        struct config cfg;
        struct error e = {{0}};
        unsigned count = 0, n = rnd(ARGS + 1);

        if (chance(80)) {
            args[count++] = "-kernel";
            args[count++] = "k";
        }
        for (unsigned i = 0; i < n && count < ARGS; i++) {
            make_arg(text[i]);
            args[count++] = text[i];
        }
        switch (options_parse(&cfg, (int)count, args, &e)) {
        case OPTIONS_RUN:
            check_config(&cfg);
            break;
        case OPTIONS_ERROR:
            check_error(&e);
            break;
        default:
            break;
        }
    }
}

int main(int argc, char **argv)
{
    return fuzz_main(argc, argv, one);
}
