/* SPDX-License-Identifier: MIT */
/*
 * dev_ata.c - a disk: what it says of itself, sectors by PIO in every way there is, errors and
 * where they are, what reaches stable storage and when.
 * uses: devices/ata.c devices/ata_rw.c devices/ata_identify.c
 */
#include "tests/rig/ide_fixture.h"

#define LBA     (DEV_LBA | DEV_ONES)
#define READY   (ST_DRDY | ST_DSC)
#define SECTORS (DISK_BYTES / 512)

static uint8_t data[512 * 300];

static void identify(struct ide_machine *im, uint8_t *to)
{
    command(im, PRIMARY, 0, 0, 0, LBA, 0xec);
    take(im, PRIMARY, to, 512);
    cr_expect_eq(status_of(im, PRIMARY), READY);
    reg(im, PRIMARY, IDE_COMMAND);
}

static void expect_error(struct ide_machine *im, uint8_t error, const char *what)
{
    cr_expect_eq(status_of(im, PRIMARY), READY | ST_ERR, "%s", what);
    cr_expect_eq(reg(im, PRIMARY, IDE_FEATURE), error, "%s", what);
    cr_expect(intrq(im, PRIMARY), "%s", what);
    reg(im, PRIMARY, IDE_COMMAND);
}

static uint32_t lba28(struct ide_machine *im)
{
    return (uint32_t)(reg(im, PRIMARY, IDE_DEVICE) & 15) << 24 |
           (uint32_t)reg(im, PRIMARY, IDE_LBA_HIGH) << 16 |
           (uint32_t)reg(im, PRIMARY, IDE_LBA_MID) << 8 | reg(im, PRIMARY, IDE_LBA_LOW);
}

Test(dev_ata, identify)
{
    struct ide_machine *im = ide_machine_new();
    uint8_t sum = 0;

    im->disk.info.sector = 4096;
    identify(im, data);
    for (unsigned n = 0; n < 512; n++)
        sum = (uint8_t)(sum + data[n]);
    cr_expect(!sum && data[510] == 0xa5);
    cr_expect_eq(word_at(data, 0), 0x40);
    cr_expect(word_at(data, 1) == SECTORS / 16 / 63 && word_at(data, 3) == 16 &&
              word_at(data, 6) == 63);
    cr_expect(!memcmp(data + 20, "1R0000 1            ", 20), "bytes are swapped");
    cr_expect(!memcmp(data + 54, "IRGN 1AHDRIDKS", 14));
    cr_expect(word_at(data, 47) == 0x8010 && word_at(data, 59) == 0x0110);
    cr_expect_eq(word_at(data, 49) & 0x0300, 0x0300);
    cr_expect_eq(long_at(data, 120), SECTORS);
    cr_expect_eq(long_at(data, 200), SECTORS);
    cr_expect_eq(word_at(data, 83) & 0x3400, 0x3400);
    cr_expect_eq(word_at(data, 106), 0x6003);
    cr_expect_eq(word_at(data, 93) & 0xdf61, 0x4041, "SeaBIOS looks for no device 1 then");
    cr_expect(word_at(data, 80) & 0x80, "Linux discards from ATA-7 on");
    cr_expect(word_at(data, 169) == 1 && word_at(data, 105) == 1);
    im->disk.info.can_discard = false;
    identify(im, data);
    cr_expect(!word_at(data, 169) && !word_at(data, 105));
    ide_machine_free(im);
}

Test(dev_ata, modes_and_features)
{
    static const struct {
        uint8_t feature, count, error;
        uint8_t word;
        uint16_t mask, value;
    } rows[] = {
        {0x03, 0x22, 0, 63, 0x0700, 0x0400}, {0x03, 0x45, 0, 88, 0x3f00, 0x2000},
        {0x03, 0x45, 0, 63, 0x0700, 0},      {0x03, 0x0c, 0, 88, 0x3f00, 0},
        {0x03, 0x46, 4, 88, 0x3f00, 0},      {0x03, 0x23, 4, 63, 0x0700, 0},
        {0x82, 0, 0, 85, 0x20, 0},           {0x02, 0, 0, 85, 0x20, 0x20},
        {0x55, 0, 0, 85, 0x40, 0},           {0xaa, 0, 0, 85, 0x40, 0x40},
        {0x66, 0, 0, 85, 0x40, 0x40},        {0x05, 0x80, 4, 83, 0x08, 0},
    };
    struct ide_machine *im = ide_machine_new();

    for (unsigned n = 0; n < ARRAY_LEN(rows); n++) {
        command(im, PRIMARY, rows[n].feature, rows[n].count, 0, LBA, 0xef);
        host_runs(im);
        cr_expect_eq(reg(im, PRIMARY, IDE_FEATURE), rows[n].error, "row %u", n);
        cr_expect(intrq(im, PRIMARY));
        identify(im, data);
        cr_expect_eq(word_at(data, rows[n].word) & rows[n].mask, rows[n].value, "row %u", n);
    }
    cr_expect_eq(im->disk.flushes, 1, "the cache is emptied before it is off");
    ide_machine_free(im);
}

