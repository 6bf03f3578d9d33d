/* SPDX-License-Identifier: MIT */
/* uses: monitor/memory/region.c */
/*
 * region.c - memory besides the RAM, in the interpreter, and translated with windows and without:
 * code in ROM, code that is written to a frame buffer and runs there, what a move takes away and
 * what it leaves, who hears, the log, DMA.
 */
#include "tests/rig/bt_rig.h"

#include <criterion/criterion.h>

#include "monitor/memory/dma.h"
#include "monitor/memory/page.h"
#include "monitor/memory/phys.h"
#include "monitor/memory/region.h"

#define RAM      (4u << 20)
#define CODE     0x10000u
#define FRAME    0xe0000000u
#define MOVED    0xf0000000u
#define FRAME_SZ (64u << 12)
#define ROM      0xfffc0000u
#define ROM_SZ   (16u << 12)
#define COUNTER  0x5000u
#define BANK     0xa0000u /* hides RAM */
#define ABOVE    0xfe000000u
#define BANK_SZ  (16u << 12)

enum way { INTERPRETED, WINDOWS, SOFT, WAYS };

static struct world {
    struct bt_rig *rig;
    struct region frame, rom, bank, above; /* the last two: views of the frame */
    uint64_t log[1], out[1];
} w;

static void add(struct region *r, const char *name, enum region_kind kind, uint64_t size)
{
    *r = (struct region){.name = name, .kind = kind, .size = size};
    r->host = guest_ram_add(&w.rig->ram, size, &r->at);
    r->page = calloc(size >> 12, 1);
    cr_assert(r->host && !vm_region_add(&w.rig->vm, r));
}

static struct vm *open_world(enum way way)
{
    static const struct bt_options soft = {.soft_only = true}, windows;

    w.rig = bt_rig_zeroed(sizeof *w.rig);
    bt_rig_create(w.rig, RAM, way != INTERPRETED);
    bt_rig_signals();
    bt_rig_options(w.rig, way == SOFT ? &soft : &windows);
    add(&w.frame, "frame", REGION_FRAME, FRAME_SZ);
    add(&w.rom, "rom", REGION_ROM, ROM_SZ);
    cr_assert(!vm_region_place(&w.rig->vm, &w.frame, FRAME));
    cr_assert(!vm_region_place(&w.rig->vm, &w.rom, ROM));
    return &w.rig->vm;
}

/* Runs from eip to HLT; EAX. */
static uint32_t run(uint32_t eip)
{
    uint32_t ebx = w.rig->cpu->gpr[EBX];

    bt_rig_flat(w.rig, 0);
    w.rig->cpu->gpr[EBX] = ebx;
    w.rig->cpu->eip = eip;
    w.rig->cpu->gpr[ESP] = 0x8000;
    cr_assert_eq(bt_rig_run(w.rig), EXIT_SHUTDOWN_HALT);
    return w.rig->cpu->gpr[EAX];
}

#define HLT 0xf4

/* for (ecx = 1000; ecx; ecx--) ++*counter; *(uint8_t *)(rom + 0x800) = 0x55; eax = *(rom + 0x800)
 * */
static const uint8_t rom_code[] = {0xb9, 0xe8, 3,    0,    0,    0xff, 5,    0,    0x50,
                                   0,    0,    0x49, 0x75, 0xf7, 0xc6, 5,    0,    8,
                                   0xfc, 0xff, 0x55, 0xa1, 0,    8,    0xfc, 0xff, HLT};

