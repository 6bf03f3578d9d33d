/* SPDX-License-Identifier: MIT */
/*
 * ide_fixture.h - a board with a disk (primary master) and a CD-ROM drive (secondary master), whose
 * media are memory and answer when the test says so.
 */
#ifndef RING1_TESTS_IDE_FIXTURE_H
#define RING1_TESTS_IDE_FIXTURE_H

#include "devices/ide_priv.h"
#include "devices/pc_board.h"
#include "devices/snapshot.h"
#include "tests/rig/backends.h"
#include "tests/rig/pc_fixture.h"

#define DISK_BYTES (40u << 20)
#define CD_BYTES   (4u << 20)
#define RAM_BYTES  (64u << 20)
#define IDE_FN     PCI_DEVFN(1, 1)
#define PRIMARY    0x1f0u
#define SECONDARY  0x170u
#define ALTERNATE  0x206u /* from a channel's first port */
#define BM         PC_BMIDE_BASE

struct ide_machine {
    struct machine *m;
    struct memory_disk disk, cd;
    unsigned maps;   /* live */
    unsigned direct; /* how often memory was mapped */
};

/* How much of a transfer is memory: what is not reads as ones, and takes nothing. */
static uint32_t in_memory(gpa_t gpa, uint32_t len)
{
    uint64_t n = gpa < RAM_BYTES ? RAM_BYTES - gpa : 0;

    return n < len ? (uint32_t)n : len;
}

static uint32_t ide_map(void *o, gpa_t gpa, uint32_t len, bool write, struct dma_map *map)
{
    struct ide_machine *im = o;
    uint32_t n = in_memory(gpa, len);

    *map = (struct dma_map){n ? im->m->ram + gpa : NULL, gpa, n, write, im};
    im->maps += n != 0;
    im->direct += n != 0;
    return n;
}

static void ide_unmap(void *o, struct dma_map *map, uint32_t written)
{
    struct ide_machine *im = o;

    cr_assert(im->maps && map->bytes && written <= map->len);
    im->maps--;
}

static bool ide_dma_read(void *o, gpa_t gpa, void *out, uint32_t len)
{
    const struct ide_machine *im = o;
    uint32_t n = in_memory(gpa, len);

    memset(out, 0xff, len);
    if (n)
        memcpy(out, im->m->ram + gpa, n);
    return n == len;
}

static bool ide_dma_write(void *o, gpa_t gpa, const void *in, uint32_t len)
{
    struct ide_machine *im = o;
    uint32_t n = in_memory(gpa, len);

    if (n)
        memcpy(im->m->ram + gpa, in, n);
    return n == len;
}

/* Sector n of a medium is filled with n, as numbers of 32 bits. */
static void number_sectors(struct memory_disk *d)
{
    for (uint64_t at = 0; at < d->info.size; at += 4) {
        uint32_t n = (uint32_t)(at / IDE_SECTOR);

        memcpy(d->bytes + at, &n, 4);
    }
}

static struct ide_machine *ide_machine_new(void)
{
    struct ide_machine *im = calloc(1, sizeof *im);
    struct machine *m = calloc(1, sizeof *m);
    const char *why = NULL;
    struct pc_config cfg;

    im->m = m;
    m->ram = calloc(1, RAM_BYTES);
    m->pc = calloc(1, pc_size());
    cfg = machine_config(m, 1);
    cfg.dma = (struct dma){im, ide_dma_read, ide_dma_write, ide_map, ide_unmap};
    cfg.ide[0] = (struct pc_drive){.kind = DRIVE_DISK, .block = memory_disk(&im->disk, DISK_BYTES)};
    cfg.ide[2] = (struct pc_drive){.kind = DRIVE_CD, .block = memory_disk(&im->cd, CD_BYTES)};
    im->cd.info.read_only = im->cd.info.removable = true;
    number_sectors(&im->disk);
    number_sectors(&im->cd);
    cr_assert(pc_init(m->pc, &cfg, &why) == 0, "pc_init: %s", why);
    return im;
}

static void ide_machine_free(struct ide_machine *im)
{
    cr_expect_eq(im->maps, 0, "no memory of the guest is kept");
    free(im->disk.bytes);
    free(im->cd.bytes);
    machine_free(im->m);
    free(im);
}