/* Reads `count` sectors from lba; each block of `block` sectors comes with one interrupt. */
static void read_and_check(struct ide_machine *im, uint32_t lba, unsigned count, unsigned block)
{
    for (unsigned done = 0; done < count; done += block) {
        unsigned n = count - done < block ? count - done : block;

        host_runs(im);
        cr_assert_eq(status_of(im, PRIMARY), READY | ST_DRQ, "lba %u, sector %u", lba, done);
        cr_assert(intrq(im, PRIMARY));
        reg(im, PRIMARY, IDE_COMMAND);
        take(im, PRIMARY, data, n * 512);
        for (unsigned k = 0; k < n * 128; k++)
            cr_assert_eq(long_at(data, k * 4), lba + done + k / 128);
    }
    cr_assert_eq(status_of(im, PRIMARY), READY);
    cr_assert(!intrq(im, PRIMARY), "the last block brings none");
}

Test(dev_ata, read)
{
    static const uint16_t counts[] = {1, 2, 15, 16, 17, 33, 256};
    struct ide_machine *im = ide_machine_new();

    command(im, PRIMARY, 0, 8, 0, LBA, 0xc6);
    reg(im, PRIMARY, IDE_COMMAND);
    for (unsigned n = 0; n < ARRAY_LEN(counts); n++) {
        command(im, PRIMARY, 0, (uint8_t)counts[n], 70000, LBA, 0x20);
        read_and_check(im, 70000, counts[n], 1);
        command_ext(im, PRIMARY, counts[n], 1234, 0x24);
        read_and_check(im, 1234, counts[n], 1);
        command(im, PRIMARY, 0, (uint8_t)counts[n], 70000, LBA, 0xc4);
        read_and_check(im, 70000, counts[n], 8);
        command_ext(im, PRIMARY, counts[n], SECTORS - counts[n], 0x29);
        read_and_check(im, SECTORS - counts[n], counts[n], 8);
    }
    ide_machine_free(im);
}

Test(dev_ata, cylinders_heads_sectors)
{
    struct ide_machine *im = ide_machine_new();

    command(im, PRIMARY, 0, 1, 0x000301, DEV_ONES | 2, 0x20);
    read_and_check(im, (3 * 16 + 2) * 63, 1, 1);
    command(im, PRIMARY, 0, 32, 0, DEV_ONES | 7, 0x91); /* 8 heads of 32 sectors */
    reg(im, PRIMARY, IDE_COMMAND);
    command(im, PRIMARY, 0, 1, 0x000a20, DEV_ONES | 7, 0x20);
    read_and_check(im, (10 * 8 + 7) * 32 + 31, 1, 1);
    identify(im, data);
    cr_expect(word_at(data, 55) == 8 && word_at(data, 56) == 32 && word_at(data, 3) == 16);
    command(im, PRIMARY, 0, 1, 0x000a21, DEV_ONES | 7, 0x20);
    expect_error(im, ERR_IDNF, "sector 33");
    command(im, PRIMARY, 0, 1, 0x000a00, DEV_ONES | 7, 0x20);
    expect_error(im, ERR_IDNF, "sector 0");
    command(im, PRIMARY, 0, 1, 0x000a01, DEV_ONES | 8, 0x20);
    expect_error(im, ERR_IDNF, "head 8");
    command(im, PRIMARY, 0, 0, 0, DEV_ONES, 0x91);
    expect_error(im, ERR_ABRT, "no sectors in a track");
    ide_machine_free(im);
}

static void write_blocks(struct ide_machine *im, const uint8_t *from, unsigned count,
                         unsigned block)
{
    cr_assert(!intrq(im, PRIMARY), "the first block is asked for without an interrupt");
    for (unsigned done = 0; done < count; done += block) {
        unsigned n = count - done < block ? count - done : block;

        host_runs(im);
        cr_assert_eq(status_of(im, PRIMARY), READY | ST_DRQ, "sector %u", done);
        cr_assert_eq(intrq(im, PRIMARY), done != 0);
        reg(im, PRIMARY, IDE_COMMAND);
        give(im, PRIMARY, from + done * 512, n * 512);
    }
}

