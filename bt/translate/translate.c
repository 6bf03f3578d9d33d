/* SPDX-License-Identifier: MIT */
/*
 * translate.c - the unit loop: decoded instructions in, one block of host code out.
 *
 * How        A unit goes on after branches that are not taken and after calls, up to the end of the
 *            guest page.
 * Not here   What is emitted for an instruction: its emitter (decoder/op.def).
 */
#include "bt/translate/translate.h"

#include "bt/translate/adapt_form.h"
#include "bt/translate/dump.h"
#include "bt/translate/tu.h"

bt_emit_fn *bt_emitter(unsigned op)
{
    static bt_emit_fn *const table[OP_COUNT] = {
        [OP_INVALID] = t_callout,
#define OP(name, handler, emitter, traits) [OP_##name] = t_##emitter,
#include "decoder/op.def"
#undef OP
    };

    return table[op];
}

/* Decodes one more instruction of the unit, at linear `eip`; NULL: it crosses the page's end or is
 * none. */
static const struct xinsn *decode_next(struct tu *t, gla_t eip)
{
    unsigned off = eip & GUEST_PAGE_MASK, left = GUEST_PAGE_SIZE - off;
    struct decode_mode mode = {.code32 = true, .stack32 = t->ctx & CTX_STACK32};
    struct xinsn *x = &t->decoded[t->decoded_count];

    if ((eip ^ t->block->gla) >> GUEST_PAGE_SHIFT)
        return NULL;
    if (interp_decode(t->v, mode, t->page_bytes + off, left < INSN_MAX_LEN ? left : INSN_MAX_LEN,
                      &x->insn) != DECODE_OK)
        return NULL;
    if (insn_is_undefined(&x->insn))
        return NULL;
    t->decoded_count++;
    return x;
}

const struct xinsn *tu_peek(struct tu *t)
{
    if (t->decoded_count > t->count)
        return &t->decoded[t->count];
    return decode_next(t, t->next_eip);
}

/* How the current instruction accesses memory, and whether it is translated at all. */
static enum adapt_form choose_form(struct tu *t)
{
    gpa_t gpa = (t->block->gpa & ~(gpa_t)GUEST_PAGE_MASK) | (t->eip & GUEST_PAGE_MASK);
    uint8_t user;
    enum adapt_form form = adapt_form(t->bt, gpa, &user);
    bool windows = t->ctx & CTX_WINDOW;

    t->window = windows && form == ADAPT_FAST;
    t->user_operands = windows && !ctx_user(t->ctx) ? user : 0;
    t->string_operand = 0;
    return form;
}

static void translate_insn(struct tu *t, const struct xinsn *x)
{
    tu_x87_before(t, &x->insn);
    t->x = x;
    t->next_eip = t->eip + x->insn.len;
    t->resumes_last = false;
    t->pos[t->count] = t->e.at;
    t->esp_before[t->count] = (int16_t)t->esp_delta;
    struct bt_site *site =
        cache_site_add(&t->bt->cache, t->block, x, t->eip, t->e.at, t->esp_delta);
    tu_x87_mark(t, site);
    if (t->count && t->decoded[t->count - 1].insn.traits & T_SHADOW)
        site->rebased |= BT_AFTER_STI;
    t->count++;
    bt_emit_fn *emit = choose_form(t) == ADAPT_CALLOUT ? t_callout : bt_emitter(x->insn.op);
    emit(t, &x->insn);
    tu_x87_after(t, &x->insn);
    if (emit == t_callout && x->insn.cls == CLS_CONTROL)
        t->done = true; /* INT3, far transfers, UD ...: hardly ever comes back here */
    t->eip = t->next_eip;
}

/* Translates the instructions from t->eip on, as far as the unit goes, at most `max`. False: what
 * comes next cannot be in a unit. */
static bool translate_run(struct tu *t, unsigned max)
{
    while (!t->done && t->count < max && (t->eip ^ t->block->gla) >> GUEST_PAGE_SHIFT == 0) {
        const struct xinsn *x =
            t->decoded_count > t->count ? &t->decoded[t->count] : decode_next(t, t->eip);
        if (!x)
            return false;
        translate_insn(t, x);
        /* The tables must hold whatever a single instruction may need. */
        if (t->cold_count + 8 > TU_MAX_COLD || t->exit_count + 8 > TU_MAX_EXITS)
            break;
    }
    return true;
}

/* Ends the unit before an instruction across the page's end, or bytes that are none, which the
 * interpreter executes. */
static void end_with_step(struct tu *t)
{
    tu_flush_esp(t);
    struct bt_site *s = cache_site_add(&t->bt->cache, t->block, NULL, t->eip, t->e.at, 0);
    emit_mov_ri32(&t->e, R8, (uint32_t)(s - t->bt->cache.sites));
    emit_jmp(&t->e, t->bt->stubs.callout_step);
}

static bool last_may_resume(const struct tu *t)
{
    return t->resumes_last || (t->cold_count && t->cold[t->cold_count - 1].insn == t->count - 1);
}

static unsigned insn_limit(const struct bt *bt)
{
    unsigned max = bt->opt.max_insns;

    return max && max < BT_MAX_INSNS ? max : BT_MAX_INSNS;
}

/* The records of this unit's instructions are on the stack: sites find theirs again when needed. */
static void forget_decoded(struct tu *t)
{
    for (unsigned n = 0; n < t->count; n++)
        t->bt->cache.sites[t->block->first_site + n].x = NULL;
}

struct bt_block *bt_translate(struct vcpu *v, const struct bt_source *s)
{
    struct bt *bt = v->translator;
    struct tu t;

    if (!cache_has_room(&bt->cache))
        return NULL;
    t.v = v;
    t.bt = bt;
    t.ctx = s->ctx;
    t.page_bytes = s->page_bytes;
    t.eip = s->gla;
    t.count = t.cold_count = t.exit_count = t.decoded_count = 0;
    t.esp_delta = 0;
    t.gs = bt->gs;
    t.x87_last = t.x87_mem = 0;
    t.done = false;
    t.block = cache_block_begin(&bt->cache, s->gla, s->gpa, s->ctx);
    t.e = (struct emit){
        .rw = bt->cache.arena->rw, .at = t.block->entry, .end = t.block->entry + TU_MAX_BYTES};
    bool whole = translate_run(&t, insn_limit(bt));
    tu_x87_flush(&t);
    t.pos[t.count] = t.e.at;
    t.esp_before[t.count] = (int16_t)t.esp_delta;
    bool goes_on = !t.done || last_may_resume(&t);
    t.count++; /* what follows belongs to no instruction: it must not move the last site */
    if (!whole)
        end_with_step(&t);
    else if (goes_on)
        tu_jump(&t, t.eip);
    t.count--;
    t.block->insns = (uint16_t)t.count;
    /* What is no instruction may become one when any byte up to the page's end is written. */
    t.block->bytes =
        (uint16_t)(whole ? t.eip - t.block->gla : GUEST_PAGE_SIZE - (s->gpa & GUEST_PAGE_MASK));
    t.block->hot_end = t.e.at;
    tu_write_cold(&t);
    tu_write_exits(&t);
    cache_block_insert(v, &bt->cache, t.block, t.e.at);
    v->stats.bt_insns += t.count;
    bt_trace_block(v, t.block);
    forget_decoded(&t);
    return t.block;
}
