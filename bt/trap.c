/* SPDX-License-Identifier: MIT */
/*
 * trap.c - what a host trap in translated code means: which guest instruction, and the guest's
 * exact
 * state before it.
 *
 * Promises   Async-signal-safe: reads the cache's tables, writes the vCPU.
 * How        docs/codegen.md section 3. Only sites may trap, with two exceptions: the host's CALL,
 *            when the return stack is full - emptying it is always right, its entries are
 *            predictions - and the check behind a call when the guest returned to somewhere else,
 *            which is a lookup.
 */
#include "bt/priv.h"

#define LIVE_FLAGS (EFL_ARITH | EFL_DF)

bool bt_owns(const struct vcpu *v, uint64_t rip)
{
    const struct host_code_arena *a = &v->vm->host->cache;

    return v->translator && rip - (uint64_t)(uintptr_t)a->rx < a->size;
}

static void take_state(struct vcpu *v, const struct bt_site *s, const struct bt_host_regs *r)
{
    for (unsigned n = 0; n < GPR_COUNT; n++)
        v->gpr[n] = (uint32_t)r->gpr[host_gpr(n)];
    v->gpr[ESP] += (uint32_t)(int32_t)s->esp_undo;
    if (s->rebased & BT_REBASED_SI)
        v->gpr[ESI] -= (uint32_t)r->gpr[R13];
    if (s->rebased & BT_REBASED_DI)
        v->gpr[EDI] -= (uint32_t)r->gpr[R11];
    v->eflags = (v->eflags & ~(uint32_t)(LIVE_FLAGS | EFL_IF)) |
                ((uint32_t)r->rflags & LIVE_FLAGS) | (v->bt.interrupt_flag ? EFL_IF : 0);
    v->eip = v->next_eip = s->eip;
    v->bt.return_rsp = r->gpr[RSP];
    v->bt.in_cache = false;
}

#define RETURN_GUARD (1ull << 32)

/* A return site's load, and the difference was not 0. */
static bool is_return_mismatch(const struct vcpu *v, enum bt_trap_kind kind, uint64_t addr)
{
    return kind == BT_TRAP_MEMORY && v->bt.in_cache &&
           addr - (v->bt.return_top + BT_RETURN_LAST + 1) < RETURN_GUARD;
}

bool bt_host_trap(struct vcpu *v, struct bt_host_regs *r, enum bt_trap_kind kind, uint64_t addr)
{
    struct bt *bt = v->translator;
    const struct bt_site *s;

    if (kind != BT_TRAP_OTHER && addr < v->bt.return_limit &&
        addr >= v->bt.return_limit - GUEST_PAGE_SIZE) {
        r->gpr[RSP] = v->bt.return_top;
        return true;
    }
    if (is_return_mismatch(v, kind, addr)) {
        v->bt.return_mismatch = (uint32_t)(r->rip - bt_host_address(bt, 0));
        r->rip = bt_host_address(bt, bt->stubs.exit_lookup); /* r8d is the guest's target */
        return true;
    }
    s = cache_site_at(&bt->cache, (uint32_t)(r->rip - bt_host_address(bt, 0)));
    if (!s || !v->bt.in_cache)
        return false;
    take_state(v, s, r);
    v->bt.exit_arg = (uint32_t)(s - bt->cache.sites);
    v->bt.trap_kind = (uint8_t)kind;
    v->bt.trap_addr = addr;
    r->rip = bt_host_address(bt, bt->stubs.trap_exit);
    r->gpr[RSP] = v->bt.monitor_rsp;
    return true;
}
