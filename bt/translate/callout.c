/* SPDX-License-Identifier: MIT */
/*
 * callout.c - what is emitted to call the monitor for an instruction, and the cold paths that lead
 * there. What is called is in bt/run/callouts.c.
 */
#include "bt/translate/tu.h"

/* Index of the current instruction's site. */
static uint32_t current_site(const struct tu *t)
{
    return t->block->first_site + t->count - 1;
}

void tu_callout(struct tu *t)
{
    tu_flush_esp(t);
    emit_mov_ri32(&t->e, R8, current_site(t));
    emit_call(&t->e, t->bt->stubs.callout);
    t->resumes_last = true;
    t->x87_last = t->x87_mem = 0; /* bt_callout() settled them */
}

void t_callout(struct tu *t, const struct insn *i)
{
    (void)i;
    tu_callout(t);
}

/* A jump, since nothing comes back: a CALL would put the host's own return predictions out of step.
 */
static void leave_through(struct tu *t, uint32_t stub)
{
    tu_flush_esp(t);
    emit_mov_ri32(&t->e, R8, current_site(t));
    emit_jmp(&t->e, stub);
    t->done = true;
}

void tu_callout_far(struct tu *t)
{
    leave_through(t, t->bt->stubs.callout_far);
}

/* SYSENTER and SYSEXIT have stubs of their own, so that the host's CPU predicts where they lead. */
void t_sysenter(struct tu *t, const struct insn *i)
{
    (void)i;
    leave_through(t, t->bt->stubs.sysenter);
}

void t_sysexit(struct tu *t, const struct insn *i)
{
    (void)i;
    leave_through(t, t->bt->stubs.sysexit);
}

static void add_to_esp(struct tu *t, int32_t delta)
{
    if (delta)
        emit_lea32(&t->e, R12, HMEM(R12, delta));
}

void tu_flush_esp(struct tu *t)
{
    unsigned n = t->count - 1;
    bool at_start = t->e.at == t->pos[n];

    if (!t->esp_delta)
        return;
    add_to_esp(t, t->esp_delta);
    t->esp_delta = 0;
    if (!at_start)
        return;
    t->pos[n] = t->e.at;
    t->esp_before[n] = 0;
    if (current_site(t) < t->bt->cache.site_count) { /* the instruction begins after the LEA */
        struct bt_site *s = &t->bt->cache.sites[current_site(t)];
        s->host = t->e.at;
        s->esp_undo = 0;
    }
}

void tu_cold_jump(struct tu *t, bool restore_rcx)
{
    VMM_CHECK(t->cold_count < TU_MAX_COLD);
    t->cold[t->cold_count++] = (struct tu_cold){.site = emit_jmp(&t->e, t->e.at),
                                                .insn = (uint16_t)(t->count - 1),
                                                .restore_rcx = restore_rcx};
}

void tu_write_cold(struct tu *t)
{
    for (unsigned k = 0; k < t->cold_count; k++) {
        const struct tu_cold *c = &t->cold[k];

        uint32_t hit = 0;

        emit_here32(&t->e, c->site);
        if (c->write) {
            emit_mov_mi8(&t->e, VCPU(bt.write_shift), (uint8_t)(64 - c->write));
            emit_call(&t->e, t->bt->stubs.code_write[ctx_user(t->ctx)]);
            hit = emit_jrcxz8(&t->e);
        }
        if (c->restore_rcx)
            emit_mov_rr64(&t->e, RCX, R10);
        add_to_esp(t, t->esp_before[c->insn]);
        emit_mov_ri32(&t->e, R8, t->block->first_site + c->insn);
        emit_call(&t->e, t->bt->stubs.callout);
        add_to_esp(t, -t->esp_before[c->insn + 1]);
        emit_jmp(&t->e, t->pos[c->insn + 1]);
        if (!c->write)
            continue;
        emit_here8(&t->e, hit);
        emit_mov_rr64(&t->e, RCX, R10);
        emit_jmp(&t->e, c->hit);
    }
}
