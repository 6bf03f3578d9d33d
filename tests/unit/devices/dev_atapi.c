/* SPDX-License-Identifier: MIT */
/*
 * dev_atapi.c - a CD-ROM drive: packets, data by PIO with every limit and by DMA, the tray, a new
 * medium, what the drive says of disc and self.
 * uses: devices/atapi.c devices/atapi_cmd.c devices/atapi_toc.c
 */
#include "tests/rig/ide_fixture.h"

#define READY  (ST_DRDY | ST_DSC)
#define FRAMES (CD_BYTES / 2048)
#define TABLE  0x20000u
#define DATA   0x100000u

static uint8_t data[70000];

/* Sends a packet; `limit` is the byte count limit, or 0 for DMA. */
static void send(struct ide_machine *im, uint16_t limit, const uint8_t packet[12])
{
    out(im->m, BM + 8, 1, 0);
    command(im, SECONDARY, limit ? 0 : 1, 0, (uint32_t)limit << 8, DEV_ONES, 0xa0);
    cr_assert_eq(status_of(im, SECONDARY), READY | ST_DRQ);
    cr_assert_eq(reg(im, SECONDARY, IDE_COUNT), 1, "a command is wanted");
    cr_assert(!intrq(im, SECONDARY));
    give(im, SECONDARY, packet, 12);
    host_runs(im);
}

/* Takes all of a packet's data; returns how many bytes. */
static unsigned collect(struct ide_machine *im, uint16_t limit)
{
    unsigned sum = 0;

    while (status_of(im, SECONDARY) & ST_DRQ) {
        unsigned n = reg(im, SECONDARY, IDE_LBA_MID) | reg(im, SECONDARY, IDE_LBA_HIGH) << 8;

        cr_assert_eq(reg(im, SECONDARY, IDE_COUNT), 2, "data to the host");
        cr_assert(n && n <= limit && intrq(im, SECONDARY) && sum + n <= sizeof data);
        reg(im, SECONDARY, IDE_COMMAND);
        take(im, SECONDARY, data + sum, n);
        sum += n;
        host_runs(im);
    }
    cr_assert_eq(reg(im, SECONDARY, IDE_COUNT), 3, "status");
    cr_assert(intrq(im, SECONDARY));
    reg(im, SECONDARY, IDE_COMMAND);
    return sum;
}

/* A packet with data of at most 254 bytes; returns how many, or -1: a check condition. */
static int ask(struct ide_machine *im, const uint8_t packet[12])
{
    send(im, 0x800, packet);
    if (status_of(im, SECONDARY) & ST_ERR) {
        reg(im, SECONDARY, IDE_COMMAND);
        return -1;
    }
    return (int)collect(im, 0x800);
}
#define ASK(im, ...) ask(im, (const uint8_t[12]){__VA_ARGS__})

/* REQUEST SENSE: key, code, qualifier as one number. */
static unsigned sense(struct ide_machine *im)
{
    cr_assert_eq(ASK(im, 0x03, 0, 0, 0, 18), 18);
    return (data[2] & 15u) << 16 | data[12] << 8u | data[13];
}

Test(dev_atapi, identify)
{
    struct ide_machine *im = ide_machine_new();

    command(im, SECONDARY, 0, 0, 0, DEV_ONES, 0xec);
    cr_expect(status_of(im, SECONDARY) & ST_ERR);
    cr_expect(reg(im, SECONDARY, IDE_LBA_MID) == 0x14 && reg(im, SECONDARY, IDE_LBA_HIGH) == 0xeb);
    cr_expect_eq(reg(im, SECONDARY, IDE_FEATURE), ERR_ABRT);
    command(im, SECONDARY, 0, 0, 0, DEV_ONES, 0xa1);
    take(im, SECONDARY, data, 512);
    cr_expect_eq(word_at(data, 0), 0x85c0);
    cr_expect_eq(word_at(data, 49) & 0x0300, 0x0300);
    cr_expect(!memcmp(data + 20, "1R0000 3", 8) && !memcmp(data + 54, "IRGN 1DCR-MO", 12));
    command(im, SECONDARY, 3, 0x22, 0, DEV_ONES, 0xef);
    cr_expect_eq(status_of(im, SECONDARY), READY);
    command(im, SECONDARY, 0, 0, 0, DEV_ONES, 0x30);
    cr_expect(status_of(im, SECONDARY) & ST_ERR);
    command(im, SECONDARY, 2, 0, 0, DEV_ONES, 0xa0);
    cr_expect(status_of(im, SECONDARY) & ST_ERR, "overlap");
    ide_machine_free(im);
}

