/* SPDX-License-Identifier: MIT */
/* main.c - the ring1 command: its subcommands are a table. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/help.h"
#include "cli/holes.h"
#include "cli/metal.h"
#include "cli/options.h"
#include "cli/run.h"
#include "host/linux/signals.h"

#ifndef RING1_VERSION
#define RING1_VERSION "0.1.0"
#endif

struct command {
    const char *name, *arguments, *text;
    int (*run)(int count, char **args);
};

static int cmd_help(int count, char **args);
static int cmd_version(int count, char **args);
static int cmd_completion(int count, char **args);

static const struct command commands[] = {
    {"run", "-kernel FILE [OPTION]...", "boot a guest", cmd_run},
    {"metal", "iso|run -kernel FILE [OPTION]...", "ring1 on a PC of its own", cmd_metal},
    {"holes", "list|run|explain|demo|cost [ARGUMENT]...", "the holes of x86, one by one",
     cmd_holes},
    {"help", "[COMMAND]", "explain a command", cmd_help},
    {"version", "", "print the version", cmd_version},
    {"completion", "bash|zsh", "print a completion script for a shell", cmd_completion},
};

static const char *command_name(unsigned i)
{
    return i < ARRAY_LEN(commands) ? commands[i].name : NULL;
}

static void print_usage(FILE *f)
{
    fprintf(f,
            "ring1 runs 32-bit x86 operating systems on x86-64 machines without VT-x or AMD-V.\n\n"
            "usage: ring1 COMMAND [ARGUMENT]...\n\n");
    for (unsigned i = 0; i < ARRAY_LEN(commands); i++)
        fprintf(f, "  ring1 %s %-*s  %s\n", commands[i].name, (int)(36 - strlen(commands[i].name)),
                commands[i].arguments, commands[i].text);
    fprintf(f, "\n'ring1 run --help' lists the options of run. For example:\n"
               "  ring1 run -kernel vmlinuz -initrd initrd.gz -append console=ttyS0 -m 256\n"
               "Ctrl-A X ends a guest that has the terminal, Ctrl-A H shows the other keys.\n");
}

void print_version(void)
{
    printf("ring1 %s\n", RING1_VERSION);
}

static int cmd_version(int count, char **args)
{
    if (count) {
        say("'ring1 version' takes no argument, but '%s' was given", args[0]);
        return 1;
    }
    print_version();
    return 0;
}

static int unknown_command(const char *name)
{
    const char *near = suggest(name, command_name);

    if (name[0] == '-')
        say("'%s' must come after a command: 'ring1 run %s ...'; 'ring1 --help' lists the commands",
            name, name);
    else
        say("unknown command '%s'%s%s; 'ring1 --help' lists the commands", name,
            near ? "; did you mean " : "", near ? near : "");
    return 1;
}

static int cmd_help(int count, char **args)
{
    if (count > 1 || (count == 1 && !strcmp(args[0], "help"))) {
        say("write 'ring1 help' or 'ring1 help COMMAND'");
        return 1;
    }
    if (count == 0) {
        print_usage(stdout);
    } else if (!strcmp(args[0], "run")) {
        help_run(stdout);
    } else if (!strcmp(args[0], "--mdoc")) {
        help_mdoc(stdout); /* for docs/ring1.1 */
    } else {
        for (unsigned i = 0; i < ARRAY_LEN(commands); i++) {
            if (!strcmp(args[0], commands[i].name)) {
                printf("usage: ring1 %s %s\n\n%s\n", commands[i].name, commands[i].arguments,
                       commands[i].text);
                return 0;
            }
        }
        return unknown_command(args[0]);
    }
    return 0;
}

static int cmd_completion(int count, char **args)
{
    if (count == 1 && !strcmp(args[0], "bash")) {
        completion_bash(stdout);
    } else if (count == 1 && !strcmp(args[0], "zsh")) {
        completion_zsh(stdout);
    } else {
        say("write 'ring1 completion bash' or 'ring1 completion zsh'");
        return 1;
    }
    return 0;
}

/* Output that could not be written is an error too (a full disk). */
static int finish(int status)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        say("cannot write to standard output");
        return 1;
    }
    return status;
}

/* Started without one of the standard files, the next file that is opened would take its number,
 * and messages or serial output would go there: into guest RAM, say. */
static void fill_standard_files(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
            _exit(1);
}

int main(int argc, char **argv)
{
    fill_standard_files();
    signals_ignore_lost_output();
    if (argc < 2) {
        say("name a command, for example 'ring1 run -kernel FILE'; 'ring1 --help' lists the "
            "commands");
        return 1;
    }
    const char *name = argv[1];
    if (!strcmp(name, "--help") || !strcmp(name, "-help") || !strcmp(name, "-h")) {
        print_usage(stdout);
        return finish(0);
    }
    if (!strcmp(name, "--version") || !strcmp(name, "-version")) {
        print_version();
        return finish(0);
    }
    for (unsigned i = 0; i < ARRAY_LEN(commands); i++)
        if (!strcmp(name, commands[i].name))
            return finish(commands[i].run(argc - 2, argv + 2));
    return unknown_command(name);
}
