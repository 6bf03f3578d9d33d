/* SPDX-License-Identifier: MIT */
/* loop.c - runs the guest to its end; see monitor.h. */
#include <stdarg.h>

#include "host/metal/lab.h"
#include "host/metal/monitor.h"
#include "host/metal/nucleus/bootinfo.h"
#include "host/metal/nucleus/clock.h"
#include "host/metal/nucleus/insn.h"
#include "host/metal/nucleus/service.h"
#include "host/metal/nucleus/trap.h"
#include "include/ring1/fmt.h"
#include "monitor/cpu/fpu.h"
#include "monitor/cpu/vcpu.h"
#include "monitor/run/ending.h"

#define SLICE_NS  1000000ull
#define NS_PER_MS 1000000ull

static struct metal metal;

void metal_say(const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    size_t len = fmt_vline(text, sizeof text - 2, fmt, ap);
    va_end(ap);
    text[len++] = '\r';
    text[len++] = '\n';
    nucleus_call(SERVICE_WRITE, (uint64_t) "ring1: ", 7, 0, 0);
    nucleus_call(SERVICE_WRITE, (uint64_t)text, len, 0, 0);
}

void metal_port_flush(struct metal_port *p)
{
    if (p->len && p->number == 0) /* what the guest says is on the screen too */
        nucleus_call(SERVICE_WRITE, (uint64_t)p->out, p->len, 0, 0);
    else if (p->len)
        nucleus_call(SERVICE_SEND, (uint64_t)p->out, p->len, p->number, 0);
    p->len = 0;
}

static void serve(struct metal *m)
{
    pc_flush(m->pc);
    for (unsigned n = 0; n < METAL_PORTS; n++)
        metal_port_flush(&m->port[n]);
}

static void wait(struct metal *m, ns_t until)
{
    serve(m);
    if (until > clock_now())
        nucleus_call(SERVICE_WAIT, until, 0, 0, 0);
    serve(m);
}

/* Returns false when the run is over. */
static bool end_of_life(struct metal *m, struct ending *e, unsigned reason)
{
    static struct ending_verdict d;
    static struct boot_error why;

    serve(m);
    ending_after(e, m->vcpu, reason, clock_now(), &d);
    if (d.report[0])
        metal_say("%s", d.report);
    if (d.first)
        metal_say("the guest halted with interrupts off and will not run again");
    if (d.lack[0])
        metal_say("%s", d.lack);
    switch (d.step) {
    case ENDING_NONE:
        return true;
    case ENDING_WAIT:
        return false;
    case ENDING_STAY:
    case ENDING_QUIT:
        return false;
    case ENDING_RESTART:
        break;
    }
    if (boot_start(&m->boot, &m->vm, m->pc, NULL, &why) == 0)
        return true;
    metal_say("%s", why.text);
    return false;
}

void metal_loop(struct metal *m)
{
    static struct ending e;

    e.rules.no_reboot = m->cfg.no_reboot;
    for (bool on = true; on;) {
        unsigned reason = vcpu_run(m->vcpu, SLICE_NS);
        fpu_park(m->vcpu);
        if (reason == EXIT_HALT)
            wait(m, m->vm.next_deadline);
        else if (reason == EXIT_SLICE)
            serve(m);
        else
            on = end_of_life(m, &e, reason);
    }
    serve(m);
}

/* Ticks are instructions where the time-stamp counter counts those (QEMU -icount shift=0). */
static void report_count(const struct metal *m, uint64_t ticks, uint64_t crossings)
{
    metal_say("counted ticks=%llu user=%llu kernel=%llu entries=%llu crossings=%llu",
              (unsigned long long)ticks, (unsigned long long)m->direct_ticks[1],
              (unsigned long long)m->direct_ticks[0],
              (unsigned long long)m->vcpu->stats.direct_entries, (unsigned long long)crossings);
}

static void report(const struct metal *m)
{
    const struct vcpu_stats *s = &m->vcpu->stats;

    metal_say("the guest is off, after %llu ms", (unsigned long long)(clock_now() / NS_PER_MS));
#define STAT_GROUP(title) metal_say("%s", title);
#define STAT(name, text)  metal_say("%16llu  %s", (unsigned long long)s->name, text);
#include "include/ring1/stat.def"
#undef STAT
#undef STAT_GROUP
}

_Noreturn void monitor_run(void)
{
    struct metal *m = &metal;
    const char *why = metal_config_read(&m->cfg, metal_bootinfo()->cmdline);

    if (!why && metal_host_init(m, &why) == 0) {
        if (m->cfg.lab) {
            why = metal_machine_bare(m, &why) ? why : lab_run(m);
        } else if (metal_machine_init(m, &why) == 0) {
            why = NULL;
            uint64_t start = read_tsc(), traps = trap_count;
            metal_loop(m);
            if (m->cfg.count)
                report_count(m, read_tsc() - start, trap_count - traps);
            report(m);
        }
    }
    if (why)
        metal_say("%s", why);
    nucleus_call(SERVICE_POWER_OFF, 0, 0, 0, 0);
    for (;;)
        continue;
}
