/* SPDX-License-Identifier: MIT */
/* ending.c - see ending.h. */
#include "monitor/run/ending.h"

#include "include/ring1/fmt.h"
#include "monitor/cpu/cpuid.h"
#include "monitor/cpu/trace.h"
#include "monitor/cpu/vm.h"

#define REPORT_EVERY NS_PER_SEC

/* The vector that could not be delivered, and the one that began it if that is another. */
static void name_vectors(uint32_t code, char *out, size_t room)
{
    unsigned last = code & 0xff, first = code >> 8 & 0xff;
    const char *name = first < 32 ? trace_vector_name(first) : "an interrupt";

    if (first == last)
        fmt_line(out, room, "vector 0x%02x (%s)", first, name);
    else
        fmt_line(out, room, "vector 0x%02x (%s), which came of vector 0x%02x (%s)", last,
                 trace_vector_name(last), first, name);
}

/* Why a guest may have ended that was made for another CPU: Linux' decompressor and early code,
 * entered without the real-mode part that would check the CPU, fault or halt without a word. */
static void name_lack(const struct vcpu *v, struct ending_verdict *out)
{
    if (v->lacked)
        fmt_line(out->lack, sizeof out->lack,
                 "the guest tried what the CPU model '%s' lacks (-cpu): %s, last at 0x%04x:0x%08x",
                 v->vm->cpu_model->name, v->lacked, v->lacked_cs, v->lacked_eip);
}

static void restart(struct ending *e, struct ending_verdict *out)
{
    out->step = e->rules.no_reboot ? ENDING_QUIT : ENDING_RESTART;
    if (!e->rules.no_reboot)
        e->halt_said = false;
}

static void report_crash(struct ending *e, const struct vcpu *v, struct ending_verdict *out)
{
    char again[64] = "", vectors[64];

    if (e->crashes_unsaid)
        fmt_line(again, sizeof again, ", as %u times since the last report", e->crashes_unsaid);
    name_vectors(v->exit_code, vectors, sizeof vectors);
    fmt_line(out->report, sizeof out->report,
             "triple fault at 0x%04x:0x%08x: the guest's CPU shut down because it could not "
             "deliver %s%s; %s",
             v->seg[SEG_CS].sel, v->eip, vectors, again,
             e->rules.no_reboot ? "-no-reboot ends the run"
                                : "restarting it (-no-reboot shows the registers)");
    name_lack(v, out);
    out->show_registers = e->rules.no_reboot;
}

static void crash(struct ending *e, const struct vcpu *v, ns_t now, struct ending_verdict *out)
{
    bool soon = e->crash_said_at && now - e->crash_said_at < REPORT_EVERY;

    if (soon && !e->rules.no_reboot) {
        e->crashes_unsaid++;
    } else {
        report_crash(e, v, out);
        e->crash_said_at = now;
        e->crashes_unsaid = 0;
    }
    restart(e, out);
}

static void halt(struct ending *e, const struct vcpu *v, struct ending_verdict *out)
{
    out->step = ENDING_WAIT;
    out->first = !e->halt_said;
    if (out->first)
        name_lack(v, out);
    e->halt_said = true;
}

void ending_after(struct ending *e, const struct vcpu *v, unsigned reason, ns_t now,
                  struct ending_verdict *out)
{
    *out = (struct ending_verdict){.step = ENDING_NONE};
    switch ((enum exit_reason)reason) {
    case EXIT_POWEROFF:
        out->step = e->rules.no_shutdown ? ENDING_STAY : ENDING_QUIT;
        break;
    case EXIT_RESET:
        restart(e, out);
        break;
    case EXIT_TRIPLE_FAULT:
        crash(e, v, now, out);
        break;
    case EXIT_DEBUG_EXIT:
        out->step = ENDING_QUIT;
        out->status = (int)(v->exit_code & 0xff);
        break;
    case EXIT_SHUTDOWN_HALT:
        halt(e, v, out);
        break;
    case EXIT_DIVERGED: /* monitor/run/lockstep.c has said how */
        out->step = ENDING_QUIT;
        out->status = 1;
        break;
    case EXIT_HALT:
    case EXIT_SLICE:
    case EXIT_NONE:
    case EXIT_COUNT:
        break;
    }
}

bool ending_is_end(unsigned reason)
{
    return reason == EXIT_POWEROFF || reason == EXIT_TRIPLE_FAULT || reason == EXIT_RESET ||
           reason == EXIT_DEBUG_EXIT;
}
