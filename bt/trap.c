/* SPDX-License-Identifier: MIT */
/*
 * trap.c - what a host trap in translated code means: which guest instruction, and the guest's
 * exact
 * state before it.
 *
 * Promises   Async-signal-safe: reads the cache's tables, writes the vCPU.
 * How        docs/codegen.md section 3. Only sites may trap, with one exception: the host's CALL,
 *            when the
 *            return stack is full. Emptying it then is always right: its entries are predictions.
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

bool bt_host_trap(struct vcpu *v, struct bt_host_regs *r, enum bt_trap_kind kind, uint64_t addr)
{
    struct bt *bt = v->translator;
    const struct bt_site *s;

    if (kind != BT_TRAP_OTHER && addr < v->bt.return_limit &&
        addr >= v->bt.return_limit - GUEST_PAGE_SIZE) {
        r->gpr[RSP] = v->bt.return_top;
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
