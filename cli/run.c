/* SPDX-License-Identifier: MIT */
/* run.c - `ring1 run`: options in, exit status out. */
#define _GNU_SOURCE
#include "cli/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "cli/help.h"
#include "cli/options.h"
#include "host/linux/loop.h"
#include "host/linux/machine.h"
#include "host/linux/terminal.h"

static void print_stats(const struct machine *m)
{
    fprintf(stderr, "%-20s %20s\n", "counter", "value");
#define STAT(id, text)                                                                             \
    fprintf(stderr, "%-20s %20llu  %s\n", #id, (unsigned long long)m->vcpu->stats.id, text);
#include "include/ring1/stat.def"
#undef STAT
    fprintf(stderr, "%-20s %20llu  %s\n", "unclaimed_ports",
            (unsigned long long)(m->vm.port.unclaimed_reads + m->vm.port.unclaimed_writes),
            "accesses to ports where no device is");
    fprintf(stderr, "%-20s %20llu  %s\n", "unclaimed_memory",
            (unsigned long long)(m->vm.mem.unclaimed_reads + m->vm.mem.unclaimed_writes),
            "accesses to addresses where nothing is");
}

static int run_machine(const struct config *cfg)
{
    struct machine *m = zeroed_alloc(sizeof *m);
    struct error e;
    int status = 1;

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
    struct config cfg;
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
    }
    return 0;
}