Test(dev_ata, write)
{
    static const uint16_t counts[] = {1, 2, 15, 16, 17, 33, 256};
    struct ide_machine *im = ide_machine_new();

    command(im, PRIMARY, 0, 4, 0, LBA, 0xc6);
    reg(im, PRIMARY, IDE_COMMAND);
    for (unsigned n = 0; n < ARRAY_LEN(counts) * 4; n++) {
        unsigned count = counts[n / 4], bytes = count * 512;

        memset(data, (int)n + 1, bytes);
        if (n & 1)
            command_ext(im, PRIMARY, (uint16_t)count, 5000, n & 2 ? 0x39 : 0x34);
        else
            command(im, PRIMARY, 0, (uint8_t)count, 5000, LBA, n & 2 ? 0xc5 : 0x30);
        write_blocks(im, data, count, n & 2 ? 4 : 1);
        cr_expect_eq(status_of(im, PRIMARY), ST_DRDY | ST_BSY);
        host_runs(im);
        cr_expect(status_of(im, PRIMARY) == READY && intrq(im, PRIMARY));
        cr_expect(!memcmp(im->disk.bytes + 5000 * 512, data, bytes));
        cr_expect_eq(long_at(im->disk.bytes, (5000 + count) * 512), 5000 + count);
        reg(im, PRIMARY, IDE_COMMAND);
    }
    cr_expect_eq(im->disk.flushes, 0);
    ide_machine_free(im);
}

/* What a command's end promises: FLUSH, a cache that is off, FUA. */
Test(dev_ata, stable_storage)
{
    struct ide_machine *im = ide_machine_new();

    command(im, PRIMARY, 0, 0, 0, LBA, 0xe7);
    cr_expect_eq(status_of(im, PRIMARY), ST_DRDY | ST_BSY);
    cr_expect(!intrq(im, PRIMARY));
    host_runs(im);
    cr_expect(intrq(im, PRIMARY) && im->disk.flushes == 1);
    command(im, PRIMARY, 0x82, 0, 0, LBA, 0xef);
    host_runs(im);
    reg(im, PRIMARY, IDE_COMMAND);
    command(im, PRIMARY, 0, 1, 9, LBA, 0x30);
    give(im, PRIMARY, data, 512);
    memory_disk_run(&im->disk, 1);
    pc_run_until(im->m->pc, im->m->now);
    cr_expect(im->disk.writes == 1 && status_of(im, PRIMARY) & ST_BSY, "written, not yet safe");
    host_runs(im);
    cr_expect(im->disk.flushes == 3 && status_of(im, PRIMARY) == READY);
    reg(im, PRIMARY, IDE_COMMAND);
    command(im, PRIMARY, 0, 0, 0, LBA, 0xea);
    im->disk.fail = BACKEND_IO;
    host_runs(im);
    expect_error(im, ERR_ABRT, "a flush that fails");
    ide_machine_free(im);
}

Test(dev_ata, errors_and_their_place)
{
    static const struct {
        int result;
        uint8_t read, write;
    } rows[] = {{BACKEND_IO, ERR_UNC, ERR_ABRT},
                {BACKEND_RANGE, ERR_IDNF, ERR_IDNF},
                {BACKEND_NO_SPACE, ERR_ABRT, ERR_ABRT},
                {BACKEND_READ_ONLY, ERR_ABRT, ERR_ABRT}};
    struct ide_machine *im = ide_machine_new();

    for (unsigned n = 0; n < ARRAY_LEN(rows); n++) {
        command(im, PRIMARY, 0, 20, 0x12345, LBA, 0x20);
        host_runs(im);
        take(im, PRIMARY, data, 16 * 512);
        im->disk.fail = rows[n].result;
        host_runs(im);
        expect_error(im, rows[n].read, "read");
        cr_expect_eq(lba28(im), 0x12345 + 16);
        cr_expect_eq(reg(im, PRIMARY, IDE_COUNT), 4);
        command(im, PRIMARY, 0, 1, 0x12345, LBA, 0x30);
        give(im, PRIMARY, data, 512);
        im->disk.fail = rows[n].result;
        host_runs(im);
        expect_error(im, rows[n].write, "write");
        cr_expect_eq(lba28(im), 0x12345);
    }
    command(im, PRIMARY, 0, 2, SECTORS - 1, LBA, 0x20);
    expect_error(im, ERR_IDNF, "over the end");
    cr_expect_eq(lba28(im), SECTORS);
    command_ext(im, PRIMARY, 1, 0xfedcba987654ull, 0x24);
    expect_error(im, ERR_IDNF, "far behind the end");
    out(im->m, PRIMARY + ALTERNATE, 1, CTL_HOB);
    cr_expect_eq(reg(im, PRIMARY, IDE_LBA_HIGH), 0xfe);
    command(im, PRIMARY, 0, 0, 0, LBA, 0xc6);
    command(im, PRIMARY, 0, 1, 0, LBA, 0xc4);
    expect_error(im, ERR_ABRT, "multiple is off");
    cr_expect_eq(im->disk.count, 0);
    ide_machine_free(im);
}

