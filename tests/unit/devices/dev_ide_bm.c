/* SPDX-License-Identifier: MIT */
/*
 * dev_ide_bm.c - bus-master DMA: tables of every shape, beside a model of the disk; what the status
 * register says; what a guest may do in between.
 * uses: devices/ide_bm.c devices/ata_rw.c
 */
#include "tests/rig/ide_fixture.h"
#include "tests/rig/xorshift.h"

#define LBA   (DEV_LBA | DEV_ONES)
#define READY (ST_DRDY | ST_DSC)
#define TABLE 0x20000u
#define DATA  0x100000u
#define LIST  0x5000u

/* A command of `count` sectors by the table at TABLE, to its end. */
static void transfer(struct ide_machine *im, bool write, uint32_t lba, uint16_t count)
{
    out(im->m, BM, 1, 0);
    command_ext(im, PRIMARY, count, lba, write ? 0x35 : 0x25);
    cr_expect_eq(status_of(im, PRIMARY), READY | ST_DRQ);
    bm_start(im, PRIMARY, TABLE, !write);
    host_runs(im);
}

static void expect_end(struct ide_machine *im, uint8_t bm, const char *what)
{
    cr_expect_eq(status_of(im, PRIMARY), READY, "%s", what);
    cr_expect_eq(bm_status(im, PRIMARY), bm, "%s: %02x", what, bm_status(im, PRIMARY));
    cr_expect_eq(intrq(im, PRIMARY), (bm & BMIS_INTR) != 0, "%s", what);
    reg(im, PRIMARY, IDE_COMMAND);
    cr_expect_eq(im->maps, 0, "%s", what);
}

Test(dev_ide_bm, straight_into_memory)
{
    struct ide_machine *im = ide_machine_new();

    for (unsigned n = 0; n < 16; n++)
        prd(im, TABLE, n, DATA + n * 0x20000, 0x10000, n == 15);
    transfer(im, false, 1000, 2048);
    expect_end(im, BMIS_INTR, "1 MiB");
    cr_expect(im->disk.reads == 1 && im->direct == 16, "one request without a copy");
    for (unsigned n = 0; n < 16; n++)
        cr_expect(!memcmp(im->m->ram + DATA + n * 0x20000,
                          im->disk.bytes + 1000 * 512 + n * 0x10000, 0x10000));
    cr_expect(!im->m->ram[DATA + 0x10000], "nothing between the regions");
    transfer(im, true, 40000, 2048);
    expect_end(im, BMIS_INTR, "and back");
    cr_expect(im->disk.writes == 1 &&
              !memcmp(im->disk.bytes + 40000 * 512, im->disk.bytes + 1000 * 512, 1u << 20));
    ide_machine_free(im);
}

/* 32 MiB, the most a command can have, over a table of 512 entries. */
Test(dev_ide_bm, the_longest)
{
    struct ide_machine *im = ide_machine_new();

    for (unsigned n = 0; n < 512; n++)
        prd(im, TABLE, n, DATA + n * 0x10000, 0, n == 511);
    transfer(im, false, 16, 0);
    expect_end(im, BMIS_INTR, "65536 sectors");
    cr_expect(!memcmp(im->m->ram + DATA, im->disk.bytes + 16 * 512, 32u << 20));
    cr_expect_eq(im->disk.reads, 32);
    ide_machine_free(im);
}

