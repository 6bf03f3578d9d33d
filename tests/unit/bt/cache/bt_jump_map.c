/* SPDX-License-Identifier: MIT */
/* uses: bt/cache/, host/linux/jump_map.c */
/*
 * bt_jump_map.c - the jump map on the host's memory: every address has an entry of its own, and
 * however many are put or looked up, memory, mappings and page tables stay within bounds.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bt/cache/cache.h"
#include "host/linux/jump_map.h"
#include "monitor/cpu/vm.h"

#define MISS  0x10000000u
#define PIECE (1u << BT_JUMP_PIECE_SHIFT)
#define BLOCK (1u << BT_JUMP_BLOCK_SHIFT)
#define CHUNK (1u << BT_JUMP_CHUNK_SHIFT)

static struct vm vm;
static struct vmm_host host;
static struct vcpu_host cpu_host;
static struct vcpu *v;
static ns_t now, clock_step; /* the clock runs when it is looked at */
static ns_t spent;           /* CPU time, of a host that counts it */

static ns_t clock_now(void *opaque)
{
    (void)opaque;
    return now += clock_step;
}

static ns_t spent_now(void *opaque)
{
    (void)opaque;
    return spent;
}

static void start(void)
{
    now = 1;
    host.now_ns = clock_now;
    cr_assert(jump_maps_create(&cpu_host) == 0);
    vm.host = &host;
    v = calloc(1, sizeof *v);
    cr_assert(v);
    v->vm = &vm;
    v->host = &cpu_host;
    v->bt.jump_miss = MISS;
    jump_map_init(v, calloc(HOST_JUMP_MAPS, sizeof *v->bt.jump));
}

/* As translated code sees it, which adds the entry to the stub's address. */
static bool leads_to(unsigned user, gla_t gla, uint64_t host_entry)
{
    return MISS + (uint64_t)(int64_t)v->bt.jump[user].entry[gla] == host_entry &&
           jump_map_find(v, user, gla) == (host_entry == MISS ? 0 : host_entry);
}

static bool is_empty(unsigned user, gla_t gla)
{
    return leads_to(user, gla, MISS);
}

static unsigned live(unsigned user)
{
    unsigned count = 0;

    for (unsigned n = 0; n < BT_JUMP_PAGES; n++)
        count += v->bt.jump[user].page_live[n];
    return count;
}

/* A number from /proc/self/status, in KiB. */
static unsigned long status(const char *name)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[256];
    unsigned long value = 0;

    cr_assert(f);
    while (fgets(line, sizeof line, f))
        if (strncmp(line, name, strlen(name)) == 0)
            value = strtoul(line + strlen(name), NULL, 10);
    fclose(f);
    return value;
}

static unsigned mappings(void)
{
    FILE *f = fopen("/proc/self/maps", "r");
    unsigned lines = 0;

    cr_assert(f);
    for (int c; (c = getc(f)) != EOF;)
        lines += c == '\n';
    fclose(f);
    return lines;
}

Test(bt_jump_map, an_entry_for_each_address)
{
    start();
    cr_expect(is_empty(0, 0) && is_empty(1, 0) && is_empty(0, 0xffffffff) &&
              is_empty(1, 0x80000000));
    jump_map_put(v, 0, 0x10005, MISS + 11);
    jump_map_put(v, 0, 0x20005, MISS - 12); /* an address below the stub is one as well */
    cr_expect(leads_to(0, 0x10005, MISS + 11) && leads_to(0, 0x20005, MISS - 12) && live(0) == 2);
    cr_expect(is_empty(1, 0x10005) && is_empty(0, 0x10004) && is_empty(0, 0x10006));
    jump_map_put(v, 0, 0x10005, MISS + 13);
    cr_expect(leads_to(0, 0x10005, MISS + 13) && live(0) == 2 && v->bt.jump[0].used_count == 2);
    jump_map_put(v, 1, 0, MISS + 1);
    jump_map_put(v, 1, 0xffffffff, MISS + 2);
    cr_expect(leads_to(1, 0, MISS + 1) && leads_to(1, 0xffffffff, MISS + 2) && is_empty(0, 0));
}

