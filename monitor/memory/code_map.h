/* SPDX-License-Identifier: MIT */
/*
 * code_map.h - which bytes of which pages something was made from: decoded instructions,
 * translations.
 *
 * Promises   Each engine that keeps such things has a map, and nothing else knows where code lies:
 *            a write asks the map what it destroys (code_map_take()), a write beside code asks for
 *            the bytes (code_map_bits(), through page_code_bits()). A write in another 64-byte
 *            chunk than all ranges costs a hash look-up and a test of one word.
 * Invariant  A page with ranges carries the map's mark (page.h). Only its own map takes the mark
 *            away, when no other map with that mark holds the page.
 * Lifetime   A page's record outlives its ranges until code_map_forget().
 * Writer     The thread of the vCPU whose things these are.
 */
#ifndef RING1_MONITOR_MEMORY_CODE_MAP_H
#define RING1_MONITOR_MEMORY_CODE_MAP_H

#include "monitor/memory/page.h"

/* Bytes first..last of one page, from which `owner` was made. The range lies in its owner, which
 * sets all members but `next`; an owner that crosses a page's end has two. */
struct code_range {
    struct code_range *next;
    void *owner;
    uint16_t first, last; /* offsets in the page, both inclusive */
};

/* The record of a page with ranges, now or earlier. A client may keep more about each page after it
 * in memory (code_map.each). */
struct code_page {
    gpa_t page;
    uint64_t chunks; /* bit n: bytes 64n..64n+63 may be part of a range */
    struct code_range *ranges;
    struct code_page *hash_next;
};

struct code_map {
    uint8_t mark; /* PAGE_CODE, PAGE_TRANSLATED */
    uint32_t count, max, hash_mask;
    uint32_t each;           /* bytes of a client's record: a struct code_page first */
    void *pages;             /* max of them */
    struct code_page **hash; /* hash_mask + 1, zeroed */
};

/* Makes an empty map. pages: room for `max` records of `each` bytes; hash: hash_mask + 1 pointers,
 * a power of two, all NULL. The caller keeps both as long as the map is used. */
void code_map_init(struct code_map *m, uint8_t mark, void *pages, uint32_t each, uint32_t max,
                   struct code_page **hash, uint32_t hash_mask);

/* Is there room for n more pages? If not: code_map_forget(). */
static inline bool code_map_has_room(const struct code_map *m, uint32_t n)
{
    return m->max - m->count >= n;
}

/* The page's record, or NULL. `page` is the address of byte 0, here and below. */
struct code_page *code_map_find(const struct code_map *m, gpa_t page);

/* Makes a record, zeroed, all m->each bytes of it, for a page that has none. The caller has checked
 * that there is room. */
struct code_page *code_map_page_add(struct code_map *m, gpa_t page);

/* Enters *r on the page and marks it. */
void code_map_add(struct code_map *m, struct vm *vm, struct code_page *p, struct code_range *r);

/* Takes the ranges that overlap bytes first..last out of the map and returns them as a list, by
 * code_range.next. Takes the page's mark away when no range is left. */
struct code_range *code_map_take(struct code_map *m, struct vm *vm, gpa_t page, unsigned first,
                                 unsigned last);

/* Takes *r out of the map, if it is on that page, and the page's mark as code_map_take() does. */
void code_map_remove(struct code_map *m, struct vm *vm, gpa_t page, struct code_range *r);

/* Has the page a range? For page_watcher.holds. */
bool code_map_holds(const struct code_map *m, gpa_t page);

/* Sets the bits of the page's bytes that are part of a range. For page_watcher.code_bits. */
void code_map_bits(const struct code_map *m, gpa_t page, uint8_t *bits);

/* Takes the mark off all pages and forgets them. */
void code_map_forget(struct code_map *m, struct vm *vm);

#endif