Test(dev_atapi, says_who_it_is)
{
    struct ide_machine *im = ide_machine_new();

    cr_expect_eq(ASK(im, 0x12, 0, 0, 0, 36), 36);
    cr_expect(data[0] == 5 && data[1] == 0x80 && !memcmp(data + 8, "RING1   CD-ROM", 14));
    cr_expect_eq(ASK(im, 0x12, 0, 0, 0, 5), 5);
    cr_expect_eq(ASK(im, 0x12, 0, 0, 0, 0), 0);
    cr_expect(ASK(im, 0x12, 1, 0, 0, 36) == -1 && sense(im) == 0x52400);
    cr_expect(ASK(im, 0xff) == -1 && sense(im) == 0x52000);
    cr_expect_eq(sense(im), 0, "once");
    cr_expect_eq(ASK(im, 0), 0, "ready");
    cr_expect_eq(ASK(im, 0x46, 0, 0, 0, 0, 0, 0, 0, 200), 40);
    cr_expect(data[3] == 36 && data[7] == 8);
    cr_expect_eq(ASK(im, 0x5a, 0, 0x2a, 0, 0, 0, 0, 0, 200), 30);
    cr_expect(data[1] == 28 && data[8] == 0x2a && data[9] == 20);
    cr_expect_eq(ASK(im, 0x1a, 0, 0x3f, 0, 200), 4 + 8 + 22);
    cr_expect(data[0] == 33 && data[4] == 1 && data[12] == 0x2a);
    cr_expect(ASK(im, 0x5a, 0, 0x0d, 0, 0, 0, 0, 0, 200) == -1 && sense(im) == 0x52400);
    cr_expect(ASK(im, 0x5a, 0, 0xea, 0, 0, 0, 0, 0, 200) == -1 && sense(im) == 0x53900);
    cr_expect(ASK(im, 0xbd, 0, 0, 0, 0, 0, 0, 0, 0, 8) == 8 && !data[1]);
    cr_expect_eq(ASK(im, 0xbb, 0, 0xff, 0xff), 0);
    ide_machine_free(im);
}

