/* SPDX-License-Identifier: MIT */
/* help.c - see help.h. */
#include "cli/help.h"

#include <string.h>

#include "cli/options.h"

#define INDENT 8
#define WIDTH  79

/* Words of `text`, wrapped. */
static void print_wrapped(FILE *f, const char *text)
{
    int column = 0;

    while (*text) {
        int len = (int)strcspn(text, " ");
        if (column && column + 1 + len > WIDTH) {
            fputc('\n', f);
            column = 0;
        }
        column += fprintf(f, "%*s%.*s", column ? 1 : INDENT, "", len, text);
        text += len;
        text += *text == ' ';
    }
    fputc('\n', f);
}

/* "-name ARG, -alias ARG": the aliases follow their option in the table. */
static void print_names(FILE *f, unsigned r)
{
    const char *arg = option_rows[r].arg;

    for (unsigned i = r; i == r || (i < option_row_count && option_rows[i].alias); i++)
        fprintf(f, "%s-%s%s%s", i == r ? "  " : ", ", option_rows[i].name, arg ? " " : "",
                arg ? arg : "");
    fputc('\n', f);
}

void help_run(FILE *f)
{
    fprintf(f, "usage: ring1 run -kernel FILE|-hda FILE|-cdrom FILE [OPTION]...\n\n"
               "Boots a 32-bit x86 operating system. Options have QEMU's names and meanings where\n"
               "QEMU has them; they begin with one dash or two.\n");
    for (unsigned r = 0; r < option_row_count; r++) {
        const struct option_row *row = &option_rows[r];
        if (row->group) {
            fprintf(f, "\n%s:\n", row->group);
        } else if (!row->alias) {
            char text[1024];
            print_names(f, r);
            snprintf(text, sizeof text, "%s%s%s%s", row->text, row->preset ? " (default " : "",
                     row->preset ? row->preset : "", row->preset ? ")" : "");
            print_wrapped(f, text);
        }
    }
    fprintf(
        f,
        "\nThe exit status is 0 when the guest turns the machine off, the guest's own with\n"
        "isa-debug-exit, 128+N after signal N, and 1 with one sentence when something is wrong.\n");
}

/* mdoc takes a backslash, and a dot or quote at a line's beginning, for itself. */
static void print_roff(FILE *f, const char *s)
{
    if (*s == '.' || *s == '\'')
        fputs("\\&", f);
    for (; *s; s++) {
        if (*s == '\\')
            fputs("\\e", f);
        else if (*s == '-')
            fputs("\\-", f);
        else if (*s == '\'')
            fputs("\\(aq", f);
        else
            fputc(*s, f);
    }
}

/* Like print_roff(), quoted as one macro argument. */
static void print_roff_word(FILE *f, const char *s)
{
    fputc('"', f);
    print_roff(f, s);
    fputc('"', f);
}

void help_mdoc(FILE *f)
{
    for (unsigned r = 0; r < option_row_count; r++) {
        const struct option_row *row = &option_rows[r];
        if (row->group) {
            if (r)
                fputs(".El\n", f);
            fprintf(f, ".Ss %s\n.Bl -tag -width Ds\n", row->group);
            continue;
        }
        if (row->alias)
            continue;
        for (unsigned i = r; i == r || (i < option_row_count && option_rows[i].alias); i++) {
            fputs(i == r ? ".It Fl " : " , Fl ", f);
            print_roff_word(f, option_rows[i].name);
            if (row->arg) {
                fputs(" Ar ", f);
                print_roff_word(f, row->arg);
            }
        }
        fputc('\n', f);
        print_roff(f, row->text);
        if (row->preset) {
            fputs(" (default ", f);
            print_roff(f, row->preset);
            fputc(')', f);
        }
        fputs(".\n", f);
    }
    fputs(".El\n", f);
}

void help_cpus(FILE *f)
{
    const struct cpu_model *m;

    fprintf(f, "CPU models for -cpu:\n");
    for (unsigned i = 0; (m = cpu_model_at(i)); i++)
        fprintf(f, "  %-12s %s%s\n", m->name, m->text,
                strcmp(m->name, option_preset(OPT_CPU)) ? "" : " (default)");
}

void help_stages(FILE *f)
{
    fprintf(f, "Stages for -d, in the order of the pipeline:\n");
#define TRACE(id, name, text) fprintf(f, "  %-8s %s\n", #name, text);
#include "include/ring1/trace.def"
#undef TRACE
    fprintf(f, "  %-8s %s\n", "all", "all of them");
}

void help_devices(FILE *f)
{
    fprintf(f, "Devices for -device:\n"
               "  ide-hd,drive=ID[,bus=ide.N][,unit=N]  a disk: ID is a -drive's id or a "
               "-blockdev's node-name\n"
               "  ide-cd[,drive=ID][,bus=ide.N][,unit=N]  a CD-ROM drive\n"
               "  isa-debug-exit[,iobase=N][,iosize=N]  a write of V ends ring1 with status 2*V+1\n"
               "  pc-testdev                            the device of kvm-unit-tests\n");
}

void help_machines(FILE *f)
{
    fprintf(f, "Machines for -machine:\n  pc  the i440FX PC with PIIX3 and PIIX4 (default)\n");
}
