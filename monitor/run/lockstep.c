/* SPDX-License-Identifier: MIT */
/*
 * lockstep.c - see lockstep.h: making both guests the same, and a step of both.
 *
 * REP        The translator and the interpreter may stop in the middle of a REP string at different
 *            iterations; the shadow then goes on one iteration at a time until the counts agree.
 */
#include "monitor/run/lockstep.h"

#include "include/ring1/fmt.h"
#include "include/ring1/mem.h"
#include "monitor/cpu/cpu_state.h"
#include "monitor/cpu/fpu.h"
#include "monitor/interp/interp.h"
#include "monitor/memory/region.h"
#include "shadow-mmu/mmu.h"

#define BLOCKS_AT_ONCE 64u
#define FPU_EVERY      4096u
#define RAM_PER_BLOCK  128u    /* bytes: a block takes longer than comparing so many */
#define STEPS_MAX      100000u /* of the shadow until it must have faulted */

#define ACCESSES_MISSING "only the translator accesses a device"

/* ---- the same state ---- */

static void copy_cpu(struct vcpu *to, const struct vcpu *from)
{
    cpu_state_copy(to, from, STATE_COPIED);
    to->delivering = 0xff;
    to->exit_reason = EXIT_NONE;
}

static bool page_equal(const struct lockstep *ls, uint64_t at)
{
    return !memcmp(ls->shadow.ram + at, ls->real->ram + at, GUEST_PAGE_SIZE);
}

static void sync_regions(struct lockstep *ls)
{
    struct vm *s = &ls->shadow;

    for (unsigned n = 0; n < s->region_count; n++) /* none stands in another's way */
        vm_region_place(s, s->region[n], REGION_NOWHERE);
    for (unsigned n = 0; n < s->region_count; n++) {
        const struct region *from = ls->real->region[n];

        if (from->of)
            vm_region_show(s, s->region[n], from->base, from->off);
        else
            vm_region_place(s, s->region[n], from->base);
        for (uint64_t at = 0; !from->of && at < from->size; at += GUEST_PAGE_SIZE)
            if (memcmp(s->region[n]->host + at, from->host + at, GUEST_PAGE_SIZE) != 0)
                memcpy(s->region[n]->host + at, from->host + at, GUEST_PAGE_SIZE);
        for (uint64_t p = 0; p < from->size >> GUEST_PAGE_SHIFT; p++)
            s->region[n]->page[p] = from->page[p] & PAGE_KINDS;
    }
}

void lockstep_sync(struct lockstep *ls)
{
    struct vm *s = &ls->shadow;

    fpu_park(ls->a);
    sync_regions(ls);
    for (uint64_t at = 0; at < s->ram_size; at += GUEST_PAGE_SIZE) {
        s->page[at >> GUEST_PAGE_SHIFT] = ls->real->page[at >> GUEST_PAGE_SHIFT] & PAGE_KINDS;
        if (!page_equal(ls, at))
            memcpy(s->ram + at, ls->real->ram + at, GUEST_PAGE_SIZE);
    }
    s->a20 = ls->real->a20;
    s->cover = ls->real->cover;
    s->cover_kind = ls->real->cover_kind;
    copy_cpu(ls->b, ls->a);
    interp_flush(ls->b);
    mmu_flush_all(ls->b);
    ls->b->attention = 0;
    lockstep_record_anew(ls);
    ls->overflow = ls->delivered = false;
    ls->syncs++;
}

void lockstep_loaded(struct lockstep *ls, ns_t now, uint64_t random)
{
    ls->now = ls->looked = now;
    ls->random = random;
    lockstep_sync(ls);
}

/* The way to a handler may lead through device memory (the stack, the IDT, a TSS), so it is
 * recorded as a block is. */
static void event_begins(void *self)
{
    struct lockstep *ls = self;
    struct vcpu *a = ls->a, *b = ls->b;

    if (ls->diverged)
        return;
    ls->now += LOCKSTEP_INSN_NS; /* events alone must not go on for ever at one moment */
    /* What the run loop did before it called event_deliver(); all of it was compared when it
     * was. */
    b->eflags = a->eflags;
    b->dr[6] = a->dr[6];
    b->dr[7] = a->dr[7];
    b->dr6_pending = a->dr6_pending;
    b->shadow_next = a->shadow_next;
    b->halted = false;
    lockstep_record_anew(ls);
    ls->running = true;
}

static void event_ends(void *self, unsigned type, unsigned vector, uint32_t error)
{
    struct lockstep *ls = self;

    if (ls->diverged)
        return;
    ls->running = false;
    ls->delivered = true;
    if (ls->overflow) {
        lockstep_sync(ls);
        return;
    }
    lockstep_replay_map(ls);
    event_deliver(ls->b, (enum event_type)type, vector, error);
    if (ls->taken != ls->used && !ls->why[0])
        fmt_line(ls->why, sizeof ls->why, ACCESSES_MISSING);
    ls->now += ls->used * LOCKSTEP_ACCESS_NS;
}

