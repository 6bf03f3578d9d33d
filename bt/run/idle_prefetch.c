/* SPDX-License-Identifier: MIT */
/* idle_prefetch.c - see idle_prefetch.h. */
#include "bt/run/idle_prefetch.h"

#include "bt/run/run_priv.h"
#include "include/ring1/mem.h"
#include "monitor/interp/handler.h"
#include "monitor/interp/interp.h"
#include "shadow-mmu/access.h"

/* Wakes between two that are noted: twice as many each time. */
#define LEARN_FIRST 16u
#define LEARN_MOST  2048u
#define INSNS_MAX   16384u /* in one wake: more, and the guest is not idle */
#define NO_SITE     UINT32_MAX

static void forget(struct idle_prefetch *w)
{
    w->learning = false;
    w->count = 0;
}

static void note_line(struct idle_prefetch *w, uint64_t line)
{
    uint32_t n = (uint32_t)line * 2654435761u >> 20;

    while (w->seen[n] && w->seen[n] != line)
        n = (n + 1) % WAKE_HASHED;
    if (w->seen[n] || w->count == WAKE_LINES)
        return;
    w->seen[n] = line;
    w->line[w->count++] = line;
}
_Static_assert(WAKE_HASHED == 1u << 12, "note_line() takes 12 bits");
_Static_assert(WAKE_HASHED > WAKE_LINES, "a free entry ends each search");

static void note(struct idle_prefetch *w, uint64_t from, uint64_t bytes)
{
    for (uint64_t line = from / WAKE_LINE; line * WAKE_LINE < from + bytes; line++)
        note_line(w, line);
}

/* Wakes until the next time: what is true for long needs no more looking. */
static unsigned next_pause(unsigned last)
{
    if (last < LEARN_FIRST)
        return LEARN_FIRST;
    return 2 * last < LEARN_MOST ? 2 * last : LEARN_MOST;
}

static void learn_begin(struct bt *bt)
{
    struct idle_prefetch *w = &bt->idle;

    forget(w);
    memset(w->seen, 0, sizeof w->seen);
    w->learning = true;
    w->site = NO_SITE;
    w->insns = w->wakes = 0;
    w->until_next = next_pause(w->until_next);
    w->flush_count = bt->flush_count;
    note(w, bt_host_address(bt, 0), bt->cache.fixed);
}

void idle_prefetch(struct vcpu *v)
{
    struct bt *bt = v->translator;
    struct idle_prefetch *w = &bt->idle;

    if (bt->opt.no_idle_prefetch)
        return;
    w->learning = false; /* what was noted is complete: the guest halted again */
    if (w->flush_count != bt->flush_count) {
        forget(w);
        w->flush_count = bt->flush_count;
        w->wakes = w->until_next = 0;
    }
    for (unsigned n = 0; n < w->count; n++)
        __builtin_prefetch((const void *)(uintptr_t)(w->line[n] * WAKE_LINE), 0, 2);
    v->stats.wake_lines += w->count;
    if (++w->wakes > w->until_next)
        learn_begin(bt);
}

/* The site of the instruction at v->eip, NO_SITE if it is not translated. */
static uint32_t site_now(struct vcpu *v, const struct bt *bt, uint32_t before)
{
    const struct code_cache *c = &bt->cache;
    gpa_t page;

    if (before != NO_SITE && before + 1 < c->sites_done) {
        const struct bt_site *s = &c->sites[before + 1];
        if (s->eip == v->eip && s->block == s[-1].block && !c->blocks[s->block].dead)
            return before + 1;
    }
    if (!lin_fetch_page(v, v->eip, &page))
        return NO_SITE;
    const struct bt_block *b =
        cache_find(c, v->eip, page | (v->eip & GUEST_PAGE_MASK), v->bt.context);
    return b ? b->first_site : NO_SITE;
}

/* Where the code of a site ends. */
static uint32_t site_end(const struct code_cache *c, uint32_t n)
{
    const struct bt_block *b = &c->blocks[c->sites[n].block];

    return n + 1 < b->first_site + b->insns ? c->sites[n + 1].host : b->hot_end;
}

static void note_code(struct vcpu *v, struct bt *bt)
{
    struct idle_prefetch *w = &bt->idle;
    const struct bt_site *s = &bt->cache.sites[w->site];

    note(w, bt_host_address(bt, s->host), site_end(&bt->cache, w->site) - s->host);
    if (s->index == 0) {
        const int32_t *entry = v->bt.jump[v->bt.jump_index].entry;
        note(w, (uint64_t)(uintptr_t)&entry[v->eip], sizeof entry[0]);
    }
}

static void note_operands(struct vcpu *v, struct idle_prefetch *w)
{
    const struct insn *i = interp_peek(v);
    bool memory = false;

    for (unsigned n = 0; n < i->nops; n++)
        memory |= i->operand[n].kind == OPK_MEM;
    note(w, v->bt.window_now + v->gpr[ESP], 4);
    if (memory)
        note(w, v->bt.window_now + (uint32_t)(v->seg[i->seg].base + ea(v, i)), 4);
}

void idle_prefetch_step(struct vcpu *v)
{
    struct bt *bt = v->translator;
    struct idle_prefetch *w = &bt->idle;

    w->site = site_now(v, bt, w->flush_count == bt->flush_count ? w->site : NO_SITE);
    if (w->site != NO_SITE)
        note_code(v, bt);
    if (v->bt.context & CTX_WINDOW)
        note_operands(v, w);
    if (++w->insns > INSNS_MAX)
        forget(w);
    interp_step(v);
}
