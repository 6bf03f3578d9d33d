/* SPDX-License-Identifier: MIT */
/*
 * completion.c - shell completions, generated from include/ring1/option.def.
 *
 * `ring1 completion bash` and `ring1 completion zsh` print them; the files in cli/completion/ load
 * them.
 */
#include <string.h>

#include "cli/help.h"
#include "cli/options.h"

#define SUBCOMMANDS "run metal holes help version completion"
#define HOLES       "list run explain demo shadow cost"

/* Words that can follow an option, or what kind of thing does; NULL: anything. */
static const char *words_for(enum option_id id)
{
    switch (id) {
    case OPT_SERIAL:
    case OPT_DEBUGCON:
        return "stdio mon:stdio pty null none file: unix:";
    case OPT_VGA:
        return "std none";
    case OPT_DISPLAY:
    case OPT_MONITOR:
    case OPT_PARALLEL:
    case OPT_NET:
        return "none";
    case OPT_MACHINE:
        return "pc pc,acpi=off";
    case OPT_SMP:
        return "1";
    case OPT_RTC:
        return "base=utc base=localtime";
    case OPT_DEVICE:
        return "isa-debug-exit,iobase=0xf4,iosize=0x4 pc-testdev";
    case OPT_EXEC:
        return "interpret translate lockstep";
    case OPT_ACCEL:
        return "tcg tcg,tb-size=";
    case OPT_CACHE_SIZE:
        return "8M 32M 64M 256M";
    case OPT_SANDBOX:
        return "on off report";
    case OPT_MEMORY:
        return "64 128 256 512 1G 2G";
    default:
        return NULL;
    }
}

static bool is_file(const struct option_row *row)
{
    return row->arg && !strcmp(row->arg, "FILE");
}

static const char *argument_of(const struct option_row *row)
{
    for (unsigned r = 0; r < option_row_count; r++)
        if (option_rows[r].name && !option_rows[r].alias && option_rows[r].id == row->id)
            return option_rows[r].arg;
    return NULL;
}

static void print_cpus(FILE *f)
{
    const struct cpu_model *m;

    fputs("help", f);
    for (unsigned i = 0; (m = cpu_model_at(i)); i++)
        fprintf(f, " %s", m->name);
}

static void print_stages(FILE *f)
{
    fputs("help all"
#define TRACE(id, name, text) " " #name
#include "include/ring1/trace.def"
#undef TRACE
          ,
          f);
}

static void print_knobs(FILE *f)
{
    fputs("help"
#define KNOB_OFF(name, member, text)              " " name "=off"
#define KNOB_SET(name, member, text)              " " name
#define KNOB_NUMBER(name, member, min, max, text) " " name "="
#include "cli/knob.def"
#undef KNOB_OFF
#undef KNOB_SET
#undef KNOB_NUMBER
          ,
          f);
}

static void print_words(FILE *f, enum option_id id)
{
    if (id == OPT_CPU)
        print_cpus(f);
    else if (id == OPT_TRACE)
        print_stages(f);
    else if (id == OPT_BT)
        print_knobs(f);
    else if (words_for(id))
        fputs(words_for(id), f);
}

void completion_bash(FILE *f)
{
    fputs("# ring1 completion for bash; made by `ring1 completion bash`\n"
          "_ring1() {\n"
          "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
          "    COMPREPLY=()\n"
          "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
          "        COMPREPLY=($(compgen -W '" SUBCOMMANDS
          " --help --version' -- \"$cur\")); return\n"
          "    fi\n"
          "    case ${COMP_WORDS[1]} in\n"
          "    help) COMPREPLY=($(compgen -W 'run metal holes version completion' -- \"$cur\")); "
          "return ;;\n"
          "    holes) COMPREPLY=($(compgen -W '" HOLES "' -- \"$cur\")); return ;;\n"
          "    completion) COMPREPLY=($(compgen -W 'bash zsh' -- \"$cur\")); return ;;\n"
          "    run) ;;\n"
          "    *) return ;;\n"
          "    esac\n"
          "    case ${prev#-} in\n",
          f);
    for (unsigned r = 0; r < option_row_count; r++) {
        const struct option_row *row = &option_rows[r];
        if (!row->name || !argument_of(row))
            continue;
        fprintf(f, "    %s|-%s) ", row->name, row->name);
        if (is_file(row)) {
            fputs("compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- \"$cur\"))", f);
        } else {
            fputs("COMPREPLY=($(compgen -W '", f);
            print_words(f, row->id);
            fputs("' -- \"$cur\"))", f);
        }
        fputs("; return ;;\n", f);
    }
    fputs("    esac\n    COMPREPLY=($(compgen -W '", f);
    for (unsigned r = 0; r < option_row_count; r++)
        if (option_rows[r].name)
            fprintf(f, "-%s ", option_rows[r].name);
    fputs("' -- \"$cur\"))\n}\ncomplete -F _ring1 ring1\n", f);
}

/* Text inside '...[...]': brackets, colons and quotes mean something there. */
static void print_zsh_text(FILE *f, const char *s)
{
    for (; *s; s++) {
        if (*s == '\'')
            fputs("'\\''", f);
        else if (strchr("[]:\\", *s))
            fprintf(f, "\\%c", *s);
        else
            fputc(*s, f);
    }
}

void completion_zsh(FILE *f)
{
    const char *text = "";

    fputs("#compdef ring1\n"
          "# ring1 completion for zsh; made by `ring1 completion zsh`\n"
          "_ring1() {\n"
          "    if (( CURRENT == 2 )); then\n"
          "        compadd -- " SUBCOMMANDS " --help --version; return\n"
          "    fi\n"
          "    case ${words[2]} in\n"
          "    help) compadd -- run metal holes version completion; return ;;\n"
          "    holes) compadd -- " HOLES "; return ;;\n"
          "    completion) compadd -- bash zsh; return ;;\n"
          "    run) ;;\n"
          "    *) return ;;\n"
          "    esac\n"
          "    shift words; (( CURRENT-- ))\n"
          "    _arguments",
          f);
    for (unsigned r = 0; r < option_row_count; r++) {
        const struct option_row *row = &option_rows[r];
        if (!row->name)
            continue;
        if (row->text)
            text = row->text;
        fprintf(f, " \\\n        '*-%s[", row->name);
        print_zsh_text(f, text);
        fputc(']', f);
        if (argument_of(row)) {
            fputs(":value:", f);
            if (is_file(row)) {
                fputs("_files", f);
            } else {
                fputc('(', f);
                print_words(f, row->id);
                fputc(')', f);
            }
        }
        fputc('\'', f);
    }
    fputs("\n}\ncompdef _ring1 ring1\n", f);
}