const struct vm_observer lockstep_observer = {.event_begins = event_begins,
                                              .event_ends = event_ends};

/* ---- a step of both ---- */

static void run_real(struct vcpu *a, void *arg)
{
    struct lockstep *ls = arg;

    ls->count = 1;
    if (ls->single)
        interp_single(a);
    else
        ls->count = bt_run_block(a);
}

/* The real guest stopped within the REP string at eip: iterate until the counts agree. */
static void iterate(struct lockstep *ls)
{
    struct vcpu *a = ls->a, *b = ls->b;
    uint32_t start = b->eip, before = b->eflags;

    while (b->eip == start && b->gpr[ECX] != a->gpr[ECX]) {
        b->attention = 0;
        b->eflags |= EFL_TF;
        interp_step(b);
        b->eflags &= ~EFL_TF;
    }
    /* CMPS and SCAS show the flags of each iteration to a single-step trap only. */
    if (b->eip == start)
        b->eflags = (b->eflags & ~EFL_ARITH) | (before & EFL_ARITH);
    b->eflags = (b->eflags & ~EFL_RF) | (a->eflags & EFL_RF);
    b->rf_lent = a->rf_lent;
}

/* Finishes the REP string at eip, which let go to look at the clock. */
static void finish_rep(struct vcpu *b, uint32_t rf)
{
    do {
        b->eflags = (b->eflags & ~EFL_RF) | rf;
        b->rf_lent = false;
        b->attention = 0;
        interp_step(b);
    } while ((b->outcome & DID_PART) && interp_at_rep(b)); /* unless it has overwritten itself */
    b->eflags = (b->eflags & ~EFL_RF) | rf;
}

/* One instruction of the shadow, a REP string to its end; `last`: the real guest may have stopped
 * within it. */
static void step(struct lockstep *ls, bool last)
{
    struct vcpu *b = ls->b;
    uint32_t start = b->eip, rf = b->eflags & EFL_RF;

    if (last && start == ls->a->eip && !(b->eflags & EFL_TF) && interp_at_rep(b)) {
        iterate(ls);
        return;
    }
    b->attention = 0;
    b->shadow_next = 0; /* that was for the instruction which runs now */
    if (ls->single) {
        interp_single(b);
        if ((b->outcome & ~ls->a->outcome & DID_PART) && !ls->faulted)
            finish_rep(b, 0); /* RF is used up at its end */
        return;
    }
    interp_step(b);
    if (unlikely(b->outcome & DID_PART))
        finish_rep(b, rf); /* it let go to look at the clock */
}

static bool arrived(const struct lockstep *ls)
{
    uint32_t apart = ls->b->eip ^ ls->a->eip;

    for (unsigned n = 0; n < GPR_COUNT; n++)
        apart |= ls->b->gpr[n] ^ ls->a->gpr[n];
    return !apart;
}

/* A whole block of the decode cache, if it has at most `most` instructions. Returns how many
 * ran. */
static unsigned run_decoded(struct lockstep *ls, unsigned most)
{
    struct vcpu *b = ls->b;
    uint32_t rf = b->eflags & EFL_RF;
    uint64_t before = b->stats.insns;

    b->attention = b->outcome = 0;
    b->shadow_next = 0;
    unsigned bytes = interp_run_block(b, most, ls->a->eip);
    uint64_t after = b->stats.insns; /* the rest of a repetition is no more instructions */
    if (unlikely(bytes && (b->outcome & DID_PART))) /* in the middle of a REP string */
        finish_rep(b, rf);
    return (unsigned)(after - before);
}

static void run_shadow(struct vcpu *b, void *arg)
{
    struct lockstep *ls = arg;
    unsigned left = ls->faulted ? STEPS_MAX : ls->count; /* a fault ends it sooner */

    (void)b;
    while (left) {
        unsigned done = ls->single ? 0 : run_decoded(ls, left);
        if (!done || done > left) {
            step(ls, !ls->faulted && left == 1);
            done = 1;
        }
        left -= done;
    }
    /* The translator may not have counted the instruction that it gave to the interpreter. */
    if (!ls->faulted && !arrived(ls))
        step(ls, true);
}

static const char *ram_difference(struct lockstep *ls)
{
    gpa_t at;

    ls->ram_compared = ls->blocks;
    return lockstep_ram_difference(ls, &at) ? "RAM (written some time in the last blocks)" : NULL;
}