static void code_in_rom(enum way way)
{
    struct vm *vm = open_world(way);
    const struct vcpu *v = w.rig->cpu;
    uint32_t count;

    memcpy(w.rom.host, rom_code, sizeof rom_code);
    memcpy(w.rom.host + 0x800, "\x12\x34\x56\x78", 4);
    cr_expect_eq(run(ROM), 0x78563412, "way %u: ROM takes no writes", way);
    memcpy(&count, vm->ram + COUNTER, 4);
    cr_expect_eq(count, 1000);
    cr_expect(w.rom.page[0] & (way == INTERPRETED ? PAGE_CODE : PAGE_TRANSLATED), "cached");
    uint64_t made = v->stats.blocks_decoded + v->stats.bt_blocks;
    run(ROM);
    cr_expect_eq(v->stats.blocks_decoded + v->stats.bt_blocks, made, "way %u: and found", way);
    cr_expect_eq(v->stats.mmio_reads + v->stats.mmio_writes, 0);
    vm_region_place(vm, &w.rom, REGION_NOWHERE);
    cr_expect_eq(phys_read(vm, ROM + 0x800, 4), UINT32_MAX);
    vm_region_place(vm, &w.rom, ROM);
    w.rom.host[1] = 0; /* 768: nothing of the old code is left */
    run(ROM);
    memcpy(&count, vm->ram + COUNTER, 4);
    cr_expect_eq(count, 2768, "way %u", way);
}

/* ++ of the immediate of what comes next; mov eax, 0; hlt. At FRAME + 0x1000. */
static const uint8_t own_code[] = {0xfe, 5, 7, 0x10, 0, 0xe0, 0xb8, 0, 0, 0, 0, HLT};
/* copies ebx to FRAME + 0x2001, the immediate of the code there, and jumps to it */
static const uint8_t jump_code[] = {0x89, 0x1d, 1, 0x20, 0,    0xe0, 0xb8,
                                    0,    0x20, 0, 0xe0, 0xff, 0xe0};

static void code_in_frame(enum way way)
{
    struct vm *vm = open_world(way);
    uint32_t x = 0x87654321;

    memcpy(w.frame.host + 0x1000, own_code, sizeof own_code);
    memcpy(w.frame.host + 0x2000, "\xb8\0\0\0\0\xf4", 6);
    memcpy(vm->ram + CODE, jump_code, sizeof jump_code);
    for (unsigned n = 1; n < 40; n++)
        cr_assert_eq(run(FRAME + 0x1000), n, "way %u: it changes itself", way);
    for (unsigned n = 1; n < 40; n++) {
        w.rig->cpu->gpr[EBX] = n * 0x1010101;
        cr_assert_eq(run(CODE), n * 0x1010101, "way %u: the CPU wrote it", way);
    }
    cr_expect(w.frame.page[2] & (PAGE_CODE | PAGE_TRANSLATED));
    cr_expect((w.rig->cpu->stats.bt_invalidations != 0) == (way != INTERPRETED));
    cr_expect(vm_dma_write(vm, FRAME + 0x2001, &x, 4));
    cr_expect_eq(run(FRAME + 0x2000), x, "way %u: a device wrote it", way);
    x = 0x1111;
    memcpy(w.frame.host + 0x2001, &x, 4);
    region_written(vm, &w.frame, 0x2001, 4);
    cr_expect_eq(run(FRAME + 0x2000), x, "way %u: its owner wrote it", way);
}

/* mov [ebx], ecx = 7; eax = [ebx + 4]; and a page of RAM; hlt */
static const uint8_t touch_code[] = {0xb9, 7,    0,    0, 0,    0x89, 0x0b, 0x8b, 0x43,
                                     4,    0x89, 0x0d, 0, 0x60, 0,    0,    HLT};

static void moves(enum way way)
{
    struct vm *vm = open_world(way);
    struct vcpu *v = w.rig->cpu;
    uint32_t x = 0;

    memcpy(vm->ram + CODE, touch_code, sizeof touch_code);
    memcpy(w.frame.host + 0x3004, "\x11\x22\x33\x44", 4);
    v->gpr[EBX] = FRAME + 0x3000;
    cr_expect_eq(run(CODE), 0x44332211);
    cr_expect_eq(w.frame.host[0x3000], 7);
    uint64_t unmapped = v->stats.window_unmaps, mapped = v->stats.window_maps;
    cr_expect((mapped != 0) == (way == WINDOWS), "way %u", way);
    cr_expect(!vm_region_place(vm, &w.frame, MOVED));
    unmapped = v->stats.window_unmaps - unmapped;
    cr_expect(way != WINDOWS || (unmapped && unmapped < mapped), "way %u: RAM stays mapped", way);
    cr_expect_eq(run(CODE), UINT32_MAX, "way %u: nothing is there", way);
    w.frame.host[0x3000] = 0;
    v->gpr[EBX] = MOVED + 0x3000;
    cr_expect_eq(run(CODE), 0x44332211, "way %u: but here", way);
    cr_expect_eq(w.frame.host[0x3000], 7);
    cr_expect(!vm_region_place(vm, &w.frame, 0x200000), "over RAM");
    v->gpr[EBX] = 0x203000;
    w.frame.host[0x3000] = 0;
    cr_expect_eq(run(CODE), 0x44332211);
    memcpy(&x, vm->ram + 0x203000, 4);
    cr_expect(w.frame.host[0x3000] == 7 && !x, "way %u: the RAM below is as it was", way);
    vm_region_place(vm, &w.frame, REGION_NOWHERE);
    cr_expect_eq(run(CODE), 0, "way %u: and seen again", way);
    memcpy(&x, vm->ram + 0x203000, 4);
    cr_expect_eq(x, 7);
}