Test(dev_atapi, says_what_is_in)
{
    struct ide_machine *im = ide_machine_new();

    cr_expect_eq(ASK(im, 0x25), 8);
    cr_expect(atapi_get_be(data, 4) == FRAMES - 1 && atapi_get_be(data + 4, 4) == 2048);
    cr_expect_eq(ASK(im, 0x43, 0, 0, 0, 0, 0, 0, 0, 100), 20);
    cr_expect(atapi_get_be(data, 4) == 0x00120101 && data[6] == 1 && data[14] == 0xaa &&
              atapi_get_be(data + 16, 4) == FRAMES);
    cr_expect_eq(ASK(im, 0x43, 2, 0, 0, 0, 0, 0xaa, 0, 100), 12);
    cr_expect(data[9] == 0 && data[10] == (FRAMES + 150) / 75 % 60 &&
              data[11] == (FRAMES + 150) % 75);
    cr_expect_eq(ASK(im, 0x43, 0, 1, 0, 0, 0, 0, 0, 100), 12);
    cr_expect_eq(ASK(im, 0x43, 0, 0, 0, 0, 0, 0, 0, 100, 0x40), 12, "where SFF-8020i had it");
    cr_expect_eq(ASK(im, 0x43, 2, 2, 0, 0, 0, 0, 0, 100), 48);
    cr_expect(data[7] == 0xa0 && data[18] == 0xa1 && data[29] == 0xa2 && data[40] == 1 &&
              data[46] == 2);
    cr_expect_eq(ASK(im, 0x43, 0, 0, 0, 0, 0, 2, 0, 100), -1);
    cr_expect_eq(ASK(im, 0x43, 0, 5, 0, 0, 0, 0, 0, 100), -1);
    cr_expect_eq(ASK(im, 0x43, 0, 0, 0, 0, 0, 0, 0, 4), 4, "no more than is asked for");
    cr_expect_eq(ASK(im, 0x51, 0, 0, 0, 0, 0, 0, 0, 100), 34);
    cr_expect(data[1] == 32 && data[2] == 0x0e);
    im->cd.info.size = 0;
    cr_expect(ASK(im, 0x25) == -1 && sense(im) == 0x23a01);
    im->cd.info.size = 2047;
    cr_expect(ASK(im, 0x25) == -1 && sense(im) == 0x23a01, "less than a frame");
    ide_machine_free(im);
}

static void expect_frames(const uint8_t *at, uint32_t lba, unsigned count)
{
    for (unsigned n = 0; n < count * 4; n++)
        cr_assert_eq(long_at(at, n * 512), lba * 4 + n);
}

Test(dev_atapi, read_by_pio)
{
    static const uint16_t limits[] = {2048, 2, 512, 2047, 3000, 0x8000, 0xfffe, 0xffff};
    struct ide_machine *im = ide_machine_new();

    for (unsigned n = 0; n < ARRAY_LEN(limits); n++) {
        send(im, limits[n], (const uint8_t[12]){0x28, 0, 0, 0, 1, 0x23, 0, 0, 9});
        cr_expect_eq(collect(im, limits[n]), 9 * 2048, "limit %u", limits[n]);
        expect_frames(data, 0x123, 9);
        send(im, limits[n], (const uint8_t[12]){0xa8, 0, 0, 0, 7, 0xff, 0, 0, 0, 1});
        cr_expect_eq(collect(im, limits[n]), 2048);
        expect_frames(data, FRAMES - 1, 1);
    }
    cr_expect_eq(ASK(im, 0x28, 0, 0, 0, 8), 0, "none are none");
    cr_expect(ASK(im, 0x28, 0, 0, 0, 8, 0, 0, 0, 1) == -1 && sense(im) == 0x52100);
    cr_expect(ASK(im, 0x28, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 1) == -1 && sense(im) == 0x52100);
    cr_expect(ASK(im, 0xa8, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff) == -1 && sense(im) == 0x52100);
    cr_expect_eq(ASK(im, 0x2b, 0, 0, 0, 7, 0xff), 0);
    cr_expect_eq(ASK(im, 0x2b, 0, 0, 0, 8, 0), -1);
    send(im, 1, (const uint8_t[12]){0x28, 0, 0, 0, 0, 0, 0, 0, 1});
    cr_expect(status_of(im, SECONDARY) & ST_ERR, "nothing fits in a limit of one");
    im->cd.fail = BACKEND_IO;
    cr_expect(ASK(im, 0x28, 0, 0, 0, 0, 0, 0, 0, 1) == -1 && sense(im) == 0x31100);
    ide_machine_free(im);
}

