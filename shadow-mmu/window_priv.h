/* SPDX-License-Identifier: MIT */
/*
 * window_priv.h - what is mapped in the windows, and the few operations that change it.
 *
 * Invariant  A page's bit in leaf.mapped (leaf.writable, leaf.exec) is set exactly when the host
 *            maps it (for writing, for fetching).
 * Invariant  A RAM page that a small page maps for writing or fetching has that mapping in
 *            windows.rmap.
 * Lifetime   Whatever unmaps or protects may find the budget exceeded and drop the whole window; it
 *            then returns false, and all pointers to that window's leaves are dead.
 */
#ifndef RING1_SHADOW_MMU_WINDOW_PRIV_H
#define RING1_SHADOW_MMU_WINDOW_PRIV_H

#include "monitor/cpu/listener.h"
#include "shadow-mmu/mmu_priv.h"
#include "shadow-mmu/window.h"

#define WINDOW_BYTES (1ull << 32)
#define LEAF_SHIFT   WALK_SHIFT /* a leaf is a region of mmu_priv.h */
#define LEAF_PAGES   WALK_PAGES
#define LEAF_REGIONS 2048u
#define LEAF_WORDS   (LEAF_PAGES / 64)
#define LEAF_COUNT   4096u      /* record 0 is not used */
#define TABLE_COUNT  1280u      /* table 0 is not used */
#define RMAP_PAGES   (1u << 20) /* no memory lies above 4 GiB */

enum leaf_kind {
    LEAF_FLAT,  /* paging is off */
    LEAF_BIG,   /* (half of) a 2- or 4-MiB page */
    LEAF_SMALL, /* (half of) a page table */
};

/* What is mapped of 2 MiB of a window. */
struct leaf {
    uint64_t mapped[LEAF_WORDS], writable[LEAF_WORDS];
    uint64_t exec[LEAF_WORDS]; /* fetched from directly; then not writable */
    /* the page follows its predecessor in the same mapping, linearly and physically */
    uint64_t joins[LEAF_WORDS];
    gpa_t frame;         /* flat, big: of the first page */
    uint16_t region;     /* linear address >> LEAF_SHIFT */
    uint16_t table;      /* small: windows.table[] with copies of the entries; else 0 */
    uint16_t prev, next; /* on the window's list of its kind */
    uint16_t pages;      /* mapped */
    uint16_t runs;       /* upper bound of the host mappings it needs */
    uint8_t window, kind;
};

/* A bit for each region. */
#define REGION_WORDS (LEAF_REGIONS / 64)

struct window {
    uint64_t key; /* user windows: address space; see window_key() */
    uint64_t last_use;
    uint32_t runs, leaves;
    bool used;
    uint16_t leaf_of[LEAF_REGIONS]; /* 0: nothing mapped there */
    uint16_t list[2];               /* leaves; [1]: the small ones */
    /* Leaves that are not flat; the small ones, those with pages that are not global among them. */
    uint64_t paged[REGION_WORDS], small[REGION_WORDS], nonglobal[REGION_WORDS];
    uint64_t pde[LEAF_REGIONS]; /* of paged leaves, as it was when their pages were mapped */
};

/* In which supervisor window an address space was last; a wrong hint costs time only. */
struct window_hint {
    uint64_t key;
    unsigned super;
};
#define WINDOW_HINTS 64u

struct windows {
    uint64_t mode;    /* window_mode() when the entries were judged */
    unsigned super;   /* window of the present CR3's CPL 0-2 */
    unsigned current; /* window of the present CR3's CPL 3 */
    uint64_t clock;   /* of last_use */
    uint32_t runs;
    uint32_t leaves;  /* of all windows */
    uint32_t budget;  /* of runs: the host's window_runs, less after the host has refused */
    unsigned granted; /* operations that the host did since the budget changed */
    bool off;         /* the host refused too often */
    uint32_t losses;  /* see window_space.c */
    struct window_hint hint[WINDOW_HINTS];
    uint16_t leaf_free, leaf_used, table_free, table_used;
    uint32_t big; /* a bit for each window with leaves that are not small */
    struct window win[HOST_WINDOWS];
    uint16_t table_next[TABLE_COUNT];
    struct leaf leaf[LEAF_COUNT];
    uint32_t rmap[RMAP_PAGES]; /* see window_map.c */
    uint64_t table[TABLE_COUNT][LEAF_PAGES];
};
_Static_assert(sizeof(struct windows) < 16u << 20, "the promise of window.h");