Test(dev_ide_bm, status_of_short_and_long_tables)
{
    struct ide_machine *im = ide_machine_new();

    prd(im, TABLE, 0, DATA, 1024, true);
    transfer(im, false, 7, 2);
    expect_end(im, BMIS_INTR, "fits");
    prd(im, TABLE, 0, DATA, 1026, true);
    transfer(im, false, 7, 2);
    expect_end(im, BMIS_INTR | BMIS_ACTIVE, "longer");
    prd(im, TABLE, 0, DATA, 1022, true);
    memset(im->m->ram + DATA, 0, 1024);
    transfer(im, false, 7, 2);
    expect_end(im, 0, "shorter");
    cr_expect(long_at(im->m->ram, DATA) == 7 && long_at(im->m->ram, DATA + 512) == 8 &&
                  im->m->ram[DATA + 1020] == 8 && !im->m->ram[DATA + 1024 - 2],
              "up to the table's end");
    prd(im, TABLE, 0, DATA, 1022, true);
    transfer(im, true, 9, 2);
    expect_end(im, 0, "shorter");
    cr_expect(long_at(im->disk.bytes, 9 * 512) == 7 && long_at(im->disk.bytes, 10 * 512) == 10);
    ide_machine_free(im);
}

/* Pieces of two bytes, holes, borders: what cannot be mapped goes through the buffer. */
Test(dev_ide_bm, through_the_buffer)
{
    struct ide_machine *im = ide_machine_new();

    for (unsigned n = 0; n < 256 * 40; n++)
        prd(im, 0x30000, n % 8192, DATA + n * 4, 2, false);
    for (unsigned n = 0; n < 512; n++)
        prd(im, TABLE, n, DATA + n * 4, 2, n == 511);
    transfer(im, false, 300, 2);
    expect_end(im, BMIS_INTR, "pieces of two bytes");
    for (unsigned n = 0; n < 512; n++)
        cr_expect(!memcmp(im->m->ram + DATA + n * 4, im->disk.bytes + 300 * 512 + n * 2, 2));
    transfer(im, true, 600, 2);
    expect_end(im, BMIS_INTR, "back");
    cr_expect_eq(long_at(im->disk.bytes, 601 * 512), 301);
    prd(im, TABLE, 0, RAM_BYTES - 256, 512, false); /* over memory's end */
    prd(im, TABLE, 1, 0xfffffffe, 0, false);
    prd(im, TABLE, 2, DATA, 512, true);
    transfer(im, false, 300, 130);
    expect_end(im, BMIS_INTR | BMIS_ERROR, "a hole");
    cr_expect(!memcmp(im->m->ram + RAM_BYTES - 256, im->disk.bytes + 300 * 512, 256));
    cr_expect_eq(long_at(im->m->ram, DATA), 429);
    ide_machine_free(im);
}

Test(dev_ide_bm, tables_without_an_end)
{
    struct ide_machine *im = ide_machine_new();

    for (unsigned n = 0; n < 8192; n++) /* 64 KiB of two-byte entries: 32 sectors */
        prd(im, 0x30000, n, DATA, 2, false);
    command(im, PRIMARY, 0, 64, 0, LBA, 0xc8);
    bm_start(im, PRIMARY, 0x30000, true);
    host_runs(im);
    expect_end(im, 0, "ends at 64 KiB");
    command(im, PRIMARY, 0, 64, 0, LBA, 0xc8);
    bm_start(im, PRIMARY, 0xfffffff0, true);
    host_runs(im);
    expect_end(im, BMIS_ERROR, "no memory");
    prd(im, 0x3fff8, 0, DATA, 512, false);
    command(im, PRIMARY, 0, 1, 5, LBA, 0xc8);
    bm_start(im, PRIMARY, 0x3fff8, true);
    host_runs(im);
    expect_end(im, BMIS_INTR, "the last entry before the border");
    ide_machine_free(im);
}