/* mov eax, IMM; hlt in ROM over RAM that holds the same with another number */
static void shadowed(enum way way)
{
    struct vm *vm = open_world(way);
    const gpa_t at = 0xf0000;

    memcpy(w.rom.host, "\xb8\x01\0\0\0\xf4", 6);
    memcpy(vm->ram + at, "\xb8\x02\0\0\0\xf4", 6);
    cr_expect_eq(run(at), 2);
    cr_expect(!vm_region_place(vm, &w.rom, at));
    for (unsigned n = 0; n < 3; n++) {
        cr_expect_eq(run(at), 1, "way %u: ROM", way);
        phys_write(vm, at + 1, 1, 9);
        cr_expect_eq(vm->ram[at + 1], 2, "dropped");
        vm_set_page_kind(vm, at, ROM_SZ, PAGE_RAM);
        cr_expect_eq(run(at), 2, "way %u: RAM", way);
        phys_write(vm, at + 2, 1, 0);
        vm_set_page_kind(vm, at, ROM_SZ, PAGE_ROM);
        phys_write(vm, at + 1, 1, 9);
        cr_expect_eq(run(at), 2, "way %u: RAM, read-only", way);
        vm_set_page_kind(vm, at, ROM_SZ, PAGE_ROM | PAGE_OVER | PAGE_UNDER);
        cr_expect_eq(run(at), 1, "way %u: ROM", way);
        phys_write(vm, at + 2, 1, 3);
        cr_expect(vm->ram[at + 2] == 3 && run(at) == 1, "way %u: RAM is written, ROM read", way);
        vm_set_page_kind(vm, at, ROM_SZ, PAGE_RAM);
        cr_expect_eq(run(at), 0x302, "way %u", way);
        phys_write(vm, at + 2, 1, 0);
        vm_set_page_kind(vm, at, ROM_SZ, PAGE_ROM | PAGE_OVER);
    }
    vm_set_page_kind(vm, 0x80000, 4096, PAGE_ROM | PAGE_OVER | PAGE_UNDER);
    cr_expect_eq(vm->page[0x80], PAGE_ROM, "no ROM lies there");
}

/* for (ecx = 1000; ecx; ecx--) { ++*(ebx); ++*(ebx + 0x5000); } hlt */
static const uint8_t paint_code[] = {0xb9, 0xe8, 3, 0, 0,    0xff, 0x03, 0xff, 0x83,
                                     0,    0x50, 0, 0, 0x49, 0x75, 0xf5, HLT};

