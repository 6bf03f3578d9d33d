/* SPDX-License-Identifier: MIT */
/* dirty_log.c - monitor/memory/dirty.c: every way of changing guest RAM is noted, once, and nothing
 * else. */
#include "monitor/memory/dirty.h"
#include "tests/rig/mmu_fixture.h"

#define PAGES (FX_RAM >> 12)
#define WORDS (PAGES / 64)
#define PD    0x10000u
#define PT    0x11000u

static uint64_t log_bits[WORDS], out[WORDS];

static bool dirty(unsigned page)
{
    return out[page / 64] >> (page % 64) & 1;
}

static void put(gla_t gla, uint32_t val)
{
    struct fx_op op = {.gla = gla, .size = 4, .how = MMU_WRITE, .val = val};
    cr_assert_eq(fx_try(fx_access, &op, NULL), FX_NO_FAULT);
}

static uint32_t get(gla_t gla)
{
    struct fx_op op = {.gla = gla, .size = 4};
    cr_assert_eq(fx_try(fx_access, &op, NULL), FX_NO_FAULT);
    return (uint32_t)op.val;
}

Test(dirty_log, writes_are_noted)
{
    struct vcpu *v = fx_open("ring1");

    cr_assert_eq(dirty_log_words(&fx_vm), WORDS);
    put(0x5000, 1); /* the write tag must not survive the start */
    dirty_log_start(&fx_vm, log_bits);
    cr_expect_eq(dirty_log_collect(&fx_vm, out), 0);
    get(0x6000);
    put(0x5000, 2);
    put(0x5004, 3);
    put(0x8ffe, 4); /* two pages */
    cr_expect_eq(dirty_log_collect(&fx_vm, out), 3);
    cr_expect(dirty(5) && dirty(8) && dirty(9) && !dirty(6));
    cr_expect_eq(fx_get32(0x5004), 3);
    cr_expect_eq(dirty_log_collect(&fx_vm, out), 0, "collected once");
    put(0x5008, 5);
    cr_expect(v->tlb.entry[0][5].tag_w != tlb_no_tag(5) || fx_vm.page[5] == PAGE_RAM,
              "full speed after the first write");
    cr_expect(dirty_log_collect(&fx_vm, out) == 1 && dirty(5), "watched again");
    vm_ram_written(&fx_vm, 0x20ff0, 0x20); /* DMA */
    cr_expect(dirty_log_collect(&fx_vm, out) == 2 && dirty(0x20) && dirty(0x21));
    dirty_log_stop(&fx_vm);
    put(0x5000, 6);
    for (unsigned n = 0; n < PAGES; n++)
        cr_expect(!(fx_vm.page[n] & PAGE_LOGGED), "page %u", n);
}

Test(dirty_log, the_walker_writes_too)
{
    struct vcpu *v = fx_open("ring1");

    fx_put32(PD, PT | 3);
    for (unsigned n = 0; n < 1024; n++)
        fx_put32(PT + 4 * n, n << 12 | 3);
    v->cr3 = PD;
    v->cr0 |= CR0_PG;
    dirty_log_start(&fx_vm, log_bits);
    get(0x30000);
    cr_expect(dirty_log_collect(&fx_vm, out) == 2 && dirty(PD >> 12) && dirty(PT >> 12), "A bits");
    put(0x30000, 1);
    cr_expect(dirty_log_collect(&fx_vm, out) == 2 && dirty(PT >> 12) && dirty(0x30), "D bit");
}

Test(dirty_log, code_and_rom)
{
    fx_open("ring1");
    fx_vm.page[0x40] = PAGE_CODE;
    fx_vm.page[0x41] = PAGE_ROM;
    dirty_log_start(&fx_vm, log_bits);
    put(0x40000, 7);
    put(0x41000, 7);
    cr_expect(dirty_log_collect(&fx_vm, out) == 1 && dirty(0x40), "ROM drops writes");
    vm_set_page_kind(&fx_vm, 0x41000, 4096, PAGE_RAM);
    put(0x41000, 8);
    dirty_log_collect(&fx_vm, out);
    cr_expect(dirty(0x41));
}

Test(dirty_log, under_the_apic)
{
    fx_open("ring1");
    dirty_log_start(&fx_vm, log_bits);
    put(0x50000, 1);
    vm_cover_page(&fx_vm, 0x50000);
    cr_expect_eq(fx_vm.page[0x50], PAGE_MMIO);
    put(0x50000, 2);
    dirty_log_collect(&fx_vm, out); /* a device is not watched */
    vm_set_page_kind(&fx_vm, 0x50000, 4096, PAGE_ROM);
    cr_expect_eq(fx_vm.page[0x50], PAGE_MMIO, "the APIC still covers it");
    vm_cover_page(&fx_vm, 0x51000);
    cr_expect(fx_vm.page[0x50] & PAGE_ROM);
    cr_expect_eq(fx_vm.page[0x51], PAGE_MMIO);
    cr_expect_eq(fx_get32(0x50000), 1, "written through to the APIC only");
    vm_cover_page(&fx_vm, UINT64_MAX);
    put(0x51000, 3);
    cr_expect(dirty_log_collect(&fx_vm, out) == 2 && dirty(0x50) && dirty(0x51));
}
