/* SPDX-License-Identifier: MIT */
/*
 * dev_ide.c - the channels: who is there and who is not, resets at any moment, the interrupt line,
 * what PCI switches on and off, snapshots.
 * uses: devices/piix3_ide.c devices/ide_channel.c devices/ide_transfer.c
 */
#include "tests/rig/ide_fixture.h"

#define LBA      (DEV_LBA | DEV_ONES)
#define READY    (ST_DRDY | ST_DSC)
#define SNAPSHOT (4u << 20)

static void expect_signature(struct ide_machine *im, uint16_t base, uint8_t mid, uint8_t high)
{
    cr_expect_eq(reg(im, base, IDE_COUNT), 1);
    cr_expect_eq(reg(im, base, IDE_LBA_LOW), 1);
    cr_expect_eq(reg(im, base, IDE_LBA_MID), mid);
    cr_expect_eq(reg(im, base, IDE_LBA_HIGH), high);
    cr_expect_eq(reg(im, base, IDE_FEATURE), 1, "the diagnostic passed");
}

Test(dev_ide, after_power_on)
{
    struct ide_machine *im = ide_machine_new();

    cr_expect_eq(pci_get(im->m, IDE_FN, 0, 4), 0x70108086);
    cr_expect_eq(pci_get(im->m, IDE_FN, 8, 4), 0x01018000);
    cr_expect_eq(pci_get(im->m, IDE_FN, 0x20, 4), BM | 1);
    expect_signature(im, PRIMARY, 0, 0);
    expect_signature(im, SECONDARY, 0x14, 0xeb);
    cr_expect_eq(status_of(im, PRIMARY), READY);
    cr_expect_eq(status_of(im, SECONDARY), 0, "a packet device is not ready yet");
    cr_expect(!intrq(im, PRIMARY) && !intrq(im, SECONDARY));
    ide_machine_free(im);
}

/* The slave's registers are its master's, its status is 00h; commands to it do nothing. */
Test(dev_ide, nobody_is_the_slave)
{
    struct ide_machine *im = ide_machine_new();

    out(im->m, PRIMARY + IDE_DEVICE, 1, DEV_ONES | DEV_DEV);
    out(im->m, PRIMARY + IDE_COUNT, 1, 0x55);
    out(im->m, PRIMARY + IDE_LBA_LOW, 1, 0xaa);
    cr_expect(reg(im, PRIMARY, IDE_COUNT) == 0x55 && reg(im, PRIMARY, IDE_LBA_LOW) == 0xaa);
    cr_expect_eq(reg(im, PRIMARY, IDE_DEVICE), DEV_ONES | DEV_DEV);
    cr_expect_eq(status_of(im, PRIMARY), 0);
    out(im->m, PRIMARY + IDE_COMMAND, 1, 0xec);
    cr_expect(!status_of(im, PRIMARY) && !intrq(im, PRIMARY));
    cr_expect_eq(in(im->m, PRIMARY, 2), 0);
    out(im->m, PRIMARY + IDE_DEVICE, 1, DEV_ONES);
    cr_expect_eq(status_of(im, PRIMARY), READY);
    ide_machine_free(im);
}

static void board_with(struct ide_machine *im, bool always)
{
    struct pc_config cfg = machine_config(im->m, 1);

    cfg.ide_always = always;
    cr_assert_eq(pc_init(im->m->pc, &cfg, NULL), 0);
}

Test(dev_ide, empty_channels)
{
    struct ide_machine im = {.m = calloc(1, sizeof *im.m)};

    im.m->ram = calloc(1, RAM_BYTES);
    for (unsigned always = 0; always < 2; always++) {
        im.m->pc = calloc(1, pc_size());
        im.m->mem = im.m->port = (struct bus){0};
        board_with(&im, always);
        cr_expect_eq(pci_get(im.m, IDE_FN, 0, 4), always ? 0x70108086 : UINT32_MAX);
        out(im.m, PRIMARY + IDE_COUNT, 1, 0x55);
        cr_expect_eq(reg(&im, PRIMARY, IDE_COUNT), always ? 0 : 0xff);
        cr_expect_eq(status_of(&im, PRIMARY), always ? 0 : 0xff);
        out(im.m, PRIMARY + IDE_COMMAND, 1, 0xec);
        cr_expect_eq(status_of(&im, PRIMARY), always ? 0 : 0xff);
        free(im.m->pc);
    }
    free(im.m->ram);
    free(im.m);
}