static void logged(enum way way)
{
    struct vm *vm = open_world(way);
    const struct vcpu *v = w.rig->cpu;

    memcpy(vm->ram + CODE, paint_code, sizeof paint_code);
    w.rig->cpu->gpr[EBX] = FRAME + 0x1000;
    region_log_start(vm, &w.frame, w.log);
    cr_expect_eq(region_log_collect(vm, &w.frame, w.out), 64, "all, at first");
    cr_expect_eq(region_log_collect(vm, &w.frame, w.out), 0);
    run(CODE);
    for (unsigned n = 0; n < 5; n++) {
        uint64_t slow = v->stats.bt_trap_emulated + v->stats.true_faults + v->stats.tlb_fills;

        run(CODE);
        slow = v->stats.bt_trap_emulated + v->stats.true_faults + v->stats.tlb_fills - slow;
        cr_expect_lt(slow, 20, "way %u: written at full speed, not %lu", way, (unsigned long)slow);
        cr_expect_eq(region_log_collect(vm, &w.frame, w.out), 2);
        cr_expect_eq(w.out[0], 1u << 1 | 1u << 6, "way %u", way);
        cr_expect_eq(region_log_collect(vm, &w.frame, w.out), 0);
    }
    run(CODE);
    cr_expect_eq(region_log_collect(vm, &w.frame, w.out), 2, "way %u: watched again", way);
    cr_expect(vm_dma_write(vm, FRAME + 0x7ffc, paint_code, 8));
    region_written(vm, &w.frame, 0xa000, 1);
    cr_expect_eq(region_log_collect(vm, &w.frame, w.out), 3);
    cr_expect_eq(w.out[0], (1u << 7 | 1u << 8 | 1u << 10), "%lx", (unsigned long)w.out[0]);
    vm_region_place(vm, &w.frame, MOVED);
    cr_expect_eq(region_log_collect(vm, &w.frame, w.out), 64, "a move shows all anew");
    w.rig->cpu->gpr[EBX] = MOVED + 0x2000;
    run(CODE);
    cr_expect(region_log_collect(vm, &w.frame, w.out) == 2 && w.out[0] == (1u << 2 | 1u << 7));
    region_log_stop(vm, &w.frame);
    for (unsigned n = 0; n < 64; n++)
        cr_expect(!(w.frame.page[n] & PAGE_LOGGED));
    run(CODE);
}

/* A ROM whose device takes the writes, the APIC over a region, what is refused. */
static uint32_t flash_off, flash_val;
static void flash_write(void *dev, uint32_t off, unsigned size, uint32_t val, ns_t now)
{
    (void)dev, (void)size, (void)now;
    flash_off = off;
    flash_val = val;
}

static void edges(enum way way)
{
    static const struct dev_ops flash = {
        .name = "flash", .min_size = 1, .max_size = 4, .write = flash_write};
    struct vm *vm = open_world(way);
    struct region more[VM_REGIONS], big = {.size = 1ull << 33}, odd = {.size = 100};

    w.rom.bus_writes = true;
    cr_assert(!bus_add(&vm->mem, ROM, ROM + ROM_SZ - 1, &flash, NULL, 0));
    phys_write(vm, ROM + 0x124, 4, 0xabcd);
    cr_expect(flash_off == 0x124 && flash_val == 0xabcd && !w.rom.host[0x124]);
    cr_expect_eq(vm_region_place(vm, &w.frame, ROM - 0x1000), -1, "something lies there");
    cr_expect_eq(w.frame.base, REGION_NOWHERE);
    cr_expect_eq(vm_region_place(vm, &w.frame, 0xffff0000), -1, "beyond 4 GiB");
    cr_expect_eq(vm_region_place(vm, &w.frame, FRAME + 12), -1);
    cr_expect_eq(vm_region_place(vm, &w.frame, ROM - FRAME_SZ), 0, "side by side");
    w.frame.host[FRAME_SZ - 1] = 0x12;
    w.rom.host[0] = 0x34;
    cr_expect_eq(phys_read(vm, ROM - 1, 2), 0x3412);
    vm_cover_page(vm, ROM - 0x1000);
    cr_expect_eq(phys_kind(vm, ROM - 0x1000), PAGE_MMIO);
    vm_region_place(vm, &w.frame, FRAME);
    cr_expect_eq(phys_kind(vm, ROM - 0x1000), PAGE_MMIO);
    vm_region_place(vm, &w.frame, ROM - FRAME_SZ);
    cr_expect_eq(phys_kind(vm, ROM - 0x1000), PAGE_MMIO, "the APIC lies over whatever comes");
    uint8_t byte = 0;
    cr_expect(vm_dma_read(vm, ROM - 1, &byte, 1) && byte == 0x12, "not for a device");
    vm_cover_page(vm, UINT64_MAX);
    cr_expect_eq(phys_kind(vm, ROM - 0x1000), PAGE_RAM);
    cr_expect(vm_region_add(vm, &big) == -1 && vm_region_add(vm, &odd) == -1);
    while (vm->region_count < VM_REGIONS) {
        more[vm->region_count] = (struct region){.size = 4096};
        cr_expect_eq(vm_region_add(vm, &more[vm->region_count]), 0);
    }
    odd.size = 4096;
    cr_expect_eq(vm_region_add(vm, &odd), -1);
}