/* The back ends do what waits, and the board hears of it; until nothing waits. */
static void host_runs(struct ide_machine *im)
{
    for (unsigned n = 0; n < 100000 && (im->disk.count || im->cd.count); n++) {
        memory_disk_run(&im->disk, 1);
        memory_disk_run(&im->cd, 1);
        pc_run_until(im->m->pc, im->m->now += 1000);
    }
    pc_run_until(im->m->pc, im->m->now += 1000);
}

static uint8_t status_of(struct ide_machine *im, uint16_t base)
{
    return (uint8_t)in(im->m, (uint16_t)(base + ALTERNATE), 1);
}

static bool intrq(const struct ide_machine *im, uint16_t base)
{
    return im->m->pc->irq_sources[base == PRIMARY ? 14 : 15] != 0;
}

/* A 28-bit command; `device` with its bits LBA and DEV. */
static void command(struct ide_machine *im, uint16_t base, uint8_t feature, uint8_t count,
                    uint32_t lba, uint8_t device, uint8_t code)
{
    out(im->m, base + IDE_DEVICE, 1, device | (lba >> 24 & 15));
    out(im->m, base + IDE_FEATURE, 1, feature);
    out(im->m, base + IDE_COUNT, 1, count);
    out(im->m, base + IDE_LBA_LOW, 1, lba & 0xff);
    out(im->m, base + IDE_LBA_MID, 1, lba >> 8 & 0xff);
    out(im->m, base + IDE_LBA_HIGH, 1, lba >> 16 & 0xff);
    out(im->m, base + IDE_COMMAND, 1, code);
}

static void command_ext(struct ide_machine *im, uint16_t base, uint16_t count, uint64_t lba,
                        uint8_t code)
{
    out(im->m, base + IDE_COUNT, 1, count >> 8);
    out(im->m, base + IDE_LBA_LOW, 1, lba >> 24 & 0xff);
    out(im->m, base + IDE_LBA_MID, 1, lba >> 32 & 0xff);
    out(im->m, base + IDE_LBA_HIGH, 1, lba >> 40 & 0xff);
    command(im, base, 0, (uint8_t)count, lba & 0xffffff, DEV_LBA, code);
}

static uint8_t reg(struct ide_machine *im, uint16_t base, enum ide_reg n)
{
    return (uint8_t)in(im->m, (uint16_t)(base + n), 1);
}

static void take(struct ide_machine *im, uint16_t base, void *to, unsigned len)
{
    for (unsigned n = 0; n < len; n += 2) {
        uint16_t word = (uint16_t)in(im->m, base, 2);

        memcpy((uint8_t *)to + n, &word, 2);
    }
}

static void give(struct ide_machine *im, uint16_t base, const void *from, unsigned len)
{
    for (unsigned n = 0; n < len; n += 2) {
        uint16_t word;

        memcpy(&word, (const uint8_t *)from + n, 2);
        out(im->m, base, 2, word);
    }
}

static uint16_t word_at(const uint8_t *data, unsigned n)
{
    return (uint16_t)(data[2 * n] | data[2 * n + 1] << 8);
}

static uint32_t long_at(const uint8_t *data, size_t at)
{
    uint32_t val;

    memcpy(&val, data + at, 4);
    return val;
}

/* Entry n of a table in guest memory. */
static void prd(struct ide_machine *im, uint32_t table, unsigned n, uint32_t at, uint32_t len,
                bool last)
{
    uint32_t entry[2] = {at, (len & 0xffff) | (last ? 0x80000000u : 0)};

    memcpy(im->m->ram + table + 8 * n, entry, 8);
}

/* The bus master of the channel at `base` starts with a table. */
static void bm_start(struct ide_machine *im, uint16_t base, uint32_t table, bool to_memory)
{
    uint16_t bm = base == PRIMARY ? BM : BM + 8;

    out(im->m, bm, 1, 0);
    out(im->m, bm + 4, 4, table);
    out(im->m, bm + 2, 1, BMIS_INTR | BMIS_ERROR);
    out(im->m, bm, 1, BMIC_SSBM | (to_memory ? BMIC_RWCON : 0));
}

static uint8_t bm_status(struct ide_machine *im, uint16_t base)
{
    return (uint8_t)in(im->m, base == PRIMARY ? BM + 2 : BM + 10, 1);
}

#endif