Test(dev_ata, without_data)
{
    static const uint8_t well[] = {0x10, 0x1f, 0x70, 0x94, 0x95, 0x96, 0x97, 0x98,
                                   0x99, 0xe0, 0xe1, 0xe2, 0xe3, 0xe5, 0xe6};
    static const uint8_t not_known[] = {0x00, 0x08, 0x22, 0x50, 0x87, 0xa0, 0xa1,
                                        0xf1, 0xf5, 0xf9, 0xff, 0x60, 0x92, 0xb1};
    struct ide_machine *im = ide_machine_new();

    for (unsigned n = 0; n < ARRAY_LEN(well); n++) {
        command(im, PRIMARY, 0, 0, 0, LBA, well[n]);
        cr_expect(status_of(im, PRIMARY) == READY && intrq(im, PRIMARY), "%02x", well[n]);
        reg(im, PRIMARY, IDE_COMMAND);
    }
    for (unsigned n = 0; n < ARRAY_LEN(not_known); n++) {
        command(im, PRIMARY, 0, 0, 0, LBA, not_known[n]);
        expect_error(im, ERR_ABRT, "not known");
    }
    command(im, PRIMARY, 0, 0, 0, LBA, 0xe5);
    cr_expect_eq(reg(im, PRIMARY, IDE_COUNT), 0xff);
    command(im, PRIMARY, 0, 0, 0, LBA, 0xf8);
    cr_expect_eq(lba28(im), SECTORS - 1);
    for (unsigned n = 0; n < 256; n++) {
        command(im, PRIMARY, 0, (uint8_t)n, 0, LBA, 0xc6);
        cr_expect_eq(reg(im, PRIMARY, IDE_FEATURE), n > 16 || (n & (n - 1)) ? ERR_ABRT : 0);
    }
    ide_machine_free(im);
}

Test(dev_ata, verify)
{
    struct ide_machine *im = ide_machine_new();

    command(im, PRIMARY, 0, 40, 100, LBA, 0x40);
    host_runs(im);
    cr_expect(status_of(im, PRIMARY) == READY && intrq(im, PRIMARY) && im->disk.reads == 3);
    reg(im, PRIMARY, IDE_COMMAND);
    command(im, PRIMARY, 0, 40, 100, LBA, 0x40);
    memory_disk_run(&im->disk, 1);
    pc_run_until(im->m->pc, im->m->now);
    im->disk.fail = BACKEND_IO;
    host_runs(im);
    expect_error(im, ERR_UNC, "verify");
    cr_expect_eq(lba28(im), 116);
    ide_machine_free(im);
}

Test(dev_ata, smart)
{
    struct ide_machine *im = ide_machine_new();

    command(im, PRIMARY, 0xda, 0, 0xc24f00, DEV_ONES, 0xb0);
    cr_expect(status_of(im, PRIMARY) == READY && (lba28(im) >> 8 & 0xffff) == 0xc24f);
    command(im, PRIMARY, 0xd9, 0, 0xc24f00, DEV_ONES, 0xb0);
    cr_expect_eq(status_of(im, PRIMARY), READY);
    command(im, PRIMARY, 0xda, 0, 0xc24f00, DEV_ONES, 0xb0);
    expect_error(im, ERR_ABRT, "it is off");
    command(im, PRIMARY, 0xd8, 0, 0xc24f00, DEV_ONES, 0xb0);
    cr_expect_eq(status_of(im, PRIMARY), READY);
    command(im, PRIMARY, 0xd8, 0, 0, DEV_ONES, 0xb0);
    expect_error(im, ERR_ABRT, "no key");
    command(im, PRIMARY, 0xd0, 0, 0xc24f00, DEV_ONES, 0xb0);
    take(im, PRIMARY, data, 512);
    cr_expect_eq(status_of(im, PRIMARY), READY);
    ide_machine_free(im);
}