Test(dev_ide, refuses_what_cannot_be)
{
    static const struct pc_drive bad[] = {
        {.kind = DRIVE_DISK}, /* no medium */
        {.kind = DRIVE_DISK, .cylinders = 16384, .heads = 16, .sectors = 63},
        {.kind = DRIVE_DISK, .cylinders = 100, .heads = 17, .sectors = 63},
        {.kind = DRIVE_DISK, .cylinders = 100, .heads = 0, .sectors = 63},
        {.kind = DRIVE_DISK, .cylinders = 100, .heads = 16, .sectors = 0},
    };
    struct ide_machine *im = ide_machine_new();

    for (unsigned n = 0; n < ARRAY_LEN(bad); n++) {
        struct pc_config cfg = im->m->pc->cfg;
        struct bus mem = {0}, port = {0};
        struct pc *pc = calloc(1, pc_size());
        const char *why = NULL;

        cfg.mem = &mem;
        cfg.port = &port;
        cfg.ide[1] = bad[n];
        if (n)
            cfg.ide[1].block = cfg.ide[0].block;
        cr_expect(pc_init(pc, &cfg, &why) == -1 && why, "row %u", n);
        free(pc);
    }
    ide_machine_free(im);
}

Test(dev_ide, decoded_by_pci)
{
    struct ide_machine *im = ide_machine_new();

    pci_put(im->m, IDE_FN, 0x41, 1, 0);
    cr_expect_eq(status_of(im, PRIMARY), 0xff);
    cr_expect_eq(status_of(im, SECONDARY), 0);
    pci_put(im->m, IDE_FN, 0x41, 1, 0x80);
    cr_expect_eq(status_of(im, PRIMARY), READY);
    pci_put(im->m, IDE_FN, PCI_COMMAND, 1, 0);
    cr_expect_eq(status_of(im, PRIMARY), 0xff);
    cr_expect_eq(in(im->m, BM + 2, 1), 0xff);
    pci_put(im->m, IDE_FN, PCI_COMMAND, 1, 5);
    cr_expect_eq(status_of(im, PRIMARY), READY);
    cr_expect_eq(in(im->m, BM + 2, 1), 0);
    ide_machine_free(im);
}

/* nIEN holds the line, not the interrupt; reading status takes it, the alternate status does
 * not. */
Test(dev_ide, interrupt_line)
{
    struct ide_machine *im = ide_machine_new();

    command(im, PRIMARY, 0, 0, 0, LBA, 0xec);
    cr_expect(intrq(im, PRIMARY) && !intrq(im, SECONDARY));
    cr_expect_eq(bm_status(im, PRIMARY), BMIS_INTR);
    cr_expect_eq(status_of(im, PRIMARY), READY | ST_DRQ);
    cr_expect(intrq(im, PRIMARY));
    out(im->m, PRIMARY + ALTERNATE, 1, CTL_NIEN);
    cr_expect(!intrq(im, PRIMARY));
    out(im->m, PRIMARY + ALTERNATE, 1, 0);
    cr_expect(intrq(im, PRIMARY));
    out(im->m, BM + 2, 1, BMIS_INTR | 0x20);
    cr_expect_eq(bm_status(im, PRIMARY), 0x20, "an edge, and a bit for drivers");
    reg(im, PRIMARY, IDE_COMMAND);
    cr_expect(!intrq(im, PRIMARY));
    cr_expect_eq(in(im->m, 0xa1, 1), 0xff);
    ide_machine_free(im);
}

Test(dev_ide, no_writes_while_busy)
{
    struct ide_machine *im = ide_machine_new();

    command(im, PRIMARY, 0, 1, 5, LBA, 0x20);
    cr_expect_eq(status_of(im, PRIMARY) & (ST_BSY | ST_DRQ), ST_BSY);
    command(im, PRIMARY, 0, 9, 0x123456, LBA | DEV_DEV, 0xec);
    cr_expect(status_of(im, PRIMARY) & ST_BSY);
    cr_expect_eq(im->disk.count, 1);
    host_runs(im);
    cr_expect_eq(status_of(im, PRIMARY), READY | ST_DRQ);
    cr_expect_eq(in(im->m, PRIMARY, 4), 5);
    ide_machine_free(im);
}

/* A reset while the host has a request: busy until it comes back, whatever its result. */
Test(dev_ide, software_reset_in_the_middle)
{
    struct ide_machine *im = ide_machine_new();

    for (unsigned round = 0; round < 3; round++) {
        command(im, PRIMARY, 0, 1, 5, LBA, round == 1 ? 0x30 : 0x20);
        if (round == 2)
            im->disk.fail = BACKEND_IO;
        out(im->m, PRIMARY + ALTERNATE, 1, CTL_SRST);
        cr_expect_eq(status_of(im, PRIMARY), ST_BSY);
        command(im, PRIMARY, 0, 1, 5, LBA, 0x20);
        out(im->m, PRIMARY + ALTERNATE, 1, 0);
        cr_expect_eq(status_of(im, PRIMARY), round == 1 ? READY : ST_BSY, "round %u", round);
        command(im, PRIMARY, 0, 1, 5, LBA, 0x20);
        cr_expect_eq(im->disk.count, 1, "round %u", round);
        host_runs(im);
        if (round == 1) /* the command was taken */
            take(im, PRIMARY, im->m->ram, 512);
        else
            expect_signature(im, PRIMARY, 0, 0);
        cr_expect_eq(status_of(im, PRIMARY), READY);
    }
    ide_machine_free(im);
}

