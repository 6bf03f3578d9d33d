/* SPDX-License-Identifier: MIT */
/*
 * bt_inject.c - signals and debug traps of the host at every instruction of the code arena.
 *
 * What must hold
 *   A signal that wants the vCPU back, a debug trap that nobody asked for with each si_code, an
 *   ICEBP in the code: wherever one of them comes, in a stub, a block's hot or its cold part, the
 *   guest ends in the state in which it ends without, and so it does when the single steps of
 *   breaking in come with any si_code.
 *   A signal that a process sent is never taken for a trap, whatever trap number was the last.
 *
 * How
 *   An INT3 in place of the instruction traps when it is reached for the first time. The handler
 *   takes it away, and gives what is injected to the handlers under test with the registers of that
 *   moment. The guest is that of inject_guest.h.
 */
#include "tests/rig/inject_guest.h"

#include <Zydis/Zydis.h>
#include <criterion/criterion.h>

#include "bt/run/run_priv.h"

/* ---- injecting ---- */

enum what {
    BREAK_IN, /* a signal that wants the vCPU back */
    DEBUG,    /* a debug trap out of nothing */
    ICEBP,    /* the instruction itself: the kernel's own si_code */
    SENT,     /* all that is to be ignored, or not to be taken for a trap */
};

/* The single steps' si_code too. */
static const int codes[] = {TRAP_TRACE, TRAP_BRKPT, TRAP_HWBKPT, TRAP_BRANCH,
                            TRAP_UNK,   SI_KERNEL,  99};

static struct {
    enum what what;
    int code;
    uint8_t *planted, kept; /* in the writable view */
    uint64_t rip;           /* where that is executed */
    uint64_t early;         /* where a signal comes before that; 0: none does */
    uint8_t *early_planted, early_kept;
    bool hit;
    const char *wrong;
} inject;

/* How host_trap_signal() takes a signal with this cause here; nothing may change. */
static void expect_nothing(int sig, int code, greg_t trap, bool taken, ucontext_t *uc)
{
    siginfo_t info = {.si_signo = sig, .si_code = code};
    struct vcpu *v = t.translated->cpu;
    ucontext_t before;
    __typeof__(v->bt) bt = v->bt;

    uc->uc_mcontext.gregs[REG_TRAPNO] = trap;
    before = *uc;
    if (host_trap_signal(v, sig, &info, uc) != taken)
        inject.wrong = taken ? "a notice was not taken" : "it was taken for a trap";
    if (memcmp(&uc->uc_mcontext.gregs, &before.uc_mcontext.gregs, sizeof(gregset_t)) ||
        memcmp(&bt, &v->bt, sizeof bt))
        inject.wrong = "it changed something";
}

static void send_all(ucontext_t *uc)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
    static const int sent[] = {SI_USER, SI_TKILL, SI_QUEUE, SI_TIMER};
    static const greg_t traps[] = {VEC_DB, VEC_PF, VEC_GP, VEC_MF};

    for (unsigned n = 0; n < ARRAY_LEN(traps); n++) {
        for (unsigned k = 0; k < ARRAY_LEN(signals) * ARRAY_LEN(sent); k++)
            expect_nothing(signals[k / ARRAY_LEN(sent)], sent[k % ARRAY_LEN(sent)], traps[n], false,
                           uc);
        expect_nothing(SIGBUS, BUS_MCEERR_AO, traps[n], true, uc);
        expect_nothing(SIGBUS, BUS_MCEERR_AR, traps[n], false, uc);
        expect_nothing(SIGBUS, BUS_ADRERR, traps[n], false, uc);
        expect_nothing(SIGTRAP, 6 /* TRAP_PERF */, traps[n], true, uc);
    }
    expect_nothing(SIGTRAP, SI_KERNEL, VEC_BP, false, uc);
}

static void debug_trap(siginfo_t *info, int code, ucontext_t *uc)
{
    info->si_code = code;
    uc->uc_mcontext.gregs[REG_TRAPNO] = VEC_DB;
    if (!host_trap_signal(t.translated->cpu, SIGTRAP, info, uc))
        inject.wrong = "a debug trap was not taken";
}

static void at_planted(siginfo_t *info, ucontext_t *uc)
{
    struct vcpu *v = t.translated->cpu;

    *inject.planted = inject.kept;
    uc->uc_mcontext.gregs[REG_RIP]--;
    inject.hit = true;
    switch (inject.what) {
    case BREAK_IN:
        vcpu_attend(v, ATT_KICK);
        host_trap_break_in(v, uc);
        break;
    case DEBUG:
        debug_trap(info, inject.code, uc);
        break;
    case ICEBP:
        if (!host_trap_signal(v, SIGTRAP, info, uc))
            inject.wrong = "an ICEBP was not taken";
        break;
    case SENT:
        send_all(uc);
        break;
    }
}

