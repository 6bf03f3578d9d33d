/* SPDX-License-Identifier: MIT */
/*
 * dma.c - random DMA on a random memory map, beside a model of one byte at a time: what is read,
 * what is written, what the watchers are told; addresses at the extremes, transfers over every
 * border.
 */
#include "monitor/memory/dma.h"
#include "monitor/memory/page.h"
#include "monitor/memory/region.h"
#include "tests/fuzz/fuzz.h"

#define RAM_PAGES 64u
#define RAM_BYTES (RAM_PAGES << 12)
#define LEN_MAX   (20u << 12)
#define LIVE      16u
#define REGIONS   2u /* a frame buffer and a ROM */
#define REG_PAGES 8u
#define REG_BYTES (REG_PAGES << 12)
#define ALL_BYTES (RAM_BYTES + REGIONS * REG_BYTES)
#define NOTHING   UINT64_MAX

static struct vm vm;
/* RAM, then the regions: memory[], and so model[] and told[], go by this index. */
static uint8_t memory[ALL_BYTES] __attribute__((aligned(4096))), model[ALL_BYTES];
static uint8_t page_kind[RAM_PAGES], region_page[REGIONS][REG_PAGES];
static struct region region[REGIONS];
static uint8_t told[ALL_BYTES]; /* bytes that the watcher was told of */
static uint8_t buffer[LEN_MAX];

static uint64_t index_of(gpa_t gpa)
{
    for (unsigned n = 0; n < REGIONS; n++)
        if (region[n].base != REGION_NOWHERE && gpa - region[n].base < REG_BYTES)
            return RAM_BYTES + n * REG_BYTES + (gpa - region[n].base);
    return gpa < RAM_BYTES ? gpa : NOTHING;
}

static uint8_t *entry_of(uint64_t index)
{
    uint64_t page = index >> 12;

    return page < RAM_PAGES
               ? &page_kind[page]
               : &region_page[(page - RAM_PAGES) / REG_PAGES][(page - RAM_PAGES) % REG_PAGES];
}

/* 0: the RAM, else a region. */
static uint64_t owner_of(gpa_t gpa)
{
    uint64_t at = index_of(gpa);

    return at < RAM_BYTES ? 0 : 1 + (at - RAM_BYTES) / REG_BYTES;
}

static void on_written(void *self, gpa_t page, unsigned first, unsigned last)
{
    uint64_t at = index_of(page);

    (void)self;
    FUZZ_CHECK(at != NOTHING && !(page & 4095) && first <= last && last < 4096);
    FUZZ_CHECK(*entry_of(at) & PAGE_CODE);
    memset(told + at + first, 1, last - first + 1);
}

static const struct page_watcher watcher = {.mark = PAGE_CODE, .written = on_written};

/* An address that may be anything, and often lies at a border. */
static gpa_t address(void)
{
    static const gpa_t edge[] = {0, RAM_BYTES, 1ull << 20, 1ull << 32, 1ull << 36, 0, 0xe0000000};

    switch (rnd(4)) {
    case 0:
        return rnd64();
    case 1:
        return edge[rnd(7)] + (rnd(2) ? rnd(0x4000) : rnd(0x40000)) - 0x2000;
    default:
        return rnd(RAM_BYTES);
    }
}

static bool is_memory(gpa_t gpa)
{
    uint64_t at = index_of(gpa);

    return at != NOTHING && !(*entry_of(at) & PAGE_MMIO);
}

static bool is_writable(gpa_t gpa)
{
    return is_memory(gpa) && !(*entry_of(index_of(gpa)) & PAGE_ROM);
}

/* The address of byte n of a transfer; beyond the last one there is nothing. */
static gpa_t byte_at(gpa_t gpa, uint32_t n)
{
    return gpa + n < gpa ? UINT64_MAX : gpa + n;
}

static void do_read(void)
{
    gpa_t gpa = address();
    uint32_t len = rnd(LEN_MAX);
    bool whole = true;

    bool said = vm_dma_read(&vm, gpa, buffer, len);
    for (uint32_t n = 0; n < len; n++) {
        gpa_t at = byte_at(gpa, n);
        bool there = is_memory(at);

        whole &= there;
        FUZZ_CHECK(buffer[n] == (there ? model[index_of(at)] : 0xff));
    }
    FUZZ_CHECK(said == whole);
}

/* The bytes [0, len) of buffer went to gpa: does memory look so, and did the watcher hear? */
static bool check_write(gpa_t gpa, uint32_t len)
{
    bool whole = true;

    for (uint32_t n = 0; n < len; n++) {
        gpa_t at = byte_at(gpa, n);
        uint64_t index = index_of(at);
        bool can = is_writable(at);

        whole &= can;
        if (!can || index >= ALL_BYTES)
            continue;
        if (model[index] != buffer[n] && (*entry_of(index) & PAGE_CODE))
            FUZZ_CHECK(told[index]);
        model[index] = buffer[n];
    }
    FUZZ_CHECK(!memcmp(memory, model, ALL_BYTES));
    return whole;
}