static inline bool bit_test(const uint64_t *map, unsigned n)
{
    return map[n / 64] >> (n % 64) & 1;
}

static inline void bit_put(uint64_t *map, unsigned n, bool on)
{
    map[n / 64] = (map[n / 64] & ~(1ull << (n % 64))) | (uint64_t)on << (n % 64);
}

/* Windows 0 to this - 1 are for CPL 0-2. */
static inline unsigned window_supers(const struct vcpu *v)
{
    return v->host->window_count == HOST_WINDOWS ? WINDOW_SUPERS : 1;
}

static inline unsigned window_empty(const struct vcpu *v)
{
    return v->host->window_count - 1;
}

static inline struct leaf *leaf_find(struct windows *ws, unsigned n, gla_t gla)
{
    uint16_t at = ws->win[n].leaf_of[gla >> LEAF_SHIFT];

    return at ? &ws->leaf[at] : NULL;
}

/* Linear address of page i. */
static inline gla_t leaf_gla(const struct leaf *l, unsigned i)
{
    return ((gla_t)l->region << LEAF_SHIFT) + (i << GUEST_PAGE_SHIFT);
}

/* Physical address of page i, which is mapped. */
gpa_t leaf_gpa(const struct vcpu *v, const struct leaf *l, unsigned i);

/* What the flushes do to all windows (window_sync.c). */
extern const struct mmu_listener window_listener;

/* Is there room for some runs? */
bool window_has_room(const struct vcpu *v);
/* Room for a leaf and some runs; drops windows until it is there. */
void window_make_room(struct vcpu *v);
/* Makes an empty leaf in window n; window_make_room() must have been called before. */
struct leaf *leaf_new(struct vcpu *v, unsigned n, unsigned region, enum leaf_kind kind);
/* Maps `count` pages of *l from `first` on, none of which is mapped, to the physical pages from gpa
 * on, which are one piece of host memory. `rights` are HOST_MAP_WRITE, HOST_MAP_EXEC or 0; what the
 * table entries, which are copied already, say of CPL 3 and global pages is added to them. False:
 * the host refuses. */
bool leaf_map(struct vcpu *v, struct leaf *l, unsigned first, unsigned count, gpa_t gpa,
              unsigned rights);
/* Unmap pages, or give them other rights; all of them must be mapped. False: the window is gone
 * (Lifetime, above). A leaf that is empty then stays; see leaf_trim(). */
bool leaf_unmap(struct vcpu *v, struct leaf *l, unsigned first, unsigned count);
bool leaf_protect(struct vcpu *v, struct leaf *l, unsigned first, unsigned count, unsigned rights);
/* Frees *l, if it is empty. */
void leaf_trim(struct windows *ws, struct leaf *l);
/* Unmaps everything in *l and frees it. */
bool leaf_drop(struct vcpu *v, struct leaf *l);

/* Takes writing and fetching away from all mappings of the physical page. */
void window_protect_gpa(struct vcpu *v, gpa_t page);

/* window_space.c: gives the present address space a user window of its own. */
void window_claim(struct vcpu *v);
/* Chooses the supervisor window for the present address space: windows.super. */
void window_select_super(struct vcpu *v, bool keep_global);

/* window_sync.c: counts the leaves of window n whose page-directory entry is not what it was;
 * keep_global: only among those that a flush of non-global pages concerns. */
unsigned window_differs(const struct vcpu *v, unsigned n, bool keep_global);

/* Unmaps everything in window n. If even that is refused, there are no windows from then on. */
void window_drop(struct vcpu *v, unsigned n);
void window_drop_all(struct vcpu *v);

#endif