static bool at_span(uint64_t rip, ucontext_t *uc);

static void plant(void)
{
    inject.kept = *inject.planted;
    *inject.planted = inject.what == ICEBP ? 0xf1 : 0xcc;
}

static void at_early(ucontext_t *uc)
{
    *inject.early_planted = inject.early_kept;
    uc->uc_mcontext.gregs[REG_RIP]--;
    inject.early = 0;
    plant();
    vcpu_attend(t.translated->cpu, ATT_KICK);
    host_trap_break_in(t.translated->cpu, uc);
}

static void on_trap(int sig, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    uint64_t rip = (uint64_t)uc->uc_mcontext.gregs[REG_RIP];

    if (at_span(rip, uc))
        return;
    if (inject.early && rip == inject.early + 1) {
        at_early(uc);
        return;
    }

    if (inject.planted && !inject.hit && rip == inject.rip + 1) {
        at_planted(info, uc);
        return;
    }
    if (uc->uc_mcontext.gregs[REG_TRAPNO] == VEC_DB)
        info->si_code = inject.code; /* as if the CPU had not said why */
    bt_rig_on_signal(sig, info, context);
}

#define NOT_EARLY UINT32_MAX

/* `early`: a signal that wants the vCPU back has come there before. */
static void inject_at(uint32_t at, uint32_t early, enum what what, int code)
{
    const struct host_code_arena *a = &t.translated->world.cpu_host.cache;

    inject.what = what;
    inject.code = code;
    inject.planted = (uint8_t *)a->rw + at;
    inject.rip = (uint64_t)(uintptr_t)a->rx + at;
    inject.hit = false;
    inject.wrong = NULL;
    inject.early = 0;
    restart();
    if (early != NOT_EARLY) {
        inject.early = (uint64_t)(uintptr_t)a->rx + early;
        inject.early_planted = (uint8_t *)a->rw + early;
        inject.early_kept = *inject.early_planted;
        *inject.early_planted = 0xcc;
    } else {
        plant();
    }
    bool ended = run(t.translated);
    if (inject.early)
        *inject.early_planted = inject.early_kept;
    else if (!inject.hit)
        *inject.planted = inject.kept;
    inject.early = 0;
    inject.planted = NULL;
    cr_assert(ended && !inject.wrong && same(), "offset 0x%x (0x%x), event %d code %d: %s%s", at,
              early, what, code, inject.wrong ? inject.wrong : "another state",
              ended ? "" : ", no end");
}

/* With every n-th si_code. False: the instruction is not reached. */
static bool instruction(uint32_t at, uint32_t early, unsigned every)
{
    inject_at(at, early, SENT, TRAP_TRACE);
    if (!inject.hit)
        return false;
    inject_at(at, early, ICEBP, TRAP_TRACE);
    for (unsigned n = at % every; n < ARRAY_LEN(codes); n += every) {
        inject_at(at, early, BREAK_IN, codes[n]);
        inject_at(at, early, DEBUG, codes[n]);
    }
    return true;
}

/* ---- all instructions ---- */

static unsigned length_at(uint32_t at)
{
    static ZydisDecoder decoder;
    ZydisDecodedInstruction insn;

    if (!decoder.machine_mode)
        ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    cr_assert(ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(
                  &decoder, NULL, t.translated->world.cpu_host.cache.rw + at, 15, &insn)),
              "no instruction at 0x%x", at);
    return insn.length;
}

/* The first instruction at `at` or behind, counted from `from`: a check may have become a branch
 * meanwhile. */
static uint32_t instruction_from(uint32_t from, uint32_t at)
{
    while (from < at)
        from += length_at(from);
    return from;
}

static uint32_t stubs_end(const struct bt *bt)
{
    uint32_t end = bt->cache.fixed;

    while (!bt->cache.arena->rw[end - 1])
        end--;
    return end;
}

/* Does this instruction set in_cache? A signal before it, after the monitor's last look at
 * vcpu.attention, is found by load_flags() (bt/run/stubs.c). */
static bool is_last_moment(uint32_t at)
{
    uint8_t want[16];
    struct emit e = {.rw = want, .at = 0, .end = sizeof want};

    emit_mov_mi8(&e, VCPU(bt.in_cache), 1);
    return !memcmp(t.translated->world.cpu_host.cache.rw + at, want, e.at);
}
#define LOAD_FLAGS 0x60u /* bytes at most, and what follows */

/* Where the guest's CPUID is, before which DF is set; NOT_EARLY: just now that is no translated
 * code. */
