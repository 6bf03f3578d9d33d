/* SPDX-License-Identifier: MIT */
/*
 * trap.c - leaving translated code from a signal handler: because the host trapped in it, or
 * because it shall come back.
 *
 * Promises   The guest's state is exact, at the start of an instruction or within a repetition.
 *            Async-signal-safe: reads the cache's tables, writes the vCPU.
 * How        docs/codegen.md sections 3 and 7. Only sites may trap, with two exceptions: the host's
 *            CALL, when the return stack is full - emptying it is always right, its entries are
 *            predictions - and a check of where a RET leads (bt/translate/return_check.c), which
 *            is made anew and executed again.
 * Breaking in bt_break_in() executes what it can (host_emulate.c) until it gets to a place where
 *            it can leave; for the rest it sets the host's TF.
 * Stepping   The host's TF is set only while RIP is in the arena, in_cache is set, and never at the
 *            start of a site: the guest's PUSHF begins with the host's. What else reads the flags
 *            drops TF or puts it back. A POPFQ that clears it traps once more, and it is set again.
 * Debug traps Whatever caused one, it finds the CPU between two instructions, and both answers are
 *            right wherever that is: where translated code runs and something is asked for, it
 *            goes on as bt_break_in() does; else TF goes off and nothing else changes. So a trap
 *            that comes late, twice, without its cause or for none (an ICEBP, which is never
 *            emitted; a hypervisor's mistake) costs a few microseconds.
 * Source     SDM vol. 3B, sections 18.2.3 (DR6) and 18.3.1.4 (single steps).
 */
#include "bt/run/trap.h"

#include "bt/run/host_emulate.h"
#include "bt/run/locate.h"
#include "bt/run/run_priv.h"

static uint32_t arena_offset(const struct bt *bt, const struct host_regs *r)
{
    return (uint32_t)(r->rip - bt_host_address(bt, 0));
}

/* The guest's ESI and EDI while a string instruction of the host runs on host addresses; its flags
 * are in *flags, and go there. */
static void take_rebased(struct vcpu *v, const struct bt_site *s, const struct host_regs *r,
                         uint64_t *flags)
{
    bool low = s->rebased & BT_REBASED_R8;

    if (s->rebased & BT_REBASED_SI)
        v->gpr[ESI] -= (uint32_t)r->gpr[low ? R8 : R11];
    if (s->rebased & BT_REBASED_DI)
        v->gpr[EDI] -= (uint32_t)r->gpr[low ? R9 : R10];
    if (s->rebased & BT_KEPT_FLAGS)
        *flags = r->gpr[low ? R11 : R9];
}

static void take_state(struct vcpu *v, const struct bt_site *s, const struct host_regs *r)
{
    uint64_t flags = r->rflags;

    for (unsigned n = 0; n < GPR_COUNT; n++)
        v->gpr[n] = (uint32_t)r->gpr[host_gpr(n)];
    v->gpr[ESP] += (uint32_t)(int32_t)s->esp_undo;
    if (arena_offset(v->translator, r) != s->host)
        take_rebased(v, s, r, &flags);
    v->eflags = (v->eflags & ~(uint32_t)(LIVE_FLAGS | EFL_IF)) | ((uint32_t)flags & LIVE_FLAGS) |
                (v->bt.interrupt_flag ? EFL_IF : 0);
    v->eip = v->next_eip = s->eip;
    v->bt.return_rsp = r->gpr[RSP];
    v->bt.in_cache = false;
}

/* The host goes on at the stub `exit`, which returns to bt_enter()'s caller. */
static void leave(struct vcpu *v, const struct bt_site *s, struct host_regs *r, uint32_t exit)
{
    struct bt *bt = v->translator;

    take_state(v, s, r);
    v->bt.exit_arg = (uint32_t)(s - bt->cache.sites);
    v->bt.stepping = false;
    r->rflags &= ~(uint64_t)EFL_TF;
    r->rip = bt_host_address(bt, exit);
    r->gpr[RSP] = v->bt.monitor_rsp;
}

#define RETURN_GUARD (1ull << 32)

/* A check's load (bt/translate/return_check.c), and the difference was not 0? */
static bool is_check_mismatch(const struct vcpu *v, enum trap_kind kind, uint64_t addr)
{
    return kind == TRAP_READ && v->bt.in_cache &&
           addr - (v->bt.return_top + BT_RETURN_LAST + 1) < RETURN_GUARD;
}

/* The load at arena offset *offset trapped. If it belongs to a check of a return address, makes the
 * check a branch and sets *offset to where that begins, from where it is to be executed. */