/* Random tables beside a model: the transfer's bytes in order, and not one besides. */
Test(dev_ide_bm, as_a_model)
{
    struct ide_machine *im = ide_machine_new();
    uint8_t *model = malloc(4u << 20);
    uint32_t x = 99;

    for (unsigned round = 0; round < 300; round++) {
        uint16_t count = (uint16_t)(1 + xorshift(&x) % 60);
        uint32_t lba = xorshift(&x) % 50000, left = count * 512u, at = 0;
        unsigned shape = xorshift(&x) % 3;

        memset(im->m->ram + DATA, 0xee, 4u << 20);
        memset(model, 0xee, 4u << 20);
        for (unsigned n = 0; left; n++) {
            uint32_t most = shape ? shape == 1 ? 40 : 4096 : 16384;
            uint32_t len = (1 + xorshift(&x) % most) * 2;

            len = len < left ? len : left;
            memcpy(model + at, im->disk.bytes + lba * 512 + count * 512u - left, len);
            prd(im, TABLE, n, DATA + at, len, len == left);
            left -= len;
            at += len + 2 * (xorshift(&x) % 30);
        }
        transfer(im, false, lba, count);
        expect_end(im, BMIS_INTR, "random");
        cr_assert(!memcmp(im->m->ram + DATA, model, 4u << 20), "round %u", round);
        transfer(im, true, 60000, count);
        expect_end(im, BMIS_INTR, "random, back");
        cr_assert(!memcmp(im->disk.bytes + 60000 * 512, im->disk.bytes + lba * 512, count * 512u));
    }
    free(model);
    ide_machine_free(im);
}

Test(dev_ide_bm, whoever_starts_first)
{
    struct ide_machine *im = ide_machine_new();

    prd(im, TABLE, 0, DATA, 512, true);
    bm_start(im, PRIMARY, TABLE, true);
    cr_expect_eq(bm_status(im, PRIMARY), BMIS_ACTIVE);
    command(im, PRIMARY, 0, 1, 77, LBA, 0xc8);
    cr_expect_eq(status_of(im, PRIMARY), ST_DRDY | ST_BSY);
    host_runs(im);
    expect_end(im, BMIS_INTR, "the engine first");
    cr_expect_eq(long_at(im->m->ram, DATA), 77);
    pci_put(im->m, IDE_FN, PCI_COMMAND, 1, PCI_COMMAND_IO);
    command(im, PRIMARY, 0, 1, 78, LBA, 0xc8);
    bm_start(im, PRIMARY, TABLE, true);
    cr_expect_eq(status_of(im, PRIMARY), READY | ST_DRQ, "the bus may not be mastered");
    pci_put(im->m, IDE_FN, PCI_COMMAND, 1, PCI_COMMAND_IO | PCI_COMMAND_MASTER);
    host_runs(im);
    expect_end(im, BMIS_INTR, "now it may");
    cr_expect_eq(long_at(im->m->ram, DATA), 78);
    ide_machine_free(im);
}

Test(dev_ide_bm, stopped_and_reset)
{
    struct ide_machine *im = ide_machine_new();

    for (unsigned n = 0; n < 64; n++)
        prd(im, TABLE, n, DATA + n * 1024, 512, n == 63);
    command(im, PRIMARY, 0, 64, 100, LBA, 0xc8);
    bm_start(im, PRIMARY, TABLE, true);
    out(im->m, BM, 1, 0);
    cr_expect(im->maps && !bm_status(im, PRIMARY), "inactive, with a request out");
    host_runs(im);
    cr_expect_eq(im->maps, 0);
    cr_expect_eq(status_of(im, PRIMARY), READY | ST_DRQ, "the disk has more");
    bm_start(im, PRIMARY, TABLE, true);
    cr_expect_gt(im->maps, 0);
    out(im->m, PRIMARY + ALTERNATE, 1, CTL_SRST);
    out(im->m, PRIMARY + ALTERNATE, 1, 0);
    cr_expect_eq(status_of(im, PRIMARY), ST_BSY);
    host_runs(im);
    cr_expect(!im->maps && status_of(im, PRIMARY) == READY && !intrq(im, PRIMARY));
    command(im, PRIMARY, 0, 64, 100, LBA, 0xca);
    bm_start(im, PRIMARY, TABLE, false);
    pc_reset(im->m->pc, im->m->now);
    host_runs(im);
    cr_expect(!im->maps && status_of(im, PRIMARY) == READY && !intrq(im, PRIMARY));
    ide_machine_free(im);
}

