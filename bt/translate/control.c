/* SPDX-License-Identifier: MIT */
/*
 * control.c - near control transfers: Jcc, JMP, CALL, RET, LOOP, JECXZ.
 *
 * How        docs/codegen.md sections 3, 6, 7. A branch to the unit's own page becomes a slot of
 *            the cache (linked to its target later); one to another page goes through the jump
 *            map, which is true whatever the guest does to its page tables. CALL and RET are the
 *            host's own, so that its return predictor works.
 * Interrupts Nothing here looks for them: the host's signal finds the next guest instruction
 *            (bt_break_in()).
 * Source     SDM vol. 2 pages of the instructions.
 */
#include "bt/translate/tu.h"

static bool same_page(const struct tu *t, gla_t target)
{
    return (target ^ t->block->gla) >> GUEST_PAGE_SHIFT == 0;
}

/* Does a direct branch to the target have a slot? It may be linked only within the page. */
static bool by_slot(const struct tu *t, gla_t target)
{
    return same_page(t, target) || t->bt->opt.count_exits;
}

/* Notes that the displacement at `site` must lead to the guest's `target`. */
static void exit_add(struct tu *t, uint32_t site, gla_t target)
{
    VMM_CHECK(t->exit_count < TU_MAX_EXITS);
    t->exits[t->exit_count++] =
        (struct tu_exit){.site = site, .target = target, .insns = (uint16_t)t->count};
}

void tu_jump_map_emit(struct emit *e, const struct bt *bt)
{
    emit_insn_m(e, EMIT_W, MAP_1, 0x63, R9, HMEM_INDEX(R13, R8, 2, 0)); /* movsxd */
    _Static_assert(sizeof(*(struct bt_jump_map){0}.entry) == 1 << 2, "the index is scaled by 4");
    emit_lea64(e, R9, HMEM_INDEX(R15, R9, 0, (int32_t)bt->jump_miss));
}

void tu_jump_indirect(struct tu *t)
{
    tu_jump_map_emit(&t->e, t->bt);
    emit_jmp_r(&t->e, R9);
}

void tu_jump_map_again(struct tu *t)
{
    emit_mov_rm64(&t->e, R13, VCPU(bt.jump_now));
}

static void map_jump(struct tu *t, gla_t target)
{
    emit_mov_ri32(&t->e, R8, target);
    tu_jump_indirect(t);
}

void tu_jump(struct tu *t, gla_t target)
{
    tu_flush_esp(t);
    if (by_slot(t, target)) {
        exit_add(t, emit_jmp(&t->e, t->e.at), target);
        return;
    }
    map_jump(t, target);
}

void tu_write_exits(struct tu *t)
{
    struct emit *e = &t->e;

    for (unsigned n = 0; n < t->exit_count; n++) {
        const struct tu_exit *x = &t->exits[n];

        emit_here32(e, x->site);
        if (!by_slot(t, x->target)) {
            map_jump(t, x->target);
            continue;
        }
        struct bt_slot *s = cache_slot_add(&t->bt->cache, t->block, x->site, x->target);
        s->stub = e->at;
        s->insns = x->insns < t->count ? x->insns : (uint16_t)t->count;
        emit_mov_ri32(e, R8, (uint32_t)(s - t->bt->cache.slots));
        emit_jmp(e, t->bt->stubs.exit_chain);
    }
}

/* To be called after a transfer that need not be taken: ends the unit if units end at branches. */
static void fall_through(struct tu *t)
{
    if (!t->bt->opt.split_at_branches)
        return;
    tu_jump(t, t->next_eip);
    t->done = true;
}

static gla_t rel_target(const struct tu *t, const struct insn *i)
{
    return t->next_eip + i->imm;
}

/* Makes a callout of a transfer with 16-bit operand size, which cuts EIP to 16 bits: it is rare
 * enough. Says whether it did. */
static bool declines(struct tu *t, const struct insn *i)
{
    if (i->opsize != 2)
        return false;
    tu_callout(t);
    t->done = true;
    return true;
}

void t_jcc(struct tu *t, const struct insn *i)
{
    gla_t target = rel_target(t, i);

    if (declines(t, i))
        return;
    tu_flush_esp(t);
    exit_add(t, emit_jcc(&t->e, i->cond, t->e.at), target);
    fall_through(t);
}