static uint32_t down_site(void)
{
    const struct code_cache *c = &t.translated->cpu->translator->cache;

    for (uint32_t n = 0; n < c->site_count; n++)
        if (c->sites[n].eip == CODE + (uint32_t)(down - program) &&
            !c->blocks[c->sites[n].block].dead)
            return c->sites[n].host;
    cr_assert(adaptive, "not translated");
    return NOT_EARLY;
}

static void all_stubs(void)
{
    uint32_t end = stubs_end(t.translated->cpu->translator), moment = NOT_EARLY;
    unsigned all = 0, reached = 0;

    for (uint32_t at = 0; at < end; at += length_at(at)) {
        bool r = instruction(at, NOT_EARLY, 1);
        if (moment != NOT_EARLY && at - moment < LOAD_FLAGS)
            r |= instruction(at, moment, 1);
        if (!r)
            r = instruction(at, down_site(), 1);
        if (is_last_moment(at))
            moment = at;
        all++;
        reached += r;
    }
    cr_expect(100 * reached > 85 * all, "only %u of %u instructions of stubs", reached, all);
}

/* ---- which of a block's instructions are reached? ---- */

#define SPAN 8192u

static struct {
    uint64_t rip; /* of the span, 0: not looking */
    uint8_t *code, kept[SPAN];
    bool planted[SPAN], reached[SPAN];
} span;

static bool at_span(uint64_t rip, ucontext_t *uc)
{
    uint64_t n = rip - 1 - span.rip;

    if (!span.rip || n >= SPAN || !span.planted[n])
        return false;
    span.code[n] = span.kept[n];
    span.planted[n] = false;
    span.reached[n] = true;
    uc->uc_mcontext.gregs[REG_RIP]--;
    return true;
}

static void span_look(uint32_t from, uint32_t end)
{
    const struct host_code_arena *a = &t.translated->world.cpu_host.cache;
    uint32_t bytes = end - from;

    cr_assert(bytes <= SPAN);
    memset(&span, 0, sizeof span);
    restart();
    span.code = (uint8_t *)a->rw + from;
    span.rip = (uint64_t)(uintptr_t)a->rx + from;
    memcpy(span.kept, span.code, bytes);
    for (uint32_t n = 0; n < bytes; n += length_at(from + n))
        span.planted[n] = true;
    for (uint32_t n = 0; n < bytes; n++)
        if (span.planted[n])
            span.code[n] = 0xcc;
    cr_assert(run(t.translated) && same());
    for (uint32_t n = 0; n < bytes; n++)
        if (span.planted[n])
            span.code[n] = span.kept[n];
    span.rip = 0;
}

static void all_blocks(void)
{
    const struct code_cache *c = &t.translated->cpu->translator->cache;
    uint32_t first_count = c->block_count;
    unsigned reached = 0;

    /* What adaptation makes anew meanwhile comes without end. */
    for (uint32_t n = 0; n < (adaptive ? first_count : c->block_count); n++) {
        uint32_t from = c->blocks[n].entry, end = c->blocks[n].end;
        if (c->blocks[n].dead)
            continue;
        span_look(from, end);
        for (uint32_t at = from; at < end; at++)
            if (span.reached[at - from] && !c->blocks[n].dead)
                reached += instruction(instruction_from(from, at), NOT_EARLY, 4);
    }
    cr_expect(reached > (adaptive ? 400 : 500), "only %u instructions of blocks", reached);
}

static void all(const struct bt_options *options)
{
    struct sigaction sa = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO | SA_ONSTACK};

    t.interpreted = bt_rig_zeroed(sizeof *t.interpreted);
    t.translated = bt_rig_zeroed(sizeof *t.translated);
    bt_rig_signals();
    sigaction(SIGTRAP, &sa, NULL);
    bt_rig_create(t.interpreted, RAM, false);
    bt_rig_create(t.translated, RAM, true);
    bt_rig_options(t.translated, options);
    load(t.interpreted);
    load(t.translated);
    reset(t.interpreted);
    run(t.interpreted);
    restart();
    cr_assert(run(t.translated) && same(), "without anything injected: eip %x",
              t.translated->cpu->eip);
    all_stubs();
    all_blocks();
}

Test(bt_inject, windows)
{
    all(&(struct bt_options){0});
}

/* With what the translator learns from traps and exceptions: other forms, or interpreted. */
Test(bt_inject, windows_adaptive)
{
    adaptive = true;
    all(&(struct bt_options){0});
    cr_expect_gt(t.translated->cpu->stats.bt_adapted, 0);
}

Test(bt_inject, software_tlb_adaptive)
{
    adaptive = true;
    all(&(struct bt_options){.soft_only = true});
}

Test(bt_inject, software_tlb)
{
    all(&(struct bt_options){.soft_only = true});
}

Test(bt_inject, unchained)
{
    all(&(struct bt_options){.no_chain = true});
}
