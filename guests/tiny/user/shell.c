/* SPDX-License-Identifier: MIT */
/*
 * shell.c - the first process: reads lines and runs commands, its own or programs as new processes.
 *
 * "run=COMMAND[;COMMAND]..." in the kernel's command line runs these and turns the machine off.
 */
#include "user/lib.h"

struct command {
    const char *name, *arguments, *help;
    program_fn *run;
    enum { BUILT_IN, PROGRAM, BACKGROUND } kind;
};

static int command_help(const char *argument);

static int command_echo(const char *argument)
{
    print("%s\n", argument);
    return 0;
}

static int command_ps(const char *argument)
{
    struct process_info p;
    int32_t found;

    (void)argument;
    print("  PID PARENT STATE     TICKS PAGES NAME\n");
    for (uint32_t slot = 0; (found = system_call(SYS_PROCESS, slot, (uint32_t)&p, 0)) >= 0; slot++)
        if (found)
            print("%5d %6d %-8s %6u %5u %s\n", p.pid, p.parent, p.state, p.ticks, p.pages, p.name);
    return 0;
}

static int command_mem(const char *argument)
{
    struct system_info s;

    (void)argument;
    system_get(&s);
    print("%u KiB of memory, %u KiB used, %u KiB free; %u page faults\n", s.pages * 4,
          (s.pages - s.free_pages) * 4, s.free_pages * 4, s.page_faults);
    return 0;
}

static int command_uptime(const char *argument)
{
    struct system_info s;

    (void)argument;
    system_get(&s);
    print("up %u.%02u s: %u ticks, %u of them idle; %u interrupts, %u process switches\n",
          s.ticks / TICKS_PER_SECOND, s.ticks % TICKS_PER_SECOND, s.ticks, s.idle_ticks,
          s.interrupts, s.switches);
    return 0;
}

static int command_date(const char *argument)
{
    struct clock_info c;

    (void)argument;
    system_call(SYS_CLOCK, (uint32_t)&c, 0, 0);
    print("%04u-%02u-%02u %02u:%02u:%02u\n", c.year, c.month, c.day, c.hour, c.minute, c.second);
    return 0;
}

static int command_kill(const char *argument)
{
    uint32_t pid;

    if (number_parse(argument, &pid) && system_call(SYS_KILL, pid, 0, 0) == 0)
        return 0;
    print("kill: no process '%s' that may be killed\n", argument);
    return 1;
}

static int command_reboot(const char *argument)
{
    (void)argument;
    print("restarting\n");
    return system_call(SYS_POWER, POWER_RESET, 0, 0);
}

static int command_poweroff(const char *argument)
{
    (void)argument;
    print("turning off\n");
    return system_call(SYS_POWER, POWER_OFF, 0, 0);
}

static const struct command commands[] = {
    {"help", "", "this list", command_help, BUILT_IN},
    {"echo", "TEXT", "print TEXT", command_echo, BUILT_IN},
    {"ps", "", "list the processes", command_ps, BUILT_IN},
    {"mem", "", "memory in use", command_mem, BUILT_IN},
    {"uptime", "", "time since the start, by the timer", command_uptime, BUILT_IN},
    {"date", "", "date and time, by the CMOS clock", command_date, BUILT_IN},
    {"cpu", "", "what CPUID says", program_cpu, PROGRAM},
    {"fib", "N", "the Nth Fibonacci number, by recursion", program_fib, PROGRAM},
    {"primes", "N", "count the primes up to N, by a sieve", program_primes, PROGRAM},
    {"sleep", "N", "wait for N seconds", program_sleep, PROGRAM},
    {"spin", "", "burn CPU time in the background", program_spin, BACKGROUND},
    {"kill", "PID", "end a process", command_kill, BUILT_IN},
    {"crash", "[HOW]", "a process that breaks the rules; 'crash help'", program_crash, PROGRAM},
    {"holes", "", "instructions that tell ring 3 too much", program_holes, PROGRAM},
    {"reboot", "", "restart the machine", command_reboot, BUILT_IN},
    {"poweroff", "", "turn the machine off", command_poweroff, BUILT_IN},
};