/* ---- one memory at several addresses ---- */

static void add_view(struct region *r, const char *name, uint64_t size)
{
    *r = (struct region){.name = name, .size = size, .device_below = r == &w.bank};
    r->page = calloc(size >> 12, 1);
    cr_assert(!vm_region_view(&w.rig->vm, r, &w.frame));
}

static struct vm *open_views(enum way way)
{
    struct vm *vm = open_world(way);

    add_view(&w.bank, "bank", BANK_SZ);
    add_view(&w.above, "above", FRAME_SZ);
    cr_assert(!vm_region_show(vm, &w.bank, BANK, BANK_SZ) && !vm_region_place(vm, &w.above, ABOVE));
    return vm;
}

/* mov [ebx], ecx; hlt */
static void store(uint32_t at, uint32_t val)
{
    struct vcpu *v = w.rig->cpu;

    memcpy(v->vm->ram + CODE, "\xb9\0\0\0\0\x89\x0b\xf4", 8);
    memcpy(v->vm->ram + CODE + 1, &val, 4);
    vm_ram_written(v->vm, CODE, 8);
    v->gpr[EBX] = at;
    run(CODE);
}

/* The same code runs at three addresses, and is changed through each. */
static void views(enum way way)
{
    const uint32_t in_frame = FRAME + BANK_SZ + 0x2000,
                   at[] = {in_frame, BANK + 0x2000, ABOVE + BANK_SZ + 0x2000};
    struct vm *vm = open_views(way);
    uint32_t x = 0x1234;

    memcpy(w.frame.host + BANK_SZ + 0x2000, "\xb8\0\0\0\0\xf4", 6);
    memcpy(w.frame.host + 0x2000, "\xb8\x77\0\0\0\xf4", 6); /* what another bank has there */
    for (unsigned n = 1; n < 120; n++) {
        store(at[n / 3 % 3] + 1, n);
        for (unsigned i = 0; i < 3; i++)
            cr_assert_eq(run(at[(n + i) % 3]), n, "way %u: run %u at %u", way, n, (n + i) % 3);
    }
    for (unsigned i = 0; i < 3; i++) /* marks are the memory's */
        cr_expect(*region_entry(vm, at[i]) & (PAGE_CODE | PAGE_TRANSLATED));
    cr_expect(vm_dma_write(vm, BANK + 0x2001, &x, 4));
    cr_expect_eq(run(in_frame), x, "way %u: a device wrote through the bank", way);
    x = 0x4321;
    memcpy(w.frame.host + BANK_SZ + 0x2001, &x, 4);
    region_written(vm, &w.frame, BANK_SZ + 0x2001, 4);
    for (unsigned i = 0; i < 3; i++)
        cr_expect_eq(run(at[i]), x, "way %u: its owner wrote it", way);
    cr_expect(!vm_region_show(vm, &w.bank, BANK, 0));
    cr_expect_eq(run(BANK + 0x2000), 0x77, "way %u: another bank", way);
    cr_expect_eq(run(in_frame), x);
    cr_expect(!vm_region_show(vm, &w.bank, BANK, BANK_SZ));
    cr_expect_eq(run(BANK + 0x2000), x, "way %u", way);
    vm_region_place(vm, &w.frame, REGION_NOWHERE); /* its views stay */
    store(BANK + 0x2001, 0x55);
    cr_expect_eq(run(ABOVE + BANK_SZ + 0x2000), 0x55, "way %u", way);
    cr_expect_eq(w.frame.host[BANK_SZ + 0x2001], 0x55);
    vm_region_place(vm, &w.bank, REGION_NOWHERE);
    cr_expect_eq(vm->page[BANK >> 12], PAGE_MMIO, "the device's again");
    cr_expect_eq(run(ABOVE + BANK_SZ + 0x2000), 0x55);
    cr_expect_eq(w.rig->cpu->stats.mmio_writes, 0);
}

