/* SPDX-License-Identifier: MIT */
/*
 * tlb.c - filling, finding and flushing software TLB entries.
 *
 * Promises   A flush costs in proportion to what was filled since the last one, not to the size;
 *            that of a physical page only looks where entries lead to its neighbourhood.
 * SMAP       Whether CPL 0-2 may touch a user page depends on EFLAGS.AC, which changes often and in
 *            many places. So such a page never enters the supervisor set while CR4.SMAP is on: the
 *            slow path consults the user set instead, after it has looked at AC. Nothing need be
 *            flushed when AC changes.
 * Not here   Walking the tables (walk.c), the accesses themselves (access.c, access_inline.h).
 * Source     SDM vol. 3A, section 4.10 (what must be invalidated when).
 */
#include "include/ring1/mem.h"
#include "monitor/cpu/breakpoint.h"
#include "shadow-mmu/mmu_priv.h"

static void entry_drop(struct soft_tlb *t, unsigned set, unsigned n)
{
    struct tlb_entry *e = &t->entry[set][n];
    uint64_t bit = 1ull << (n % 64);
    unsigned word = n / 64;

    e->tag_r = e->tag_w = e->tag_x = tlb_no_tag(n);
    e->flags = 0;
    t->global[set][word] &= ~bit;
    t->used[set][word] &= ~bit;
    if (!t->used[set][word]) {
        t->used_words[set][word / 64] &= ~(1ull << (word % 64));
        t->leads[set][word] = 0;
    }
}

/* The bit in soft_tlb.leads of the physical page. */
static uint64_t leads_bit(gpa_t gpa)
{
    return 1ull << ((gpa >> 18) & 63);
}

static void entry_mark(struct soft_tlb *t, unsigned set, unsigned n, bool global)
{
    uint64_t bit = 1ull << (n % 64);
    unsigned word = n / 64;

    t->used[set][word] |= bit;
    t->leads[set][word] |= leads_bit(t->entry[set][n].gpa);
    t->used_words[set][word / 64] |= 1ull << (word % 64);
    if (global)
        t->global[set][word] |= bit;
    else
        t->global[set][word] &= ~bit;
}

/* In zeroed memory every tag is 0, which names page 0: that is wrong only where an access to page 0
 * or one that wraps around to it looks. The other entries are left untouched. */
static void tlb_init(struct soft_tlb *t)
{
    for (unsigned set = 0; set < 2; set++) {
        entry_drop(t, set, 0);
        entry_drop(t, set, TLB_ENTRIES - 1);
    }
    t->ready = true;
}

/* Drops the entries of one word of `used`. */
static void drop_word(struct soft_tlb *t, unsigned set, unsigned word, uint64_t bits)
{
    for (; bits; bits &= bits - 1)
        entry_drop(t, set, word * 64 + (unsigned)__builtin_ctzll(bits));
}

static void drop_set(struct soft_tlb *t, unsigned set, bool keep_global)
{
    for (unsigned i = 0; i < ARRAY_LEN(t->used_words[set]); i++)
        for (uint64_t words = t->used_words[set][i]; words; words &= words - 1) {
            unsigned w = i * 64 + (unsigned)__builtin_ctzll(words);

            drop_word(t, set, w, t->used[set][w] & ~(keep_global ? t->global[set][w] : 0));
        }
}

/* Drops every entry that came from a big page in the 4-MiB region of gla. */
static void drop_big(struct soft_tlb *t, unsigned set, gla_t gla)
{
    unsigned first = tlb_index(gla & ~0x3fffffu) / 64;

    for (unsigned i = first; i < first + 1024 / 64; i++)
        for (uint64_t bits = t->used[set][i]; bits; bits &= bits - 1) {
            unsigned n = i * 64 + (unsigned)__builtin_ctzll(bits);
            uint32_t flags = t->entry[set][n].flags;

            if ((flags & TLB_F_BIG) && (flags ^ gla) >> 22 == 0)
                entry_drop(t, set, n);
        }
}

/* Was some page of the aligned 4 MiB around gla filled from a big one? */
static bool has_big(const struct soft_tlb *t, gla_t gla)
{
    return t->big[gla >> 28] & 1ull << ((gla >> 22) & 63);
}

static void drop_page(struct soft_tlb *t, gla_t gla, bool big)
{
    unsigned n = tlb_index(gla);

    for (unsigned set = 0; set < 2; set++) {
        if (t->entry[set][n].flags && PAGE_BASE(t->entry[set][n].flags ^ gla) == 0)
            entry_drop(t, set, n);
        if (big)
            drop_big(t, set, gla);
    }
    t->big[gla >> 28] &= ~(1ull << ((gla >> 22) & 63));
}

/* The bits in soft_tlb.leads of the physical pages [gpa, gpa+len). */
static uint64_t leads_bits(gpa_t gpa, uint64_t len)
{
    return len <= GUEST_PAGE_SIZE ? leads_bit(gpa) : UINT64_MAX;
}

/* Drops every entry of the physical pages [gpa, gpa+len). */
static void drop_gpa(struct soft_tlb *t, unsigned set, gpa_t gpa, uint64_t len)
{
    uint64_t leads = leads_bits(gpa, len);

    for (unsigned i = 0; i < ARRAY_LEN(t->used_words[set]); i++)
        for (uint64_t words = t->used_words[set][i]; words; words &= words - 1) {
            unsigned w = i * 64 + (unsigned)__builtin_ctzll(words);

            if (!(t->leads[set][w] & leads))
                continue;
            for (uint64_t bits = t->used[set][w]; bits; bits &= bits - 1) {
                unsigned n = w * 64 + (unsigned)__builtin_ctzll(bits);

                if (t->entry[set][n].gpa - gpa < len)
                    entry_drop(t, set, n);
            }
        }
}

