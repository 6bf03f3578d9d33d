/* SPDX-License-Identifier: MIT */
/* lab.c - see lab.h. */
#include "host/metal/lab.h"

#include "boot/micro.h"
#include "devices/bus.h"
#include "direct/direct.h"
#include "host/metal/nucleus/bootinfo.h"
#include "host/metal/nucleus/frames.h"
#include "host/metal/nucleus/insn.h"
#include "include/ring1/fmt.h"
#include "include/ring1/mem.h"
#include "monitor/cpu/fpu.h"
#include "monitor/cpu/vcpu.h"
#include "monitor/memory/page.h"

#define SLICE_NS 1000000ull
#define SLICES   1000u

struct seen {
    struct naive_seen naive;
    bool ended;
    uint64_t ticks;
};

static void load(struct metal *m, const struct micro_state *s, const struct micro_guest *g)
{
    static const uint16_t masks[] = {0x21, 0xa1}; /* of the 8259s: the PC's timer runs */

    vcpu_reset(m->vcpu);
    memcpy((uint8_t *)frame_at(m->ram) + s->base, g->image, MICRO_BYTES);
    vm_ram_written(&m->vm, s->base, MICRO_BYTES);
    if (m->vcpu->direct)
        direct_forget(m->vcpu);
    for (unsigned n = 0; n < ARRAY_LEN(masks); n++)
        bus_write(&m->vm.port, masks[n], 1, 0xff, vm_now(&m->vm));
}

/* Until HLT, or for a second. */
static void run(struct metal *m, struct seen *out)
{
    unsigned reason = EXIT_SLICE;
    uint64_t start = read_tsc();

    for (unsigned n = 0; n < SLICES && reason == EXIT_SLICE; n++) {
        reason = vcpu_run(m->vcpu, SLICE_NS);
        fpu_park(m->vcpu);
    }
    uint64_t ticks = read_tsc() - start;
    out->ticks = ticks < out->ticks ? ticks : out->ticks;
    out->ended = reason == EXIT_HALT || reason == EXIT_SHUTDOWN_HALT;
}

static void tell(const struct metal *m, const struct micro_guest *g, const struct seen *s,
                 const struct vcpu_stats *before)
{
    const struct vcpu *v = m->vcpu;
    char trap[8] = "none";

    if (s->naive.trapped)
        fmt_line(trap, sizeof trap, "%u", s->naive.trap);
    metal_say(
        "lab %s mark=%u ended=%u eax=%x if=%u trap=%s translated=%u direct=%u traps=%llu "
        "callouts=%llu ticks=%llu",
        g->name, g->mark, s->ended, v->gpr[EAX], v->eflags & EFL_IF ? 1 : 0, trap,
        v->stats.bt_blocks > before->bt_blocks,
        v->stats.direct_entries > before->direct_entries &&
            v->stats.direct_refused == before->direct_refused,
        (unsigned long long)(s->naive.traps + v->stats.direct_emulated - before->direct_emulated),
        (unsigned long long)(v->stats.bt_callouts - before->bt_callouts),
        (unsigned long long)s->ticks);
}

const char *lab_run(struct metal *m)
{
    const struct module *module = &metal_bootinfo()->module[0];
    const struct micro_head *h = micro_find(frame_at(module->bytes.base), module->bytes.size);
    static struct seen seen;
    static struct vcpu_stats before;

    if (!h || h->state.base % GUEST_PAGE_SIZE || m->cfg.memory < MICRO_BYTES ||
        h->state.base > m->cfg.memory - MICRO_BYTES)
        return "lab= wants a file of micro-guests as the first module";
    const struct micro_guest *guest = (const struct micro_guest *)(h + 1);
    for (unsigned n = 0; n < h->count; n++) {
        const struct micro_guest *g = &guest[n];
        if (g->name[sizeof g->name - 1])
            return "a micro-guest's name does not end";
        seen = (struct seen){.ticks = UINT64_MAX, .naive = {.at = g->at}};
        load(m, &h->state, g);
        before = m->vcpu->stats;
        for (unsigned k = 0; k < g->runs || !k; k++) {
            if (!micro_enter(m->vcpu, &h->state, g->esi))
                return "a micro-guest has no segments to begin with";
            if (m->cfg.lab_naive)
                naive_start(m->vcpu, &seen.naive);
            run(m, &seen);
        }
        tell(m, g, &seen, &before);
    }
    metal_say("lab end");
    return NULL;
}
