/* SPDX-License-Identifier: MIT */
/*
 * x87_pointers.c - the x87 instruction and data pointers, kept lazily.
 *
 * Promises   Whenever C code can look, vcpu.fpu's fip, fcs, fop, fdp and fds are what the
 *            interpreter (monitor/interp/x87.c) would have left.
 * How        An x87 instruction emits nothing for its pointers: the unit remembers it, and each
 *            site says which instructions before it are remembered (bt_site.x87_back, mem_back).
 *            Only where control leaves the straight line, and where a register of a remembered
 *            address changes in a way that is not followed, there are stores: of the address to
 *            fpu.fdp and of the site's number to vcpu.bt.x87_full, which replaces what came before
 *            it, or of the number alone to x87_bare, when the data pointer is an older one.
 *            bt_x87_settle() (bt/run/x87_settle.c) makes pointers of it wherever C code is
 *            reached.
 * Invariant  CS and the data segments do not change between an x87 instruction and the next
 *            bt_x87_settle(): whatever loads them is C code, and settles first.
 * Source     SDM vol. 1, sections 8.1.8 (pointers) and 8.1.9 (opcode).
 */
#include "bt/translate/tu.h"

static struct bt_site *site_of(const struct tu *t, unsigned number)
{
    return &t->bt->cache.sites[t->block->first_site + number - 1];
}

static void store_address(struct tu *t, const struct x87_address *a)
{
    struct hmem to = VCPU(fpu.fdp);
    struct insn i = {
        .base = a->base, .index = a->index, .scale = a->scale, .disp = a->disp, .addr_size = 4};

    if (a->base == INSN_NO_REG && a->index == INSN_NO_REG) {
        emit_mov_mi32(&t->e, to, (uint32_t)a->disp);
    } else if (a->base != INSN_NO_REG && a->base != ESP && a->index == INSN_NO_REG && !a->disp) {
        emit_mov_mr32(&t->e, to, a->base);
    } else {
        tu_ea(t, &i, R10);
        emit_mov_mr32(&t->e, to, R10);
    }
}

void tu_x87_flush(struct tu *t)
{
    struct bt_site *last;

    if (!t->x87_last)
        return;
    last = site_of(t, t->x87_last);
    if (t->x87_mem) {
        last->x87_seg = site_of(t, t->x87_mem)->ea.seg;
        store_address(t, &site_of(t, t->x87_mem)->ea);
        emit_insn_m(&t->e, EMIT_W, MAP_1, 0xc7, 0, VCPU(bt.x87_full)); /* x87_bare = 0 */
        emit32(&t->e, t->block->first_site + t->x87_last);
    } else {
        emit_mov_mi32(&t->e, VCPU(bt.x87_bare), t->block->first_site + t->x87_last);
    }
    t->x87_last = t->x87_mem = 0;
}
_Static_assert(offsetof(struct bt_cpu, x87_bare) == offsetof(struct bt_cpu, x87_full) + 4,
               "one store for both");

/* Does *i leave the two registers alone? */
static bool keeps(const struct insn *i, unsigned base, unsigned index)
{
    if (i->traits & T_HIDDEN)
        return false;
    for (unsigned n = 0; n < i->nops; n++) {
        const struct operand *o = &i->operand[n];
        unsigned reg = o->size == 1 ? o->reg & 3 : o->reg;

        if (o->kind == OPK_GPR && (o->act & ACT_W) && (reg == base || reg == index))
            return false;
    }
    return true;
}

void tu_x87_before(struct tu *t, const struct insn *i)
{
    const struct x87_address *a;
    unsigned reg;
    uint32_t by;

    if (i->cls == CLS_CONTROL) {
        tu_x87_flush(t);
        return;
    }
    if (!t->x87_mem)
        return;
    a = &site_of(t, t->x87_mem)->ea;
    if (!keeps(i, a->base, a->index) && !(insn_adds_constant(i, &reg, &by) && reg != ESP))
        tu_x87_flush(t);
}

void tu_x87_after(struct tu *t, const struct insn *i)
{
    struct x87_address a;
    unsigned reg;
    uint32_t by;

    if (!t->x87_mem || t->x87_mem == t->count)
        return;
    a = site_of(t, t->x87_mem)->ea;
    if (keeps(i, a.base, a.index) || !insn_adds_constant(i, &reg, &by))
        return;
    if (reg == a.base)
        a.disp = (int32_t)((uint32_t)a.disp - by);
    if (reg == a.index)
        a.disp = (int32_t)((uint32_t)a.disp - (by << a.scale));
    site_of(t, t->count)->ea = a;
    t->x87_mem = (uint8_t)t->count;
}

void tu_x87_mark(const struct tu *t, struct bt_site *s)
{
    if (t->x87_last)
        s->x87_back = (uint8_t)(t->count + 1 - t->x87_last);
    if (t->x87_mem)
        s->mem_back = (uint8_t)(t->count + 1 - t->x87_mem);
}

void tu_x87_remember(struct tu *t, const struct insn *i, bool memory)
{
    struct bt_site *s = site_of(t, t->count);

    s->fop = (uint16_t)((i->opcode & 7) << 8 | i->modrm);
    t->x87_last = (uint8_t)t->count;
    if (!memory)
        return;
    t->x87_mem = (uint8_t)t->count;
    s->ea = (struct x87_address){
        .disp = i->disp, .base = i->base, .index = i->index, .scale = i->scale, .seg = i->seg};
}