static void flushed(struct vcpu *v, enum flush_kind kind, gla_t gla)
{
    struct soft_tlb *t = &v->tlb;

    if (!t->ready) {
        tlb_init(t);
        return;
    }
    if (kind == FLUSH_PAGE || kind == FLUSH_REGION) {
        drop_page(t, gla, kind == FLUSH_REGION);
        return;
    }
    for (unsigned set = 0; set < 2; set++)
        drop_set(t, set, kind == FLUSH_NONGLOBAL);
    if (kind == FLUSH_ALL)
        memset(t->big, 0, sizeof t->big);
}

static void memory_changed(struct vcpu *v, gpa_t gpa, uint64_t len)
{
    for (unsigned set = 0; v->tlb.ready && set < 2; set++)
        drop_gpa(&v->tlb, set, gpa, len);
}

static void page_changed(struct vcpu *v, gpa_t page)
{
    memory_changed(v, page, GUEST_PAGE_SIZE);
}

void mmu_init(struct vcpu *v)
{
    static const struct mmu_listener listener = {
        .flushed = flushed, .page_changed = page_changed, .memory_changed = memory_changed};

    mmu_listen(v, &listener);
}

void mmu_flush_page(struct vcpu *v, gla_t gla)
{
    mmu_flush(v, has_big(&v->tlb, gla) ? FLUSH_REGION : FLUSH_PAGE, gla);
}

/* What the set `user` may do with the page, judged by the combined rights of a walk. */
static uint32_t rights_of(const struct vcpu *v, bool user, const struct mmu_walk *w)
{
    uint32_t f = 0;

    if (!(v->cr0 & CR0_PG))
        return TLB_F_R | TLB_F_W | TLB_F_X;
    if (user) {
        if (!w->user)
            return 0;
        f = TLB_F_R | (w->writable ? TLB_F_W : 0) | TLB_F_X;
    } else {
        if (!w->user || !(v->cr4 & CR4_SMAP))
            f = TLB_F_R | (w->writable || !(v->cr0 & CR0_WP) ? TLB_F_W : 0);
        if (!w->user || !(v->cr4 & CR4_SMEP))
            f |= TLB_F_X;
    }
    if (!w->dirty)
        f &= ~TLB_F_W; /* the first write must come back here to set D */
    if (w->nx)
        f &= ~TLB_F_X;
    return f;
}

void tlb_fill(struct vcpu *v, gla_t gla, unsigned how, const struct mmu_walk *w)
{
    struct soft_tlb *t = &v->tlb;
    bool paging = v->cr0 & CR0_PG;
    unsigned n = tlb_index(gla);
    unsigned set = how & MMU_USER ? 1 : 0;
    gla_t page = PAGE_BASE(gla);
    struct tlb_entry *e;
    uint32_t flags;
    uint8_t kind = phys_kind(v->vm, w->gpa);
    bool watched = breakpoint_on_page(v, gla);

    if (!t->ready)
        tlb_init(t);
    if (!set && paging && w->user && (v->cr4 & CR4_SMAP) && !(how & MMU_EXEC))
        set = 1;
    flags = rights_of(v, set, w);
    if (w->global)
        flags |= TLB_F_GLOBAL;
    if (w->page_size > GUEST_PAGE_SIZE) {
        flags |= TLB_F_BIG;
        t->big[gla >> 28] |= 1ull << ((gla >> 22) & 63);
    }
    v->stats.tlb_fills++;
    e = &t->entry[set][n];
    e->gpa = w->gpa & ~(gpa_t)GUEST_PAGE_MASK;
    e->addend = kind & PAGE_MMIO ? 0 : (uint64_t)(uintptr_t)phys_host(v->vm, e->gpa) - page;
    e->flags = page | flags;
    e->tag_r = (flags & TLB_F_R) && !(kind & PAGE_MMIO) && !watched ? -page : tlb_no_tag(n);
    e->tag_w = (flags & TLB_F_W) && page_takes_writes(kind) && !watched ? -page : tlb_no_tag(n);
    e->tag_x = (flags & TLB_F_X) && !(kind & PAGE_MMIO) ? -page : tlb_no_tag(n);
    entry_mark(t, set, n, w->global);
}

struct tlb_entry *tlb_find(struct vcpu *v, gla_t gla, unsigned how)
{
    unsigned set = how & MMU_USER ? 1 : 0;
    uint32_t need = how & MMU_WRITE ? TLB_F_W : how & MMU_EXEC ? TLB_F_X : TLB_F_R;
    struct tlb_entry *e = &v->tlb.entry[set][tlb_index(gla)];

    if (PAGE_BASE(e->flags ^ gla) == 0 && (e->flags & need))
        return e;
    /* What user code may do to its own page, the kernel may do while AC lifts SMAP. */
    if (!set && (v->cr4 & CR4_SMAP) && (v->eflags & EFL_AC) && !(how & (MMU_IMPLICIT | MMU_EXEC))) {
        e = &v->tlb.entry[1][tlb_index(gla)];
        if (PAGE_BASE(e->flags ^ gla) == 0 && (e->flags & need))
            return e;
    }
    return NULL;
}

void tlb_upgrade(struct vcpu *v, struct tlb_entry *e)
{
    gla_t page = PAGE_BASE(e->flags);

    if ((e->flags & TLB_F_W) && page_takes_writes(phys_kind(v->vm, e->gpa)) &&
        !breakpoint_on_page(v, page))
        e->tag_w = -page;
}