Test(dev_ide, diagnostic_and_device_reset)
{
    struct ide_machine *im = ide_machine_new();

    out(im->m, SECONDARY + IDE_DEVICE, 1, DEV_ONES | DEV_DEV);
    out(im->m, SECONDARY + IDE_COMMAND, 1, 0x90);
    cr_expect(intrq(im, SECONDARY));
    expect_signature(im, SECONDARY, 0x14, 0xeb);
    cr_expect_eq(reg(im, SECONDARY, IDE_DEVICE), DEV_ONES);
    reg(im, SECONDARY, IDE_COMMAND);
    command(im, SECONDARY, 0, 0, 0, DEV_ONES, 0xa0);
    cr_expect_eq(status_of(im, SECONDARY), READY | ST_DRQ);
    out(im->m, SECONDARY + IDE_COMMAND, 1, 0x08);
    expect_signature(im, SECONDARY, 0x14, 0xeb);
    cr_expect(!status_of(im, SECONDARY) && !intrq(im, SECONDARY));
    out(im->m, PRIMARY + IDE_COMMAND, 1, 0x08);
    cr_expect_eq(status_of(im, PRIMARY), READY | ST_ERR, "not a packet device");
    cr_expect_eq(reg(im, PRIMARY, IDE_FEATURE), ERR_ABRT);
    ide_machine_free(im);
}

Test(dev_ide, board_reset)
{
    struct ide_machine *im = ide_machine_new();

    command(im, PRIMARY, 0, 1, 5, LBA, 0x20);
    pc_reset(im->m->pc, im->m->now);
    cr_expect_eq(status_of(im, PRIMARY), ST_BSY);
    host_runs(im);
    cr_expect_eq(status_of(im, PRIMARY), READY);
    cr_expect(!intrq(im, PRIMARY));
    command(im, PRIMARY, 0, 1, 7, LBA, 0x20);
    host_runs(im);
    cr_expect_eq(in(im->m, PRIMARY, 4), 7);
    ide_machine_free(im);
}

Test(dev_ide, previous_contents)
{
    struct ide_machine *im = ide_machine_new();

    out(im->m, PRIMARY + IDE_LBA_MID, 1, 0x11);
    out(im->m, PRIMARY + IDE_LBA_MID, 1, 0x22);
    cr_expect_eq(reg(im, PRIMARY, IDE_LBA_MID), 0x22);
    out(im->m, PRIMARY + ALTERNATE, 1, CTL_HOB);
    cr_expect_eq(reg(im, PRIMARY, IDE_LBA_MID), 0x11);
    out(im->m, PRIMARY + IDE_COUNT, 1, 1);
    cr_expect_eq(reg(im, PRIMARY, IDE_LBA_MID), 0x22, "a write ends HOB");
    ide_machine_free(im);
}

/* ---- snapshots ---- */

static struct snapshot saved(struct ide_machine *im)
{
    struct snapshot s = {.bytes = malloc(SNAPSHOT), .size = SNAPSHOT};

    pc_save(im->m->pc, &s);
    s.size = s.at;
    s.at = 0;
    return s;
}

Test(dev_ide, snapshot_in_the_middle)
{
    struct ide_machine *a = ide_machine_new(), *b = ide_machine_new();
    uint32_t sector[128];

    command(a, PRIMARY, 0, 3, 100, LBA, 0x20);
    struct snapshot s = saved(a);
    cr_expect_not_null(s.error, "not while a request is out");
    free(s.bytes);
    host_runs(a);
    take(a, PRIMARY, sector, 512);
    take(a, PRIMARY, sector, 100);
    s = saved(a);
    cr_assert_null(s.error);
    cr_assert(pc_load(b->m->pc, &s, a->m->now), "%s", s.error);
    struct snapshot t = saved(b);
    cr_expect(s.at == t.size && !memcmp(s.bytes, t.bytes, t.size));
    take(b, PRIMARY, sector, 412);
    cr_expect_eq(sector[0], 101);
    take(b, PRIMARY, sector, 512);
    cr_expect_eq(sector[127], 102);
    cr_expect_eq(status_of(b, PRIMARY), READY);
    free(s.bytes);
    free(t.bytes);
    ide_machine_free(a);
    ide_machine_free(b);
}

Test(dev_ide, snapshot_of_another_disk)
{
    struct ide_machine *a = ide_machine_new(), *b = ide_machine_new();
    struct snapshot s = saved(a);

    b->disk.info.size -= 512;
    cr_expect(!pc_load(b->m->pc, &s, a->m->now));
    free(s.bytes);
    ide_machine_free(a);
    ide_machine_free(b);
}