Test(dev_atapi, read_cd)
{
    struct ide_machine *im = ide_machine_new();

    send(im, 2352, (const uint8_t[12]){0xbe, 0, 0, 0, 0, 20, 0, 0, 5, 0xf8});
    cr_expect_eq(collect(im, 2352), 5 * 2352);
    for (unsigned n = 0; n < 5; n++) {
        const uint8_t *f = data + n * 2352;

        cr_expect(!f[0] && f[1] == 0xff && f[10] == 0xff && !f[11]);
        cr_expect(!f[12] && f[13] == 2 && f[14] == 20 + n && f[15] == 1);
        expect_frames(f + 16, 20 + n, 1);
        cr_expect(!f[2064] && !f[2351]);
    }
    send(im, 2048, (const uint8_t[12]){0xbe, 0, 0, 0, 0, 20, 0, 0, 5, 0x10});
    cr_expect_eq(collect(im, 2048), 5 * 2048);
    expect_frames(data, 20, 5);
    cr_expect_eq(ASK(im, 0xbe, 0, 0, 0, 0, 20, 0, 0, 5, 0), 0);
    cr_expect_eq(ASK(im, 0xbe, 0, 0, 0, 0, 20, 0, 0, 5, 0x80), -1);
    ide_machine_free(im);
}

Test(dev_atapi, read_by_dma)
{
    struct ide_machine *im = ide_machine_new();

    for (unsigned n = 0; n < 40; n++)
        prd(im, TABLE, n, DATA + n * 8192, 4096, n == 39);
    send(im, 0, (const uint8_t[12]){0x28, 0, 0, 0, 1, 0, 0, 0, 80});
    cr_expect_eq(status_of(im, SECONDARY), READY | ST_DRQ);
    bm_start(im, SECONDARY, TABLE, true);
    host_runs(im);
    cr_expect(status_of(im, SECONDARY) == READY && intrq(im, SECONDARY));
    cr_expect_eq(bm_status(im, SECONDARY), BMIS_INTR);
    cr_expect_eq(reg(im, SECONDARY, IDE_COUNT), 3);
    for (unsigned n = 0; n < 40; n++)
        expect_frames(im->m->ram + DATA + n * 8192, 0x100 + 2 * n, 2);
    cr_expect(im->cd.reads == 3 && im->direct == 40, "without a copy");
    send(im, 0, (const uint8_t[12]){0xbe, 0, 0, 0, 0, 20, 0, 0, 5, 0xf8});
    bm_start(im, SECONDARY, TABLE, true);
    host_runs(im);
    cr_expect_eq(bm_status(im, SECONDARY), BMIS_INTR | BMIS_ACTIVE, "the table has more");
    cr_expect_eq(im->m->ram[DATA + 12 + 2], 20);
    prd(im, TABLE, 0, DATA, 8, true);
    send(im, 0, (const uint8_t[12]){0x25});
    bm_start(im, SECONDARY, TABLE, true);
    cr_expect(bm_status(im, SECONDARY) == BMIS_INTR && intrq(im, SECONDARY));
    cr_expect_eq(atapi_get_be(im->m->ram + DATA, 4), FRAMES - 1);
    prd(im, TABLE, 0, DATA, 2046, true);
    send(im, 0, (const uint8_t[12]){0x28, 0, 0, 0, 1, 0, 0, 0, 1});
    bm_start(im, SECONDARY, TABLE, true);
    host_runs(im);
    cr_expect(!bm_status(im, SECONDARY) && status_of(im, SECONDARY) == READY, "too short");
    ide_machine_free(im);
}

Test(dev_atapi, tray)
{
    struct ide_machine *im = ide_machine_new();

    cr_expect(ASK(im, 0x1e, 0, 0, 0, 1) == 0 && im->cd.locked);
    cr_expect(ASK(im, 0x1b, 0, 0, 0, 2) == -1 && sense(im) == 0x55302);
    cr_expect(!im->cd.tray_open);
    cr_expect(ASK(im, 0x1e) == 0 && !im->cd.locked);
    cr_expect_eq(ASK(im, 0x1b), 0, "stop");
    cr_expect(ASK(im, 0x1b, 0, 0, 0, 2) == 0 && im->cd.tray_open);
    cr_expect(ASK(im, 0) == -1 && sense(im) == 0x23a02);
    cr_expect(ASK(im, 0xbd, 0, 0, 0, 0, 0, 0, 0, 0, 8) == 8 && data[1] == 0x10);
    cr_expect(ASK(im, 0x1b, 0, 0, 0, 3) == 0 && !im->cd.tray_open);
    cr_expect_eq(ASK(im, 0), 0);
    cr_expect_eq(ASK(im, 0x1e, 0, 0, 0, 1), 0);
    pc_reset(im->m->pc, im->m->now);
    cr_expect(!im->cd.locked, "a reset unlocks");
    ide_machine_free(im);
}