Test(bt_jump_map, entries_taken_back)
{
    start();
    for (unsigned user = 0; user < 2; user++)
        jump_map_put(v, user, 0x20005, MISS + 12);
    jump_map_remove(v, 0x20005, MISS + 11);
    jump_map_remove(v, 0x90000005, MISS + 12);
    cr_expect(leads_to(0, 0x20005, MISS + 12), "removed although it leads elsewhere");
    jump_map_flush_page(v, 0x10000);
    jump_map_flush_page(v, 0x10020000); /* counted with it */
    cr_expect(leads_to(0, 0x20005, MISS + 12) && leads_to(1, 0x20005, MISS + 12));
    jump_map_remove(v, 0x20005, MISS + 12);
    cr_expect(is_empty(0, 0x20005) && is_empty(1, 0x20005) && live(0) == 0 && live(1) == 0);
    for (unsigned n = 0; n < 3 * PIECE; n++)
        jump_map_put(v, 1, 0xfffff400u + n, MISS + 1 + n);
    cr_expect(live(1) == 3 * PIECE);
    jump_map_put(v, 1, 0xfffff3ff - GUEST_PAGE_SIZE, MISS + 7);
    jump_map_flush_page(v, 0xfffffabc);
    cr_expect(leads_to(1, 0xfffff3ff - GUEST_PAGE_SIZE, MISS + 7) && live(1) == 1);
    cr_expect(is_empty(1, 0xfffff400) && is_empty(1, 0xffffffff));
}

Test(bt_jump_map, flush)
{
    start();
    jump_map_put(v, 1, 0x7000, MISS + 1);
    /* within what used[] remembers, beyond it, and once more */
    for (unsigned count = BT_JUMP_USED - 1; count < BT_JUMP_USED + 3; count++) {
        for (unsigned n = 0; n < count; n++)
            jump_map_put(v, 0, n * 3, MISS + 1 + n);
        cr_expect(leads_to(0, 3 * (count - 1), MISS + count) && live(0) == count);
        jump_map_flush(v, 0);
        cr_expect(live(0) == 0 && v->bt.jump[0].used_count == 0);
        for (unsigned n = 0; n < count; n++)
            cr_assert(is_empty(0, n * 3), "entry %x is left", n * 3);
    }
    cr_expect(leads_to(1, 0x7000, MISS + 1));
    cr_expect(v->stats.bt_jump_clears == 0 && v->stats.bt_jump_drops == 0, "memory went back");
}

static unsigned pieces(unsigned user)
{
    unsigned count = 0;

    for (unsigned n = 0; n < BT_JUMP_BLOCKS; n++) {
        unsigned here = 0;
        for (unsigned k = 0; k < BT_JUMP_PIECES / 64; k++)
            here += (unsigned)__builtin_popcountll(v->bt.jump[user].written[n][k]);
        cr_assert(here == v->bt.jump[user].block_written[n]);
        count += here;
    }
    return count;
}

/* An entry on each piece of `count` blocks, from `gla` on. */
static void fill(unsigned user, gla_t gla, unsigned count)
{
    struct bt_jump_map *m = &v->bt.jump[user];

    for (gla_t end = gla + count * BLOCK; gla < end; gla += PIECE) {
        jump_map_put(v, user, gla, MISS + 1 + gla % 977);
        cr_assert(m->written_count <= m->written_max && leads_to(user, gla, MISS + 1 + gla % 977));
    }
    cr_expect(pieces(user) == m->written_count && live(user) == m->written_count);
}

/* What is put once in a while shares what memory there is. */
Test(bt_jump_map, memory_is_bounded)
{
    start();
    unsigned long before = status("VmRSS:"), may_take = 4096;

    clock_step = NS_PER_SEC;
    for (unsigned user = 0; user < 2; user++) {
        unsigned most = BT_JUMP_WRITTEN(user), left = 0;

        fill(user, 0x40000000, 40); /* 80 MiB if nothing went back */
        cr_expect(v->bt.jump[user].written_max == most);
        for (gla_t gla = 0x40000000; gla < 0x40000000 + 40 * BLOCK; gla += PIECE)
            left += !is_empty(user, gla);
        cr_expect(left <= most && left > most / 2, "%u of %u are left", left, most);
        may_take += most * sizeof(int32_t) * PIECE >> 10;
    }
    cr_expect(v->stats.bt_jump_drops > 0 && v->stats.bt_jump_clears == 0);
    unsigned long taken = status("VmRSS:") - before;
    cr_expect(taken < may_take, "%lu KiB", taken);
}

/* Nor does new code make it grow. */
Test(bt_jump_map, new_code)
{
    start();
    struct bt_jump_map *m = &v->bt.jump[0];

    for (gla_t gla = 0x40000000; gla < 0x40000000 + 40 * BLOCK; gla += PIECE) {
        v->stats.bt_blocks++;
        jump_map_put(v, 0, gla, MISS + 1);
    }
    cr_expect(m->written_max == BT_JUMP_WRITTEN(0) && v->stats.bt_jump_drops > 0);
    fill(0, 0x40000000, 40);
    cr_expect(m->written_max > 40 * BT_JUMP_PIECES, "the same again: it is not new");
}

