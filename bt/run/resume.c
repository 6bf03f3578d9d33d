/* SPDX-License-Identifier: MIT */
/* resume.c - may translated code go on, and where? */
#include "bt/run/run_priv.h"
#include "monitor/cpu/fpu.h"

bool bt_may_go_on(struct vcpu *v)
{
    uint32_t att = attention_now(v);

    if (v->shadow_next || (att & ~ATT_OURS) || v->dr6_pending || v->halted ||
        (v->intr_line && (v->eflags & EFL_IF)) || (att && v->dr_armed))
        return false;
    if (att)
        vcpu_attended(v, ATT_OURS);
    return true;
}

uint64_t bt_resume(struct vcpu *v)
{
    struct bt *bt = v->translator;

    if (bt->opt.no_chain || !bt_may_go_on(v))
        return 0;
    uint32_t ctx = bt_context(v);
    if (!ctx)
        return 0;
    bt_sync(v, bt, ctx);
    uint64_t host = jump_map_find(v, v->bt.jump_index, v->eip);
    if (host)
        fpu_unpark(v);
    return host;
}