void t_loop(struct tu *t, const struct insn *i)
{
    struct emit *e = &t->e;
    gla_t target = rel_target(t, i);

    if (i->addr_size != 4 || declines(t, i)) {
        if (!t->done)
            tu_callout(t);
        t->done = true;
        return;
    }
    tu_flush_esp(t);
    if (i->op == OP_jcxz) {
        uint32_t zero = emit_jrcxz8(e), over = emit_jmp8(e);
        emit_here8(e, zero);
        exit_add(t, emit_jmp(e, e->at), target);
        emit_here8(e, over);
    } else {
        emit_lea32(e, RCX, HMEM(RCX, -1));
        uint32_t zero = emit_jrcxz8(e);
        if (i->op == OP_loop)
            exit_add(t, emit_jmp(e, e->at), target);
        else
            exit_add(t, emit_jcc(e, i->op == OP_loope ? 4 : 5, e->at), target);
        emit_here8(e, zero);
    }
    fall_through(t);
}

/* The near target of an indirect JMP or CALL into host register `reg`. False: tu_callout() was
 * made. */
static bool load_target(struct tu *t, const struct insn *i, unsigned reg)
{
    if (i->operand[0].kind == OPK_GPR) {
        if (i->operand[0].reg == ESP)
            emit_lea32(&t->e, reg, HMEM(R12, t->esp_delta));
        else
            emit_mov_rr32(&t->e, reg, i->operand[0].reg);
        return true;
    }
    if (!tu_mem_ok(t, i)) {
        tu_callout(t);
        return false;
    }
    emit_mov_rm32(&t->e, reg, tu_mem(t, i, 4, TU_R));
    return true;
}

void t_jmp(struct tu *t, const struct insn *i)
{
    t->done = true;
    if (declines(t, i))
        return;
    if (i->operand[0].kind == OPK_REL) {
        tu_jump(t, rel_target(t, i));
        return;
    }
    tu_flush_esp(t);
    if (!load_target(t, i, R8))
        return;
    tu_jump_indirect(t);
}

/* Emits a host CALL; when the guest's RET comes back after it, r8d holds the address it popped. */
static void predicted_call(struct tu *t, bool direct, gla_t target)
{
    struct emit *e = &t->e;

    if (direct && by_slot(t, target)) {
        exit_add(t, emit_call(e, e->at), target);
    } else {
        if (direct)
            emit_mov_ri32(e, R8, target);
        tu_jump_map_emit(e, t->bt);
        emit_call_r(e, R9);
    }
    return_check_emit(e, t->bt, t->next_eip);
}

void t_call(struct tu *t, const struct insn *i)
{
    struct emit *e = &t->e;
    bool direct = i->operand[0].kind == OPK_REL;
    bool predict = !t->bt->opt.no_return_stack && !t->bt->opt.split_at_branches;
    gla_t target = rel_target(t, i);

    t->done = !predict;
    if (declines(t, i))
        return;
    if (!tu_stack_ok(t)) {
        tu_callout(t);
        t->done = true;
        return;
    }
    if (!direct && !load_target(t, i, R11)) {
        t->done = true;
        return;
    }
    emit_mov_mi32(e, tu_mem_at(t, SEG_SS, ESP, -4, 4, TU_W), t->next_eip);
    t->esp_delta -= 4;
    tu_flush_esp(t);
    if (!direct)
        emit_mov_rr32(e, R8, R11);
    if (!predict) {
        if (direct)
            tu_jump(t, target);
        else
            tu_jump_indirect(t);
        return;
    }
    predicted_call(t, direct, target);
}

void t_ret(struct tu *t, const struct insn *i)
{
    t->done = true;
    if (declines(t, i))
        return;
    if (!tu_stack_ok(t)) {
        tu_callout(t);
        return;
    }
    emit_mov_rm32(&t->e, R8, tu_mem_at(t, SEG_SS, ESP, 0, 4, TU_R));
    t->esp_delta += 4 + (int32_t)(i->nops ? i->imm & 0xffff : 0);
    tu_flush_esp(t);
    if (t->bt->opt.no_return_stack || t->bt->opt.split_at_branches)
        emit_jmp(&t->e, t->bt->stubs.lookup);
    else
        emit_ret(&t->e);
}
