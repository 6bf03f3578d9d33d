/* SPDX-License-Identifier: MIT */
/*
 * x87_settle.c - makes the x87 instruction and data pointers from what translated code has noted
 * (bt/translate/x87_pointers.c).
 */
#include "bt/run/run_priv.h"

static void settle_instruction(struct vcpu *v, const struct bt_site *s)
{
    v->fpu.fip = s->eip;
    v->fpu.fop = s->fop;
    v->fpu.fcs = v->seg[SEG_CS].sel;
}

static void settle_address(struct vcpu *v, const struct x87_address *a)
{
    uint32_t ea = (uint32_t)a->disp;

    if (a->base != INSN_NO_REG)
        ea += v->gpr[a->base];
    if (a->index != INSN_NO_REG)
        ea += v->gpr[a->index] << a->scale;
    v->fpu.fdp = ea;
    v->fpu.fds = v->seg[a->seg].sel;
}

void bt_x87_settle(struct vcpu *v, const struct bt_site *at)
{
    const struct bt_site *sites = v->translator->cache.sites;

    if (v->bt.x87_full) {
        settle_instruction(v, &sites[v->bt.x87_full - 1]);
        v->fpu.fds = v->seg[sites[v->bt.x87_full - 1].x87_seg].sel;
    }
    if (v->bt.x87_bare)
        settle_instruction(v, &sites[v->bt.x87_bare - 1]);
    v->bt.x87_full = v->bt.x87_bare = 0;
    if (at && at->x87_back)
        settle_instruction(v, at - at->x87_back);
    if (at && at->mem_back)
        settle_address(v, &(at - at->mem_back)->ea);
}
