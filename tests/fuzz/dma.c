/* SPDX-License-Identifier: MIT */
/*
 * dma.c - random DMA on a random memory map, beside a model of one byte at a time: what is read,
 * what is written, what the watchers are told; addresses at the extremes, transfers over every
 * border.
 */
#include "monitor/memory/dma.h"
#include "monitor/memory/page.h"
#include "tests/fuzz/fuzz.h"

#define RAM_PAGES 64u
#define RAM_BYTES (RAM_PAGES << 12)
#define LEN_MAX   (20u << 12)
#define LIVE      16u

static struct vm vm;
static uint8_t ram[RAM_BYTES] __attribute__((aligned(4096))), model[RAM_BYTES];
static uint8_t page_kind[RAM_PAGES];
static uint8_t told[RAM_BYTES]; /* bytes that the watcher was told of */
static uint8_t buffer[LEN_MAX];

static void on_written(void *self, gpa_t page, unsigned first, unsigned last)
{
    (void)self;
    FUZZ_CHECK(page < RAM_BYTES && !(page & 4095) && first <= last && last < 4096);
    FUZZ_CHECK(vm.page[page >> 12] & PAGE_CODE);
    memset(told + page + first, 1, last - first + 1);
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
        return edge[rnd(7)] + rnd(0x4000) - 0x2000;
    default:
        return rnd(RAM_BYTES);
    }
}

static bool is_memory(gpa_t gpa)
{
    return gpa < RAM_BYTES && !(vm.page[gpa >> 12] & PAGE_MMIO);
}

static bool is_writable(gpa_t gpa)
{
    return is_memory(gpa) && !(vm.page[gpa >> 12] & PAGE_ROM);
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
        FUZZ_CHECK(buffer[n] == (there ? model[at] : 0xff));
    }
    FUZZ_CHECK(said == whole);
}

/* The bytes [0, len) of buffer went to gpa: does memory look so, and did the watcher hear? */
static bool check_write(gpa_t gpa, uint32_t len)
{
    bool whole = true;

    for (uint32_t n = 0; n < len; n++) {
        gpa_t at = byte_at(gpa, n);
        bool can = is_writable(at);

        whole &= can;
        if (!can)
            continue;
        if (model[at] != buffer[n] && (vm.page[at >> 12] & PAGE_CODE))
            FUZZ_CHECK(told[at]);
        model[at] = buffer[n];
    }
    FUZZ_CHECK(!memcmp(ram, model, RAM_BYTES));
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

static void do_map(void)
{
    static struct dma_map live[LIVE];
    struct dma_map *m = &live[rnd(LIVE)];

    if (m->bytes) {
        uint32_t n = m->write ? rnd(m->len + 1) : 0;

        FUZZ_CHECK(m->bytes >= ram && m->bytes + m->len <= ram + RAM_BYTES);
        memset(m->bytes, 0x5a, n);
        memset(model + (m->bytes - ram), 0x5a, n);
        vm_dma_unmap(&vm, m, n);
        *m = (struct dma_map){0};
        return;
    }
    gpa_t gpa = address();
    uint32_t len = rnd(LEN_MAX);
    bool write = rnd(2);
    uint32_t got = vm_dma_map(&vm, gpa, len, write, m);
    uint32_t want = 0;
    while (want < len && (write ? is_writable(byte_at(gpa, want)) : is_memory(byte_at(gpa, want))))
        want++;
    FUZZ_CHECK(got == want);
    FUZZ_CHECK(!got || m->bytes == ram + gpa);
}

static void do_kinds(void)
{
    static const uint8_t kinds[] = {PAGE_RAM, PAGE_RAM, PAGE_ROM, PAGE_MMIO};

    vm_set_page_kind(&vm, (gpa_t)rnd(RAM_PAGES) << 12, (uint64_t)rnd(8) << 12, kinds[rnd(4)]);
    if (chance(30))
        page_mark(&vm, (gpa_t)rnd(RAM_PAGES) << 12, PAGE_CODE);
}

static void one(void)
{
    static void (*const act[])(void) = {do_read, do_write, do_map, do_kinds};

    for (unsigned n = 0; n < 200; n++)
        act[rnd(4)]();
}

int main(int argc, char **argv)
{
    vm = (struct vm){.ram = ram, .ram_size = RAM_BYTES, .page = page_kind, .a20 = true};
    page_watch(&vm, &watcher, NULL);
    return fuzz_main(argc, argv, one);
}