/* The user changes the medium: the guest sees none, then that it changed, then the new one. */
Test(dev_atapi, new_medium)
{
    struct ide_machine *im = ide_machine_new();
    struct blockdev_sink sink = pc_drive_sink(im->m->pc, 2);
    struct blockdev_sink disk = pc_drive_sink(im->m->pc, 0);

    sink.eject_wanted(sink.opaque, im->m->now);
    cr_expect_eq(ASK(im, 0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8), 8);
    cr_expect(data[2] == 4 && data[4] == 1 && data[5] == 2);
    im->cd.info.size = 0;
    sink.medium_changed(sink.opaque, im->m->now);
    cr_expect(ASK(im, 0) == -1 && sense(im) == 0x23a02);
    cr_expect(ASK(im, 0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8) == 8 && !data[4] && data[5] == 1);
    im->cd.info.size = CD_BYTES / 2;
    sink.medium_changed(sink.opaque, im->m->now);
    cr_expect(ASK(im, 0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8) == 8 && data[4] == 2 && data[5] == 2);
    cr_expect(ASK(im, 0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8) == 8 && !data[4]);
    cr_expect_eq(ASK(im, 0x12, 0, 0, 0, 36), 36, "says who it is all the same");
    cr_expect(ASK(im, 0) == -1 && sense(im) == 0x23a00);
    cr_expect(ASK(im, 0x28, 0, 0, 0, 0, 0, 0, 0, 1) == -1 && sense(im) == 0x62800);
    cr_expect(ASK(im, 0x25) == 8 && atapi_get_be(data, 4) == FRAMES / 2 - 1);
    cr_expect_eq(ASK(im, 0x4a, 0, 0, 0, 0x10, 0, 0, 0, 8), -1, "only by polling");
    cr_expect(ASK(im, 0x4a, 1, 0, 0, 0x02, 0, 0, 0, 8) == 4 && data[2] == 0x80);
    disk.medium_changed(disk.opaque, im->m->now);
    disk.eject_wanted(disk.opaque, im->m->now);
    cr_expect_eq(status_of(im, PRIMARY), READY);
    ide_machine_free(im);
}

/* It goes while the drive reads it. */
Test(dev_atapi, medium_taken_out_of_a_read)
{
    struct ide_machine *im = ide_machine_new();
    struct blockdev_sink sink = pc_drive_sink(im->m->pc, 2);

    command(im, SECONDARY, 0, 0, 2048 << 8, DEV_ONES, 0xa0);
    give(im, SECONDARY, (const uint8_t[12]){0x28, 0, 0, 0, 1, 0, 0, 0, 9}, 12);
    cr_expect_eq(status_of(im, SECONDARY), ST_DRDY | ST_BSY);
    im->cd.info.size = 0;
    sink.medium_changed(sink.opaque, im->m->now);
    host_runs(im);
    cr_expect(status_of(im, SECONDARY) & ST_ERR && intrq(im, SECONDARY));
    cr_expect_eq(sense(im), 0x23a00);
    ide_machine_free(im);
}

Test(dev_atapi, odd_lengths)
{
    struct ide_machine *im = ide_machine_new();

    cr_expect_eq(ASK(im, 0x12, 0, 0, 0, 7), 7);
    send(im, 5, (const uint8_t[12]){0x12, 0, 0, 0, 36});
    cr_expect_eq(collect(im, 5), 36, "four by four");
    cr_expect_eq(data[8], 'R');
    ide_machine_free(im);
}