#define COMMAND_COUNT (sizeof commands / sizeof commands[0])

static int command_help(const char *argument)
{
    (void)argument;
    for (const struct command *c = commands; c < commands + COMMAND_COUNT; c++)
        print("  %-8s %-6s %s\n", c->name, c->arguments, c->help);
    print("COMMAND; COMMAND runs both, PROGRAM & runs it in the background, Ctrl-C ends it.\n");
    return 0;
}

static void end_tell(int pid, int status)
{
    if (status >= ENDED_BY_TRAP)
        print("[%d] ended by exception %d\n", pid, status - ENDED_BY_TRAP);
    else if (status >= ENDED_BY_KILL)
        print("[%d] killed\n", pid);
    else if (status)
        print("[%d] ended with status %d\n", pid, status);
}

/* Tells of the background processes that have ended. */
static void background_collect(void)
{
    int pid, status;

    while ((pid = system_call(SYS_WAIT, (uint32_t)WAIT_ANY, (uint32_t)&status, 0)) > 0) {
        if (status == 0)
            print("[%d] done\n", pid);
        end_tell(pid, status);
    }
}

static void program_start(const struct command *c, const char *argument, bool background)
{
    int status,
        pid = system_call(SYS_SPAWN, (uint32_t)c->run, (uint32_t)c->name, (uint32_t)argument);

    if (pid < 0) {
        print("%s: no room for another process\n", c->name);
    } else if (background) {
        print("[%d] %s\n", pid, c->name);
    } else {
        system_call(SYS_WAIT, (uint32_t)pid, (uint32_t)&status, 0);
        end_tell(pid, status);
    }
}

static char *blanks_skip(char *p)
{
    while (*p == ' ')
        p++;
    return p;
}

/* Cuts blanks and a final '&' off the end; was there one? */
static bool end_trim(char *text)
{
    size_t n = strlen(text);
    bool background = false;

    while (n && (text[n - 1] == ' ' || text[n - 1] == '&'))
        background = text[--n] == '&' || background;
    text[n] = 0;
    return background;
}

static void command_run(char *text)
{
    char *name = blanks_skip(text), *p;
    bool background = end_trim(name);

    for (p = name; *p && *p != ' '; p++)
        ;
    if (*p)
        *p++ = 0;
    p = blanks_skip(p);
    if (!*name)
        return;
    for (const struct command *c = commands; c < commands + COMMAND_COUNT; c++) {
        if (strcmp(c->name, name) != 0)
            continue;
        if (c->kind == BUILT_IN)
            c->run(p);
        else
            program_start(c, p, background || c->kind == BACKGROUND);
        return;
    }
    print("%s: no such command; try 'help'\n", name);
}

static void line_run(char *line)
{
    while (line) {
        char *next = line;
        while (*next && *next != ';')
            next++;
        if (*next)
            *next++ = 0;
        else
            next = NULL;
        command_run(line);
        background_collect();
        line = next;
    }
}

/* What follows "run=" in the kernel's command line; NULL when that is not there. */
static char *run_find(char *text)
{
    for (char *p = text; *p; p++)
        if ((p == text || p[-1] == ' ') && memcmp(p, "run=", 4) == 0)
            return p + 4;
    return NULL;
}

int shell(const char *argument)
{
    static char line[256 + 4];

    (void)argument;
    system_call(SYS_CMDLINE, (uint32_t)line, 256, 0);
    char *run = run_find(line);
    if (run) {
        line_run(run);
        command_poweroff("");
    }
    print("Type 'help' for the commands.\n");
    for (;;)
        if (line_read("tiny> ", line, sizeof line))
            line_run(line);
}
