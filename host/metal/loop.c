/* SPDX-License-Identifier: MIT */
/* loop.c - runs the guest to its end; see monitor.h. */
#include <stdarg.h>

#include "host/metal/lab.h"
#include "host/metal/monitor.h"
#include "host/metal/nucleus/bootinfo.h"
#include "host/metal/nucleus/clock.h"
#include "host/metal/nucleus/frames.h"
#include "host/metal/nucleus/insn.h"
#include "host/metal/nucleus/service.h"
#include "host/metal/nucleus/trap.h"
#include "include/ring1/fmt.h"
#include "include/ring1/mem.h"
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
    if (p->len)
        nucleus_call(SERVICE_SEND, (uint64_t)p->out, p->len, p->number, 0);
    p->len = 0;
}

/* Returns when it must be called again even if the guest does nothing. */
static ns_t serve(struct metal *m)
{
    pc_flush(m->pc);
    for (unsigned n = 0; n < METAL_PORTS; n++)
        metal_port_flush(&m->port[n]);
    return metal_screen(m, false);
}

static void wait(struct metal *m, ns_t until)
{
    ns_t again = serve(m);

    if (until > again)
        until = again;
    if (until > clock_now()) {
        uint64_t start = read_tsc();
        nucleus_call(SERVICE_WAIT, until, 0, 0, 0);
        m->idle_ticks += read_tsc() - start;
    }
    serve(m);
}

/* Returns false when the run is over. */
static bool end_of_life(struct metal *m, struct ending *e, unsigned reason,
                        struct ending_verdict *d)
{
    static struct boot_error why;

    serve(m);
    ending_after(e, m->vcpu, reason, clock_now(), d);
    if (d->report[0])
        metal_say("%s", d->report);
    if (d->first)
        metal_say("the guest halted with interrupts off and will not run again");
    if (d->lack[0])
        metal_say("%s", d->lack);
    switch (d->step) {
    case ENDING_NONE:
        return true;
    case ENDING_WAIT:
    case ENDING_STAY:
    case ENDING_QUIT:
        return false;
    case ENDING_RESTART:
        break;
    }
    if (m->cfg.each)
        metal_say("the guest starts again");
    if (boot_start(&m->boot, &m->vm, m->pc, NULL, &why) == 0)
        return true;
    metal_say("%s", why.text);
    d->step = ENDING_QUIT;
    d->status = 1;
    return false;
}

/* *d: how it ended; .step is ENDING_NONE when its time was over. */
void metal_loop(struct metal *m, struct ending_verdict *d)
{
    struct ending e = {.rules.no_reboot = m->cfg.no_reboot};
    ns_t limit = m->cfg.limit ? m->cfg.limit : NS_NEVER;

    for (bool on = true; on && clock_now() < limit;) {
        unsigned reason = vcpu_run(m->vcpu, SLICE_NS);
        fpu_park(m->vcpu);
        if (reason == EXIT_HALT)
            wait(m, m->vm.next_deadline < limit ? m->vm.next_deadline : limit);
        else if (reason == EXIT_SLICE)
            serve(m);
        else
            on = end_of_life(m, &e, reason, d);
    }
    serve(m);
    metal_screen(m, true);
}

/* Lines `guest CPL a at ring b`. */
static void report_rings(void)
{
    static struct rings rings;

    nucleus_call(SERVICE_RINGS, (uint64_t)&rings, 0, 0, 0);
    metal_say("Rings, where traps and interrupts found guest code");
    for (unsigned cpl = 0; cpl < 4; cpl++)
        for (unsigned ring = 0; ring < 4; ring++)
            if (rings.seen[ring][cpl])
                metal_say("%16llu  times the guest's CPL was %u and the hardware's %u",
                          (unsigned long long)rings.seen[ring][cpl], cpl, ring);
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
    report_rings();
}

/* Of one among several guests, in a line. */
static void report_each(const struct metal *m, const struct ending_verdict *d)
{
    const char *how = d->step == ENDING_QUIT   ? "off"
                      : d->step == ENDING_WAIT ? "halted for good"
                                               : "stopped at its limit";

    metal_say("guest %s: %s, status %u, %llu ms, %llu entries into direct code",
              metal_bootinfo()->module[m->guest].cmdline, how, (unsigned)d->status,
              (unsigned long long)(clock_now() / NS_PER_MS),
              (unsigned long long)m->vcpu->stats.direct_entries);
    report_rings();
}

static void run_guest(struct metal *m)
{
    struct ending_verdict d = {0};
    const char *why;

    if (metal_host_init(m, &why) ||
        (m->cfg.lab ? metal_machine_bare(m, &why) : metal_machine_init(m, &why))) {
        metal_say("%s", why);
        return;
    }
    if (m->cfg.lab) {
        why = lab_run(m);
        if (why)
            metal_say("%s", why);
        return;
    }
    uint64_t start = read_tsc(), traps = trap_count;
    metal_loop(m, &d);
    if (m->cfg.count)
        report_count(m, read_tsc() - start - m->idle_ticks, trap_count - traps);
    if (m->cfg.each)
        report_each(m, &d);
    else
        report(m);
}

static void say_free(void)
{
    metal_say("%llu bytes of memory are free",
              (unsigned long long)nucleus_call(SERVICE_FRAMES_LEFT, 0, 0, 0, 0));
}

static void forget_guest(struct metal *m)
{
    nucleus_call(SERVICE_FORGET, m->ram, m->cfg.memory, 0, 0);
    say_free();
}

_Noreturn void monitor_run(void)
{
    const struct bootinfo *b = metal_bootinfo();
    static struct metal_config cfg;
    struct metal *m = &metal;
    const char *why = metal_config_read(&cfg, b->cmdline);

    if (why)
        metal_say("%s", why);
    else if (cfg.each)
        say_free();
    for (unsigned n = 0; !why && (n == 0 || (cfg.each && n < b->module_count)); n++) {
        memset(m, 0, sizeof *m);
        m->cfg = cfg;
        m->guest = n;
        m->ram = NO_FRAME;
        run_guest(m);
        if (cfg.each)
            forget_guest(m);
    }
    nucleus_call(SERVICE_POWER_OFF, 0, 0, 0, 0);
    for (;;)
        continue;
}
