/* SPDX-License-Identifier: MIT */
/*
 * cache.h - holds translated blocks and finds them again; links them, and takes the links back.
 *
 * Promises   A live block matches guest memory: every physical page that blocks were made from
 *            carries PAGE_TRANSLATED, so that bt/run/hears.c hears of writes to it.
 * Invariant  A block lies on one guest page. Direct links lead only from one block to another of
 *            the same physical and linear page and context; everything else goes through the jump
 *            map, which holds what is true now.
 * Invariant  Every link into a block is on its `in` list; a dead block has no links in, no
 *            jump map entry and no hash entry.
 * Lifetime   Host code, sites, slots and blocks are bump-allocated and all freed together by
 *            cache_flush().
 */
#ifndef RING1_BT_CACHE_CACHE_H
#define RING1_BT_CACHE_CACHE_H

#include "monitor/memory/code_map.h"

struct xinsn;
struct bt_block;
struct bt_heat;

/* What one unit takes at most. */
#define TU_MAX_EXITS 200u
#define TU_MAX_BYTES 32768u /* arena bytes that must be free before a translation starts */

/* Where an x87 instruction found its operand, by the guest's registers at a later site. */
struct x87_address {
    int32_t disp;
    uint8_t base, index, scale, seg;
};

/* One guest instruction in the cache: maps a host position to it. In ascending order of `host`. */
struct bt_site {
    /* Decoded instruction, while decode cache flush number `epoch` is the last (run/callouts.c). */
    const struct xinsn *x;
    uint32_t host; /* arena offset of its first host byte */
    gla_t eip;
    int16_t esp_undo; /* guest esp = r12d + esp_undo at its start */
    uint8_t index;    /* in its block */
    uint8_t rebased;  /* BT_REBASED_*: a trap finds host addresses in rsi, rdi */
    uint32_t epoch;
    uint32_t block; /* index of its block */
    /* How many sites before this one the x87 instructions are that the x87 pointers stem from
     * (x87_back: FIP, FCS, FOP; mem_back: FDP, FDS); 0: the pointers are in memory
     * (bt/translate/x87_pointers.c). */
    uint8_t x87_back, mem_back;
    uint16_t x87_seg : 3, fop : 11; /* an x87 instruction's own; segment of the data pointer */
    union {
        struct x87_address ea;
        struct {
            uint32_t from, to; /* arena offsets */
        } undo;                /* BT_UNDO */
    };
};

#define BT_REBASED_SI 1u /* subtract r11 from rsi */
#define BT_REBASED_DI 2u /* subtract r10 from rdi */
#define BT_REBASED    (BT_REBASED_SI | BT_REBASED_DI)
#define BT_AFTER_STI  4u /* an STI stands before it in the unit: interrupts wait for this one */
#define BT_REBASED_R8 8u /* the deltas are in r8 and r9 */
/* In [undo.from, undo.to) only the flags and rax have changed; they are in r11 and r9. */
#define BT_UNDO       16u
#define BT_KEPT_FLAGS 32u /* the flags are in r9, with BT_REBASED_R8 in r11 */

/* A direct branch out of a block. Unlinked: the displacement at `site` leads to `stub`. */
struct bt_slot {
    uint32_t site, stub; /* arena offsets */
    gla_t target;
    uint16_t insns;             /* guest instructions of its block that ran when it is taken */
    struct bt_block *from, *to; /* to: NULL when unlinked */
    struct bt_slot *next_in;    /* on to->in */
    struct bt_slot **in_at;     /* the pointer on that list that leads to this slot */
};

struct bt_block {
    gla_t gla;
    uint32_t ctx;
    gpa_t gpa;             /* of the first byte */
    uint16_t bytes, insns; /* guest */
    bool dead;
    uint32_t entry, hot_end,
        end; /* arena offsets: entry, end of the part with sites, end of cold code */
    uint32_t first_site;
    struct bt_block *hash_next;
    struct code_range range;
    struct bt_slot *in;
    uint32_t first_slot, slot_count;
};

/* A physical page with blocks, now or earlier. */
struct cache_page {
    struct code_page code;
    gla_t gla;              /* linear page of the first of its blocks */
    unsigned invalidations; /* writes that killed blocks, lately: since a pause of WRITTEN_PAUSE */
    ns_t written_at;        /* code_cache.spent at the last of them */
};

/* Bits of `before`: some for each block while the limit is a quarter of the largest arena. */
#define CACHE_BEFORE (1u << 19)

struct code_cache {
    const struct host_code_arena *arena;
    uint32_t fixed; /* bytes at the start that survive flushes: the stubs */
    uint32_t at;    /* next free byte */
    /* So many bytes of the arena are used, and of the arrays what belongs to them: code that lies
     * together costs the host's CPU less than code spread among what runs no more. */
    uint32_t limit;
    uint32_t again; /* bytes of blocks that had been there at the last flush */
    struct bt_block *blocks;
    uint32_t block_count, block_max;
    struct bt_site *sites;
    uint32_t site_count, site_max;
    struct bt_slot *slots;
    uint32_t slot_count, slot_max;
    struct bt_block **hash; /* by gla and gpa */
    uint32_t hash_mask;
    uint64_t before[CACHE_BEFORE / 64]; /* live at the last flush, by hash; not made again yet */
    struct code_map code;               /* physical pages with blocks: struct cache_page */
    /* sites and slots of complete blocks: those beyond belong to the block being made */
    uint32_t sites_done, slots_done;
    ns_t spent;               /* the vCPU's CPU time at about the last millisecond */
    struct bt_heat *heat;     /* forgets what is known of code that changed; NULL: nobody counts */
    struct vcpu_stats *stats; /* of the vCPU whose blocks these are; NULL before the first block */
};