Test(dev_ide_bm, errors)
{
    struct ide_machine *im = ide_machine_new();

    for (unsigned n = 0; n < 32; n++)
        prd(im, TABLE, n, DATA + n * 1024, 512, n == 31);
    command(im, PRIMARY, 0, 32, 0x1000, LBA, 0xc8);
    bm_start(im, PRIMARY, TABLE, true);
    memory_disk_run(&im->disk, 1);
    pc_run_until(im->m->pc, im->m->now);
    im->disk.fail = BACKEND_IO;
    host_runs(im);
    cr_expect_eq(status_of(im, PRIMARY), READY | ST_ERR);
    cr_expect(reg(im, PRIMARY, IDE_FEATURE) == ERR_UNC && intrq(im, PRIMARY));
    cr_expect_eq(reg(im, PRIMARY, IDE_LBA_MID) << 8 | reg(im, PRIMARY, IDE_LBA_LOW), 0x1010);
    cr_expect(bm_status(im, PRIMARY) & BMIS_INTR);
    cr_expect_eq(im->maps, 0);
    ide_machine_free(im);
}

Test(dev_ide_bm, fua_and_trim)
{
    struct ide_machine *im = ide_machine_new();
    uint64_t ranges[64] = {0};

    prd(im, TABLE, 0, LIST, 512, true);
    command_ext(im, PRIMARY, 1, 10, 0x3d);
    bm_start(im, PRIMARY, TABLE, false);
    host_runs(im);
    expect_end(im, BMIS_INTR, "forced unit access");
    cr_expect_eq(im->disk.flushes, 1);
    ranges[0] = 4ull << 48 | 100;
    ranges[63] = 1ull << 48 | (DISK_BYTES / 512 - 1);
    memcpy(im->m->ram + LIST, ranges, 512);
    out(im->m, PRIMARY + IDE_COUNT, 1, 1);
    command(im, PRIMARY, 1, 1, 0, LBA, 0x06);
    cr_expect_eq(status_of(im, PRIMARY), READY | ST_ERR, "the count's upper byte was not zero");
    out(im->m, PRIMARY + IDE_COUNT, 1, 0);
    command(im, PRIMARY, 1, 1, 0, LBA, 0x06);
    bm_start(im, PRIMARY, TABLE, false);
    host_runs(im);
    expect_end(im, BMIS_INTR, "trim");
    cr_expect_eq(im->disk.discards, 2);
    cr_expect(!long_at(im->disk.bytes, 103 * 512) && long_at(im->disk.bytes, 104 * 512) == 104);
    ranges[5] = 2ull << 48 | (DISK_BYTES / 512 - 1);
    memcpy(im->m->ram + LIST, ranges, 512);
    out(im->m, PRIMARY + IDE_COUNT, 1, 0);
    command(im, PRIMARY, 1, 1, 0, LBA, 0x06);
    bm_start(im, PRIMARY, TABLE, false);
    host_runs(im);
    cr_expect_eq(status_of(im, PRIMARY), READY | ST_ERR);
    cr_expect(reg(im, PRIMARY, IDE_FEATURE) == ERR_IDNF && im->disk.discards == 3);
    im->disk.info.can_discard = false;
    command(im, PRIMARY, 1, 1, 0, LBA, 0x06);
    cr_expect_eq(reg(im, PRIMARY, IDE_FEATURE), ERR_ABRT);
    ide_machine_free(im);
}

Test(dev_ide_bm, registers)
{
    struct ide_machine *im = ide_machine_new();

    out(im->m, BM + 4, 4, 0x12345677);
    cr_expect_eq(in(im->m, BM + 4, 4), 0x12345674);
    out(im->m, BM + 13, 1, 0xab);
    cr_expect_eq(in(im->m, BM + 12, 4), 0xab00);
    out(im->m, BM + 8, 4, 0x00600008);
    cr_expect_eq(in(im->m, BM + 8, 4), 0x00600008);
    cr_expect_eq(in(im->m, BM + 10, 1), 0x60);
    cr_expect_eq(in(im->m, BM, 4), 0);
    ide_machine_free(im);
}