/* mov ecx, 1000; l: mov [ebx], ecx; add [ebx + 0x1000], ecx; loop l; hlt */
static const uint8_t fill_code[] = {0xb9, 0xe8, 3,    0, 0, 0x89, 0x0b, 1,
                                    0x8b, 0,    0x10, 0, 0, 0xe2, 0xf6, HLT};

/* The log hears through each address, of each page once. */
static void views_log(enum way way)
{
    struct vm *vm = open_views(way);
    const struct vcpu *v = w.rig->cpu;
    const struct {
        uint32_t at;
        unsigned page; /* of the frame */
    } row[] = {{BANK, 16}, {FRAME, 0}, {ABOVE + 0x5000, 5}, {BANK + 0x7000, 23}, {BANK, 16}};

    memcpy(vm->ram + CODE, fill_code, sizeof fill_code);
    region_log_start(vm, &w.frame, w.log);
    region_log_collect(vm, &w.frame, w.out);
    cr_expect(w.frame.page[16] & PAGE_LOGGED);
    cr_expect_eq(vm->page[BANK >> 12], PAGE_OVER | PAGE_LOGGED);
    for (unsigned n = 0; n < ARRAY_LEN(row); n++) {
        w.rig->cpu->gpr[EBX] = row[n].at;
        run(CODE);
        cr_expect_eq(region_log_collect(vm, &w.frame, w.out), 2, "way %u, row %u", way, n);
        cr_expect_eq(w.out[0], 3ull << row[n].page, "way %u, row %u", way, n);
    }
    w.rig->cpu->gpr[EBX] = BANK;
    run(CODE);
    cr_expect_eq(vm->page[BANK >> 12], PAGE_OVER, "full speed: no mark at any address");
    cr_expect(!(w.above.page[16] & PAGE_LOGGED) && !(w.frame.page[16] & PAGE_LOGGED));
    uint64_t slow = v->stats.bt_trap_emulated + v->stats.true_faults + v->stats.tlb_fills;
    run(CODE);
    slow = v->stats.bt_trap_emulated + v->stats.true_faults + v->stats.tlb_fills - slow;
    cr_expect(slow < 10, "way %u: at RAM's speed", way);
    region_log_collect(vm, &w.frame, w.out);
    cr_expect(!vm_region_show(vm, &w.bank, BANK, 2 * BANK_SZ));
    cr_expect_eq(region_log_collect(vm, &w.frame, w.out), 0, "a bank is no write");
    cr_expect_eq(vm->page[BANK >> 12], PAGE_OVER | PAGE_LOGGED, "but is watched");
    vm_region_place(vm, &w.frame, REGION_NOWHERE);
    vm_region_place(vm, &w.above, REGION_NOWHERE);
    region_log_collect(vm, &w.frame, w.out);
    w.rig->cpu->gpr[EBX] = BANK;
    run(CODE);
    region_log_collect(vm, &w.frame, w.out);
    cr_expect_eq(w.out[0], 3ull << 32, "way %u: seen at the view only", way);
    region_log_stop(vm, &w.frame);
    cr_expect_eq(vm->page[BANK >> 12], PAGE_OVER);
}

#define IN_ALL_WAYS(what)                                                                          \
    Test(region, what##_interpreted)                                                               \
    {                                                                                              \
        what(INTERPRETED);                                                                         \
    }                                                                                              \
    Test(region, what##_windows)                                                                   \
    {                                                                                              \
        what(WINDOWS);                                                                             \
    }                                                                                              \
    Test(region, what##_soft)                                                                      \
    {                                                                                              \
        what(SOFT);                                                                                \
    }

IN_ALL_WAYS(views)
IN_ALL_WAYS(views_log)
IN_ALL_WAYS(code_in_rom)
IN_ALL_WAYS(code_in_frame)
IN_ALL_WAYS(moves)
IN_ALL_WAYS(shadowed)
IN_ALL_WAYS(logged)
Test(region, edges)
{
    edges(INTERPRETED);
}