/* What differs after a step, or NULL. */
static const char *check(struct lockstep *ls, bool shadow_faulted)
{
    const char *what;

    if (ls->why[0])
        return ls->why;
    if (shadow_faulted != ls->faulted)
        return shadow_faulted ? "only the interpreter raises an exception"
                              : "only the translator raises an exception";
    if (ls->faulted &&
        (ls->fault.vector != ls->shadow_fault.vector || ls->fault.error != ls->shadow_fault.error))
        return "the exception's vector or error code";
    if (ls->taken != ls->used)
        return ACCESSES_MISSING;
    what = lockstep_difference(ls);
    /* The shadow's are live if the block used them. */
    if (!what && (ls->b->fpu.live || ls->blocks % FPU_EVERY == 0)) {
        fpu_park(ls->b);
        what = lockstep_fpu_difference(ls);
    }
    if (!what && ls->blocks - ls->ram_compared >= ls->real->ram_size / RAM_PER_BLOCK)
        what = ram_difference(ls);
    return what;
}

static void diverge(struct lockstep *ls, const char *what)
{
    ls->diverged = true;
    fpu_park(ls->a);
    lockstep_report(ls, what);
    ls->a->exit_reason = EXIT_DIVERGED;
    vcpu_attend(ls->a, ATT_EXIT);
}

static void pass(struct lockstep *ls, uint64_t insns)
{
    ls->insns += insns;
    ls->now += (insns ? insns : 1) * LOCKSTEP_INSN_NS + ls->used * LOCKSTEP_ACCESS_NS;
}

static void one_block(struct lockstep *ls)
{
    struct vcpu *a = ls->a, *b = ls->b;
    const char *what;

    /* From the shadow, which is equal, and whose stores have long reached the cache. */
    memcpy(ls->before.gpr, b->gpr, sizeof ls->before.gpr);
    ls->before.eip = b->eip;
    ls->before.eflags = b->eflags;
    lockstep_record_anew(ls);
    ls->blocks++;
    uint64_t insns = b->stats.insns;
    b->shadow = a->shadow;
    b->shadow_next = a->shadow_next;
    ls->running = true;
    ls->faulted = fault_catch(a, run_real, ls, &ls->fault);
    ls->running = false;
    if (ls->overflow) {
        lockstep_sync(ls);
        pass(ls, ls->count);
        return;
    }
    lockstep_replay_map(ls);
    bool shadow_faulted = fault_catch(b, run_shadow, ls, &ls->shadow_fault);
    what = check(ls, shadow_faulted);
    pass(ls, b->stats.insns - insns);
    if (what)
        diverge(ls, what);
}

/* Some blocks of both, or one instruction. True: the last one raised ls->fault. */
static bool run_both(struct lockstep *ls)
{
    struct vcpu *a = ls->a;
    bool single = ls->single = engine_single(a);

    if (ls->delivered && !ls->diverged) {
        const char *what = ls->why[0] ? ls->why : lockstep_difference(ls);
        ls->delivered = false;
        if (what) {
            diverge(ls, what);
            return false;
        }
    }
    for (unsigned n = 0; n < BLOCKS_AT_ONCE; n++) {
        if (!single && (__atomic_load_n(&a->attention, __ATOMIC_RELAXED) || a->shadow_next))
            return false;
        if (ls->now >= ls->real->next_deadline && ls->now != ls->looked && !a->shadow) {
            ls->looked = ls->now;
            bt_tick(a);
            vcpu_attend(a, ATT_TIME);
            return false;
        }
        one_block(ls);
        if (ls->faulted || ls->diverged || single)
            return ls->faulted;
        if ((a->eflags & (EFL_TF | EFL_RF)) || a->dr_armed || a->halted)
            return false;
    }
    return false;
}

static bool takes(struct vcpu *v)
{
    return v->vm->lockstep != NULL;
}

static void run(struct vcpu *a)
{
    struct lockstep *ls = a->vm->lockstep;

    if (run_both(ls))
        fault_raise(a, ls->fault.vector, ls->fault.error);
}

const struct engine lockstep_engine = {.name = "lockstep", .takes = takes, .run = run};

bool lockstep_end(struct lockstep *ls)
{
    const char *what = ls->why[0] ? ls->why : lockstep_difference(ls);

    if (ls->diverged)
        return false;
    fpu_park(ls->a);
    fpu_park(ls->b);
    if (!what)
        what = lockstep_fpu_difference(ls);
    if (!what)
        what = ram_difference(ls);
    if (what)
        diverge(ls, what);
    return !what;
}

bool lockstep_wait(struct lockstep *ls)
{
    if (ls->real->next_deadline == NS_NEVER)
        return false;
    if (ls->real->next_deadline > ls->now)
        ls->now = ls->real->next_deadline;
    return true;
}