/* On a busy host much time passes while the guest does little: CPU time counts. */
Test(bt_jump_map, busy_host)
{
    start();
    struct bt_jump_map *m = &v->bt.jump[0];

    cpu_host.spent_ns = spent_now;
    clock_step = NS_PER_SEC;
    fill(0, 0x40000000, 40);
    cr_expect(v->stats.bt_jump_drops == 0 && m->written_count == 40 * BT_JUMP_PIECES);
    jump_map_rest(v, now + 100 * NS_PER_SEC, spent + NS_PER_SEC / 2);
    jump_map_rest(v, m->full_at + NS_PER_SEC, spent + NS_PER_SEC);
    cr_expect(v->stats.bt_jump_clears == 0, "the guest has had little time to use it");
    jump_map_rest(v, now + 100 * NS_PER_SEC, spent + NS_PER_SEC);
    cr_expect(v->stats.bt_jump_clears == 1);
}

/* What is put all at once is in use: the map grows, up to a last bound, and a working set that is
 * larger keeps most of what it has. When it is quiet, the memory goes back. */
Test(bt_jump_map, memory_follows_use)
{
    start();
    struct bt_jump_map *m = &v->bt.jump[0];
    unsigned long before = status("VmRSS:");

    fill(0, 0x40000000, 40);
    cr_expect(v->stats.bt_jump_drops == 0 && m->written_count == 40 * BT_JUMP_PIECES);
    fill(0, 0x80000000, BT_JUMP_WRITTEN_MOST / BT_JUMP_PIECES);
    cr_expect(v->stats.bt_jump_drops > 0 && m->written_max == BT_JUMP_WRITTEN_MOST);
    cr_expect(m->written_count >= BT_JUMP_WRITTEN_MOST - BT_JUMP_WRITTEN_MOST / 8);
    cr_expect(status("VmRSS:") - before > BT_JUMP_WRITTEN_MOST / 2 * 4);
    jump_map_rest(v, now, now);
    cr_expect(v->stats.bt_jump_clears == 0);
    jump_map_rest(v, now + 10000000000, now + 10000000000);
    cr_expect(v->stats.bt_jump_clears == 1 && m->written_max == BT_JUMP_WRITTEN(0));
    cr_expect(pieces(0) == 0 && live(0) == 0 && is_empty(0, 0x80000000));
    cr_expect(status("VmRSS:") < before + 8192);
    jump_map_rest(v, now + 20000000000, now + 20000000000);
    cr_expect(v->stats.bt_jump_clears == 1, "nothing more to give back");
    fill(0, 0x40000000, 1);
}

/* An entry in every block, the most that can be. */
Test(bt_jump_map, mappings_and_page_tables_are_bounded)
{
    start();
    unsigned long before = status("VmPTE:");
    unsigned maps = mappings();

    for (uint64_t gla = 0; gla < 1ull << 32; gla += 2 * CHUNK) /* every other: nothing merges */
        jump_map_put(v, 0, (gla_t)gla + 77, MISS + 1);
    cr_expect(mappings() <= maps + BT_JUMP_CHUNKS + 2);
    for (uint64_t gla = 0; gla < 1ull << 32; gla += BLOCK)
        jump_map_put(v, 0, (gla_t)gla + 77, MISS + 1);
    for (uint64_t gla = 0; gla < 1ull << 32; gla += BLOCK)
        cr_assert(leads_to(0, (gla_t)gla + 77, MISS + 1));
    unsigned long taken = status("VmPTE:") - before;
    /* a table for each block; sanitizers have some for their own memory */
    cr_expect(taken < BT_JUMP_BLOCKS * 4 * 3 / 2, "%lu KiB", taken);
    cr_expect(v->stats.bt_jump_clears + v->stats.bt_jump_drops == 0);
    jump_map_rest(v, now + 10000000000, now + 10000000000);
    cr_expect(status("VmPTE:") - before < BT_JUMP_BLOCKS * 4 / 2);
    jump_map_put(v, 0, 0x1234, MISS + 5);
    cr_expect(leads_to(0, 0x1234, MISS + 5));
}

static int no_memory(void *opaque, uint64_t at, uint64_t bytes)
{
    (void)opaque, (void)at, (void)bytes;
    return -ENOMEM;
}

Test(bt_jump_map, a_host_without_memory)
{
    start();
    cpu_host.jump_map_open = no_memory;
    jump_map_put(v, 0, 0x5000, MISS + 5);
    cr_expect(is_empty(0, 0x5000) && live(0) == 0);
    jump_map_remove(v, 0x5000, MISS + 5);
    jump_map_flush_page(v, 0x5000);
    jump_map_flush(v, 0);
    cr_expect(is_empty(0, 0x5000));
}