/* Bytes of memory besides the arena, zeroed, for cache_init(): address space for as many blocks as
 * the arena can hold, which the host backs as they are made. */
size_t cache_size(size_t arena_size);
void cache_init(struct code_cache *c, void *memory, const struct host_code_arena *arena);

/* Is there room for one more unit of the largest size? If not, the caller flushes and retries. */
bool cache_has_room(const struct code_cache *c);

/* The live block of (gla, gpa of its first byte, ctx), or NULL. */
struct bt_block *cache_find(const struct code_cache *c, gla_t gla, gpa_t gpa, uint32_t ctx);

/* Begins a block at c->at, which is in no table yet. A block that was begun before and never
 * inserted is forgotten. */
struct bt_block *cache_block_begin(struct code_cache *c, gla_t gla, gpa_t gpa, uint32_t ctx);
struct bt_site *cache_site_add(struct code_cache *c, struct bt_block *b, const struct xinsn *x,
                               gla_t eip, uint32_t host, int esp_undo);
struct bt_slot *cache_slot_add(struct code_cache *c, struct bt_block *from, uint32_t site,
                               gla_t target);
/* Completes the block: it is found from now on, and its page is marked PAGE_TRANSLATED. `end` is
 * the arena offset of the first byte after its code. */
void cache_block_insert(struct vcpu *v, struct code_cache *c, struct bt_block *b, uint32_t end);

/* Makes the slot's branch lead to `to` directly; the second takes that back. */
void cache_link(struct code_cache *c, struct bt_slot *slot, struct bt_block *to);
void cache_unlink(struct code_cache *c, struct bt_slot *slot);

/* Kills the blocks that overlap bytes first..last of the page: unlinks, removes jump map entries.
 * Returns how many. Clears PAGE_TRANSLATED when none is left. */
unsigned cache_invalidate(struct vcpu *v, struct code_cache *c, gpa_t page, unsigned first,
                          unsigned last);

/* The same because the guest wrote there; counts the write (cache_page_invalidations()). */
unsigned cache_written(struct vcpu *v, struct code_cache *c, gpa_t page, unsigned first,
                       unsigned last);

/* Was the first of the page's live translations made for another linear page? */
bool cache_is_aliased(const struct code_cache *c, gla_t gla, gpa_t gpa);

/* How many writes killed blocks of the page lately, without a longer pause. */
unsigned cache_page_invalidations(const struct code_cache *c, gpa_t page);

/* Forgets all blocks. If most were made again since the last flush, the guest needs more than the
 * limit: it is doubled, up to the arena's size. */
void cache_flush(struct vcpu *v, struct code_cache *c);

/* The site whose host code contains arena offset `host`, or NULL (cold code, stubs). */
struct bt_site *cache_site_at(const struct code_cache *c, uint32_t host);

/* Takes a block out of the hash (cache.c, for invalidate.c). */
void cache_unhash(struct code_cache *c, struct bt_block *b);
/* Enters the block in its page's list and marks the page. */
void cache_page_add(struct vcpu *v, struct code_cache *c, struct bt_block *b);

/* ---- jump map (vcpu.bt.jump[]) ---- */
struct bt_jump_map {
    /* Of guest address 0: host address minus bt.jump_miss, so that 0 leads to that stub. */
    int32_t *entry;
    uint32_t used_count;                 /* of used[]; beyond its size: any entry may be in use */
    uint32_t written_count, written_max; /* pieces */
    uint32_t full_count;                 /* how many pieces were left when the map was full last */
    ns_t full_at, full_spent;            /* when that was, and the CPU time until then */
    uint64_t full_blocks;                /* stats.bt_blocks at that time */
    uint32_t random;
    gla_t used[BT_JUMP_USED]; /* entries that are not empty; some twice, some emptied since */
    /* Entries on linear pages of this number modulo the size, which keeps code and data apart that
     * lie within 256 MiB. */
    uint32_t page_live[BT_JUMP_PAGES];
    bool open[BT_JUMP_CHUNKS];                             /* is writable; else it is empty */
    uint16_t block_written[BT_JUMP_BLOCKS];                /* pieces of each */
    uint64_t written[BT_JUMP_BLOCKS][BT_JUMP_PIECES / 64]; /* a bit for each piece */
};

/* `host` is everywhere the host address of a block's entry. */

/* Sets v->bt.jump to `maps`, HOST_JUMP_MAPS of them, zeroed, and empties the host's maps.
 * bt.jump_miss is set already. */
void jump_map_init(struct vcpu *v, struct bt_jump_map *maps);
/* Enters `host` for gla. May make room by emptying parts of the map; enters nothing when the host
 * gives no memory. */
void jump_map_put(struct vcpu *v, unsigned map, gla_t gla, uint64_t host);
/* What the map has for gla; 0: nothing. */
uint64_t jump_map_find(struct vcpu *v, unsigned map, gla_t gla);
void jump_map_remove(struct vcpu *v, gla_t gla, uint64_t host); /* all maps, if it leads there */
void jump_map_flush(struct vcpu *v, unsigned map);
void jump_maps_flush(struct vcpu *v);
/* To be called now and then, with the time and the CPU time: empties a map that has not needed its
 * memory for a while, and gives the memory back. */
void jump_map_rest(struct vcpu *v, ns_t now, ns_t spent);
/* Empties the entries of one linear page in all maps (INVLPG). Cheap when there are none. */
void jump_map_flush_page(struct vcpu *v, gla_t page);

#endif
