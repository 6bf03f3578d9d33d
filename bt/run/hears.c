/* SPDX-License-Identifier: MIT */
/*
 * hears.c - what becomes of translations when memory changes: the translator as a watcher of pages
 * and as a listener to flushes.
 *
 * Promises   A block whose bytes were written is found no more. After a flush of one page no jump
 *            map leads through it; what a flush of more makes doubtful is emptied before anything
 *            is entered again (bt_sync(), by the generations that listener.h counts).
 */
#include "bt/run/adapt.h"
#include "bt/run/run_priv.h"
#include "bt/run/write_map.h"
#include "monitor/cpu/listener.h"
#include "monitor/memory/page.h"
#include "monitor/memory/phys.h"

static void written(void *self, gpa_t page, unsigned first, unsigned last)
{
    struct vcpu *v = self;

    if (!cache_written(v, &v->translator->cache, page, first, last))
        return;
    v->stats.costly_events++;
    bt_return_stack_reset(v);
    vcpu_attend(v, ATT_SMC);
}

static bool holds(void *self, gpa_t page)
{
    const struct vcpu *v = self;

    return code_map_holds(&v->translator->cache.code, page);
}

static void code_bits(void *self, gpa_t page, uint8_t *bits)
{
    const struct vcpu *v = self;

    code_map_bits(&v->translator->cache.code, page, bits);
}

static void marked(void *self, gpa_t page)
{
    write_map_forget_page(self, page);
}

static void flushed(struct vcpu *v, enum flush_kind kind, gla_t gla)
{
    write_map_forget(v);
    if (kind == FLUSH_PAGE) {
        jump_map_flush_page(v, gla);
    } else if (kind == FLUSH_REGION) {
        jump_maps_flush(v);
    }
}

static void page_changed(struct vcpu *v, gpa_t page)
{
    write_map_forget(v);
    if (phys_kind(v->vm, page) & PAGE_MMIO)
        adapt_windows_dropped(v);
}

static void memory_changed(struct vcpu *v, gpa_t gpa, uint64_t len)
{
    (void)gpa, (void)len;
    write_map_forget(v);
}

void bt_hear(struct vcpu *v)
{
    static const struct page_watcher watcher = {
        .mark = PAGE_TRANSLATED,
        .written = written,
        .holds = holds,
        .code_bits = code_bits,
        .marked = marked,
    };
    static const struct mmu_listener listener = {
        .flushed = flushed, .page_changed = page_changed, .memory_changed = memory_changed};

    page_watch(v->vm, &watcher, v);
    mmu_listen(v, &listener);
}
