/* SPDX-License-Identifier: MIT */
/* run.c - `ring1 run`: options in, exit status out. */
#define _GNU_SOURCE
#include "cli/run.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "bt/run/locate.h"
#include "cli/help.h"
#include "cli/options.h"
#include "host/linux/loop.h"
#include "host/linux/machine.h"
#include "host/linux/terminal.h"

#define STACK_NEEDED (256u << 10)

static void print_stat(const char *name, uint64_t value, const char *text)
{
    fprintf(stderr, "%-20s %20llu  %s\n", name, (unsigned long long)value, text);
}

/* "RETURN_HALT" as a counter's name, and its meaning up to the first semicolon or bracket. */
static void print_exits(const struct machine *m)
{
    static const struct {
        const char *name, *text;
    } reasons[EXIT_COUNT] = {
#define EXIT(id, what) {"RETURN_" #id, what},
#include "include/ring1/exit.def"
#undef EXIT
    };
    char name[32], text[128];

    fprintf(stderr, "\nReturns of the CPU to the host\n");
    for (unsigned i = EXIT_NONE + 1; i < EXIT_COUNT; i++) {
        snprintf(name, sizeof name, "%s", reasons[i].name);
        for (char *p = name; *p; p++)
            *p = (char)tolower((unsigned char)*p);
        snprintf(text, sizeof text, "%.*s", (int)strcspn(reasons[i].text, ";("), reasons[i].text);
        print_stat(name, m->exits[i], text);
    }
}

static void print_stats(const struct machine *m)
{
    fprintf(stderr, "%-20s %20s\n", "counter", "value");
#define STAT_GROUP(title) fprintf(stderr, "\n%s\n", title);
#define STAT(id, text)    print_stat(#id, m->vcpu->stats.id, text);
#include "include/ring1/stat.def"
#undef STAT
    print_stat("unclaimed_ports", m->vm.port.unclaimed_reads + m->vm.port.unclaimed_writes,
               "accesses to ports where no device is");
    print_stat("unclaimed_memory", m->vm.mem.unclaimed_reads + m->vm.mem.unclaimed_writes,
               "accesses to addresses where nothing is");
    print_stat("dma_reads", m->vm.dma.reads, "reads of guest memory by devices");
    print_stat("dma_writes", m->vm.dma.writes, "writes to guest memory by devices");
    print_stat("dma_missed", m->vm.dma.missed_reads + m->vm.dma.missed_writes,
               "of both, those that met something else than memory, or read-only memory");
    print_exits(m);
    if (!m->vcpu->translator)
        return;
    fprintf(stderr, "\nCode cache\n");
    print_stat("cache_size", m->host.cpu.cache.size, "bytes");
    print_stat("cache_used", bt_cache_used(m->vcpu), "bytes that hold code now");
}

/* The kernel looks at the limit when the stack grows: one that is too low is raised, if allowed. */
static int ensure_stack(void)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_STACK, &r) || r.rlim_cur == RLIM_INFINITY || r.rlim_cur >= STACK_NEEDED)
        return 0;
    r.rlim_cur = STACK_NEEDED;
    return setrlimit(RLIMIT_STACK, &r);
}

static int run_machine(const struct config *cfg)
{
    struct machine *m = zeroed_alloc(sizeof *m);
    struct error e;
    int status = 1;

    if (ensure_stack()) {
        say("the limit of the stack is below %u KiB; raise ulimit -s", STACK_NEEDED >> 10);
        return 1;
    }
    if (!m) {
        say("out of memory");
        return 1;
    }
    if (cfg->name) {
        say_as(cfg->name);
        prctl(PR_SET_NAME, cfg->name);
    }
    if (machine_create(m, cfg, &e)) {
        say("%s", e.text);
        machine_destroy(m);
    } else {
        status = loop_run(m);
        terminal_restore();
        for (unsigned i = 0; i < m->console_count; i++)
            console_close(&m->console[i]); /* the guest's last words before ours */
        if (cfg->stats)
            print_stats(m);
        machine_destroy(m);
    }
    return status;
}

int cmd_run(int count, char **args)
{
    static struct config cfg; /* big, and the stack is not yet what we need */
    struct error e;

    switch (options_parse(&cfg, count, args, &e)) {
    case OPTIONS_RUN:
        return run_machine(&cfg);
    case OPTIONS_ERROR:
        say("%s", e.text);
        return 1;
    case OPTIONS_HELP:
        help_run(stdout);
        break;
    case OPTIONS_VERSION:
        print_version();
        break;
    case OPTIONS_CPU_HELP:
        help_cpus(stdout);
        break;
    case OPTIONS_TRACE_HELP:
        help_stages(stdout);
        break;
    case OPTIONS_DEVICE_HELP:
        help_devices(stdout);
        break;
    case OPTIONS_MACHINE_HELP:
        help_machines(stdout);
        break;
    case OPTIONS_KNOB_HELP:
        help_knobs(stdout);
        break;
    }
    return 0;
}