static void do_write(void)
{
    gpa_t gpa = address();
    uint32_t len = rnd(LEN_MAX);

    for (uint32_t n = 0; n < len; n++)
        buffer[n] = (uint8_t)rnd32();
    memset(told, 0, sizeof told);
    bool said = vm_dma_write(&vm, gpa, buffer, len);
    FUZZ_CHECK(said == check_write(gpa, len));
}

/* Where the bytes are now, and are marked, the watcher heard of them, whatever was moved since they
 * were mapped. */
static void check_told(uint64_t index, uint32_t n)
{
    for (uint32_t k = 0; k < n; k++) {
        uint64_t at = index + k;
        unsigned r = at < RAM_BYTES ? 0 : (unsigned)((at - RAM_BYTES) / REG_BYTES);
        bool placed = at < RAM_BYTES || region[r].base != REGION_NOWHERE;

        FUZZ_CHECK(told[at] || !placed || !(*entry_of(at) & PAGE_CODE));
    }
}

static void do_map(void)
{
    static struct dma_map live[LIVE];
    struct dma_map *m = &live[rnd(LIVE)];

    if (m->bytes) {
        uint32_t n = m->write ? rnd(m->len + 1) : 0;

        FUZZ_CHECK(m->bytes >= memory && m->bytes + m->len <= memory + ALL_BYTES);
        memset(m->bytes, 0x5a, n);
        memset(model + (m->bytes - memory), 0x5a, n);
        memset(told, 0, sizeof told);
        vm_dma_unmap(&vm, m, n);
        check_told((uint64_t)(m->bytes - memory), n);
        *m = (struct dma_map){0};
        return;
    }
    gpa_t gpa = address();
    uint32_t len = rnd(LEN_MAX);
    bool write = rnd(2);
    uint32_t got = vm_dma_map(&vm, gpa, len, write, m);
    uint32_t want = 0;
    while (want < len &&
           (write ? is_writable(byte_at(gpa, want)) : is_memory(byte_at(gpa, want))) &&
           index_of(byte_at(gpa, want)) == index_of(gpa) + want &&
           owner_of(byte_at(gpa, want)) == owner_of(gpa))
        want++;
    FUZZ_CHECK(got == want);
    FUZZ_CHECK(!got || m->bytes == memory + index_of(gpa));
}

static void do_kinds(void)
{
    static const uint8_t kinds[] = {PAGE_RAM, PAGE_RAM, PAGE_ROM, PAGE_MMIO};

    vm_set_page_kind(&vm, (gpa_t)rnd(RAM_PAGES) << 12, (uint64_t)rnd(8) << 12, kinds[rnd(4)]);
    if (chance(30))
        page_mark(&vm, (gpa_t)rnd(RAM_PAGES + 2 * REG_PAGES) << 12, PAGE_CODE);
}

/* Above RAM, often right behind it, or behind the other. */
static void do_place(void)
{
    struct region *r = &region[rnd(REGIONS)];
    gpa_t base = rnd(3) ? RAM_BYTES + ((gpa_t)rnd(3 * REG_PAGES) << 12)
                        : (1ull << 32) - REG_BYTES - 0x2000 + ((gpa_t)rnd(8) << 10);

    if (chance(20))
        base = REGION_NOWHERE;
    if (vm_region_place(&vm, r, base))
        FUZZ_CHECK(r->base == REGION_NOWHERE);
    else
        FUZZ_CHECK(r->base == base && (base == REGION_NOWHERE || base + REG_BYTES <= 1ull << 32));
}

static void one(void)
{
    static void (*const act[])(void) = {do_read, do_write, do_map, do_kinds, do_place};

    for (unsigned n = 0; n < 200; n++)
        act[rnd(5)]();
}

int main(int argc, char **argv)
{
    vm = (struct vm){.ram = memory, .ram_size = RAM_BYTES, .page = page_kind, .a20 = true};
    page_watch(&vm, &watcher, NULL);
    for (unsigned n = 0; n < REGIONS; n++) {
        region[n] = (struct region){.kind = n ? REGION_ROM : REGION_FRAME,
                                    .size = REG_BYTES,
                                    .host = memory + RAM_BYTES + n * REG_BYTES,
                                    .page = region_page[n]};
        FUZZ_CHECK(!vm_region_add(&vm, &region[n]));
    }
    return fuzz_main(argc, argv, one);
}