static bool mend_check(struct vcpu *v, uint32_t *offset)
{
    struct bt *bt = v->translator;
    const struct host_code_arena *a = bt->cache.arena;
    struct emit e = {.rw = a->rw, .at = *offset, .end = (uint32_t)a->size};

    if (!cache_site_at(&bt->cache, *offset) || !return_check_to_branch(&e, bt->stubs.return_other))
        return false;
    v->stats.bt_check_branches++;
    *offset = e.at;
    return true;
}

bool bt_host_trap(struct vcpu *v, struct host_regs *r, enum trap_kind kind, uint64_t addr)
{
    struct bt *bt = v->translator;
    const struct bt_site *s;

    if (!bt_owns(v, r->rip))
        return false;
    uint32_t at = arena_offset(bt, r);
    if (trap_is_access(kind) && addr < v->bt.return_limit &&
        addr >= v->bt.return_limit - GUEST_PAGE_SIZE) {
        bt_return_stack_reset(v);
        r->gpr[RSP] = v->bt.return_rsp;
        return true;
    }
    if (is_check_mismatch(v, kind, addr) && mend_check(v, &at)) {
        r->rip = bt_host_address(bt, at);
        return true;
    }
    s = cache_site_at(&bt->cache, at);
    if (!s || !v->bt.in_cache)
        return false;
    leave(v, s, r, bt->stubs.trap_exit);
    v->bt.trap_kind = (uint8_t)kind;
    v->bt.trap_addr = addr;
    return true;
}

/* ---- breaking in ---- */

void bt_break_done(struct vcpu *v)
{
    ns_t ns;

    if (!v->bt.break_at)
        return;
    ns = vm_now(v->vm) - v->bt.break_at;
    v->bt.break_at = 0;
    v->stats.break_ns += ns;
    if (ns > v->stats.break_ns_max)
        v->stats.break_ns_max = ns;
}

static bool stop_stepping(struct vcpu *v, struct host_regs *r)
{
    if (!v->bt.stepping)
        return false;
    v->bt.stepping = false;
    r->rflags &= ~(uint64_t)EFL_TF;
    bt_break_done(v);
    return true;
}

#define OPCODE_POPFQ 0x9d

/* Instructions that are executed at once; there are hardly ever more between two sites. */
#define ADVANCES 64u

/* Is this REP MOVS, CMPS, STOS or SCAS? It traps after each step, so it could take a while. */
static bool is_repetition(const uint8_t *code)
{
    if (*code == 0x66)
        code++;
    if (*code != 0xf2 && *code != 0xf3)
        return false;
    code++;
    return (*code >= 0xa4 && *code <= 0xa7) || *code == 0xaa || *code == 0xab || *code == 0xae ||
           *code == 0xaf;
}

/* Goes back to the start of an instruction that has not yet changed anything for good. */
static bool undo(const struct bt_site *s, struct host_regs *r, uint32_t at, const uint8_t *code)
{
    if (!(s->rebased & BT_UNDO) || at < s->undo.from || at >= s->undo.to)
        return false;
    if (*code == OPCODE_POPFQ) /* what it pops was pushed within */
        r->gpr[RSP] += 8;
    r->gpr[RAX] = r->gpr[R9];
    r->rflags = r->gpr[R11];
    return true;
}

/* Leaves translated code if RIP is where that can be done. */
static bool leave_here(struct vcpu *v, struct host_regs *r)
{
    const struct bt *bt = v->translator;
    uint32_t at = arena_offset(bt, r);
    const uint8_t *code = bt->cache.arena->rw + at;
    const struct bt_site *s = cache_site_at(&bt->cache, at);

    if (!s)
        return false;
    v->bt.break_in_rep = s->host != at && (s->rebased & BT_REBASED) && is_repetition(code);
    if (s->host != at && !v->bt.break_in_rep && !undo(s, r, at, code))
        return false;
    leave(v, s, r, bt->stubs.break_exit);
    return true;
}

bool bt_break_in(struct vcpu *v, struct host_regs *r)
{
    if (!bt_owns(v, r->rip) || !v->bt.in_cache || !__atomic_load_n(&v->attention, __ATOMIC_RELAXED))
        return stop_stepping(v, r);
    if (!v->bt.break_at) {
        v->stats.break_ins++;
        v->bt.break_at = vm_now(v->vm) | 1;
    }
    v->bt.stepping = true;
    r->rflags |= EFL_TF;
    for (unsigned n = 0; n < ADVANCES; n++) {
        if (leave_here(v, r) || !host_emulate(v, r))
            return true;
        if (!v->bt.in_cache)
            return stop_stepping(v, r);
    }
    return true;
}

bool bt_single_step(struct vcpu *v, struct host_regs *r)
{
    if (!v->bt.stepping && !bt_owns(v, r->rip))
        return false;
    v->stats.break_steps++;
    v->bt.stepping = true; /* load_flags() may have set TF (stubs.c) */
    return bt_break_in(v, r);
}
