/* SPDX-License-Identifier: MIT */
/*
 * return_stack.c - the host's return stack, which the guest's calls and returns use as predictions
 * (docs/codegen.md, section 6).
 *
 * Promises   Async-signal-safe.
 */
#include "bt/run/run_priv.h"

/* The present privilege class's part of the return stack begins at `base`. */
static void return_stack_begin(struct vcpu *v, uint64_t base)
{
    const struct bt *bt = v->translator;

    v->bt.return_base = v->bt.return_rsp = base;
    *(uint64_t *)(uintptr_t)base = bt_host_address(bt, bt->stubs.return_miss);
}

void bt_return_stack_reset(struct vcpu *v)
{
    v->bt.user_return_rsp = 0;
    return_stack_begin(v, v->bt.return_top);
}

/* Bytes of the return stack that a system call should find. */
#define RETURN_ROOM 4096u

void bt_return_stack_switch(struct vcpu *v, uint32_t old)
{
    bool user = ctx_user(v->bt.context), was_user = ctx_user(old);

    if (!user && !was_user) {
        v->bt.return_rsp = v->bt.return_base;
    } else if (was_user && !user && v->bt.user_calls &&
               v->bt.return_rsp - v->bt.return_limit >= RETURN_ROOM) {
        v->bt.user_return_rsp = v->bt.return_rsp;
        v->bt.user_context = old;
        return_stack_begin(v, v->bt.return_rsp - 8);
    } else if (user && !was_user && v->bt.user_return_rsp && v->bt.user_context == v->bt.context &&
               v->bt.user_esp == v->gpr[ESP]) {
        v->bt.return_rsp = v->bt.user_return_rsp;
        v->bt.return_base = v->bt.return_top; /* where CPL 3's miss stub still is */
        v->bt.user_return_rsp = 0;
    } else {
        bt_return_stack_reset(v);
    }
    v->bt.user_calls = false;
}
