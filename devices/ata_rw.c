/* SPDX-License-Identifier: MIT */
/*
 * ata_rw.c - a disk's commands that move sectors (see ide.h).
 *
 * PIO        The buffer is filled for as many sectors as it holds, and given or taken in blocks of
 *            one sector, or of those of SET MULTIPLE, each with its interrupt.
 * Errors     What fails names its sector: the first of the request that the back end refused, of
 *            at most the buffer (PIO) or BLOCK_PIECES runs of the guest's table (DMA).
 * Writes     A command ends when its sectors are written; when the write cache is off, or for FUA,
 *            when they are on stable storage.
 * Source     T13/1410D, sections 8.13, 8.14 (flush), 8.27-8.38 (reads), 8.50-8.62 (writes),
 *            9.5-9.7; T13/1699D (DATA SET MANAGEMENT).
 */
#include "devices/ide_priv.h"

#define COUNT_MAX     0x10000u
#define TRIM_BIT      0x01u
#define TRIM_ENTRY    8u
#define TRIM_ENTRIES  (IDE_SECTOR / TRIM_ENTRY)
#define TRIM_LBA_MASK 0xffffffffffffull

/* Where the command is now, in the registers. */
static void say_place(struct ide_channel *ch)
{
    struct ide_drive *d = ide_active(ch);

    ata_set_lba(d, ch->ext, ch->lba);
    d->reg[0][IDE_COUNT] = (uint8_t)ch->left;
    if (ch->ext)
        d->reg[1][IDE_COUNT] = (uint8_t)(ch->left >> 8);
}

static void fail_here(struct ide_channel *ch, uint8_t error)
{
    say_place(ch);
    ide_fail(ch, error);
}

static void host_error(struct ide_channel *ch, int result, bool write)
{
    if (result == BACKEND_RANGE)
        fail_here(ch, ERR_IDNF);
    else if (result == BACKEND_IO && !write)
        fail_here(ch, ERR_UNC);
    else
        fail_here(ch, ERR_ABRT);
}

/* The step has been done. */
static void progress(struct ide_channel *ch)
{
    uint32_t n = ch->step / IDE_SECTOR;

    n = n < ch->left ? n : ch->left;
    ch->lba += n;
    ch->left -= n;
}

static uint32_t buffer_share(const struct ide_channel *ch)
{
    return ch->left < IDE_MULTIPLE_MAX ? ch->left * IDE_SECTOR : IDE_BUFFER;
}

static void end_write(struct ide_channel *ch)
{
    say_place(ch);
    if (!ch->flush_end) {
        ide_end(ch);
        return;
    }
    ch->job = JOB_ATA_FLUSH;
    ide_submit_range(ch, BLOCK_FLUSH, 0, 0);
}

/* ---- PIO ---- */

static void read_more(struct ide_channel *ch)
{
    ide_submit_buffer(ch, BLOCK_READ, ch->lba * IDE_SECTOR, buffer_share(ch));
}

static void offer_read(struct ide_channel *ch)
{
    ide_offer(ch, PHASE_IN, ch->block);
    ide_irq_raise(ch);
}

void ata_done_read(struct ide_channel *ch, int result)
{
    if (result < 0)
        host_error(ch, result, false);
    else
        offer_read(ch);
}

void ata_block_read(struct ide_channel *ch)
{
    if (ch->at < ch->filled) {
        offer_read(ch);
        return;
    }
    progress(ch);
    if (ch->left) {
        read_more(ch);
        return;
    }
    say_place(ch);
    ide_end_quietly(ch);
}

static void offer_write(struct ide_channel *ch)
{
    uint64_t rest = (uint64_t)ch->left * IDE_SECTOR - ch->at;

    ide_offer(ch, PHASE_OUT, rest < ch->block ? (uint32_t)rest : ch->block);
}

void ata_block_write(struct ide_channel *ch)
{
    if (ch->at >= IDE_BUFFER || ch->at / IDE_SECTOR >= ch->left) {
        ide_submit_buffer(ch, BLOCK_WRITE, ch->lba * IDE_SECTOR, ch->at);
        return;
    }
    offer_write(ch);
    ide_irq_raise(ch);
}

void ata_done_write(struct ide_channel *ch, int result)
{
    if (result < 0) {
        host_error(ch, result, true);
        return;
    }
    progress(ch);
    if (!ch->left) {
        end_write(ch);
        return;
    }
    ch->at = 0;
    offer_write(ch);
    ide_irq_raise(ch);
}

/* ---- DMA ---- */

void ata_master_rw(struct ide_channel *ch)
{
    enum block_op op = ch->job == JOB_ATA_DMA_READ ? BLOCK_READ : BLOCK_WRITE;
    uint32_t n = ch->left < COUNT_MAX ? ch->left : COUNT_MAX;

    ide_bm_submit(ch, op, ch->lba * IDE_SECTOR, n * IDE_SECTOR, IDE_SECTOR);
}

void ata_done_dma(struct ide_channel *ch, int result)
{
    bool write = ch->job == JOB_ATA_DMA_WRITE, fits = ide_bm_complete(ch);

    if (result < 0) {
        ide_bm_finish(ch);
        host_error(ch, result, write);
        return;
    }
    progress(ch);
    if (!fits) {
        ide_bm_short(ch);
    } else if (ch->left) {
        ide_bm_wait(ch);
    } else {
        ide_bm_finish(ch);
        end_write(ch);
    }
}

/* ---- verify, flush ---- */

void ata_done_verify(struct ide_channel *ch, int result)
{
    if (result < 0) {
        host_error(ch, result, false);
        return;
    }
    progress(ch);
    if (ch->left) {
        read_more(ch);
        return;
    }
    say_place(ch);
    ide_end(ch);
}

void ata_done_flush(struct ide_channel *ch, int result)
{
    if (result < 0)
        ide_fail(ch, ERR_ABRT);
    else
        ide_end(ch);
}

void ata_flush(struct ide_channel *ch, const struct ata_command *c)
{
    (void)c;
    ch->job = JOB_ATA_FLUSH;
    ide_submit_range(ch, BLOCK_FLUSH, 0, 0);
}

/* ---- trim ---- */

static uint64_t entry_at(const uint8_t *p)
{
    uint64_t val = 0;

    for (unsigned n = TRIM_ENTRY; n--;)
        val = val << 8 | p[n];
    return val;
}

/* The next range that is not empty; ch->left entries are to go. */
static void trim_next(struct ide_channel *ch)
{
    uint64_t sectors = ide_active(ch)->disk.sectors;

    while (ch->left) {
        uint64_t entry = entry_at(ch->buffer + (TRIM_ENTRIES - ch->left--) * TRIM_ENTRY);
        uint64_t lba = entry & TRIM_LBA_MASK, count = entry >> 48;

        if (lba > sectors || count > sectors - lba) {
            ch->lba = lba;
            fail_here(ch, ERR_IDNF);
            return;
        }
        if (count) {
            ch->lba = lba;
            ide_submit_range(ch, BLOCK_DISCARD, lba * IDE_SECTOR, count * IDE_SECTOR);
            return;
        }
    }
    ide_end(ch);
}

void ata_master_trim(struct ide_channel *ch)
{
    if (ide_bm_copy(ch, ch->buffer, IDE_SECTOR, false) < IDE_SECTOR) {
        ide_bm_short(ch);
        return;
    }
    ide_bm_finish(ch);
    ch->left = TRIM_ENTRIES;
    trim_next(ch);
}

void ata_done_trim(struct ide_channel *ch, int result)
{
    if (result < 0)
        host_error(ch, result, true);
    else
        trim_next(ch);
}

/* IDENTIFY's word 105 says that one sector of ranges is what it takes. */
void ata_trim(struct ide_channel *ch, const struct ata_command *c)
{
    const struct ide_drive *d = ide_active(ch);
    struct blockdev_info info;

    (void)c;
    blockdev_info(ide_back(ch), &info);
    if (!info.can_discard || d->reg[0][IDE_FEATURE] != TRIM_BIT || d->reg[0][IDE_COUNT] != 1 ||
        d->reg[1][IDE_COUNT]) {
        ide_fail(ch, ERR_ABRT);
        return;
    }
    ch->ext = true;
    ch->job = JOB_ATA_TRIM;
    ide_bm_wait(ch);
}

/* ---- the command ---- */

static uint32_t count_of(const struct ide_drive *d, bool ext)
{
    uint32_t n = d->reg[0][IDE_COUNT];

    if (!ext)
        return n ? n : 256;
    n |= (uint32_t)d->reg[1][IDE_COUNT] << 8;
    return n ? n : COUNT_MAX;
}

static void begin(struct ide_channel *ch, uint8_t flags)
{
    bool write = flags & ATA_WRITE;

    ch->at = 0;
    if (flags & ATA_VERIFY) {
        ch->job = JOB_ATA_VERIFY;
        read_more(ch);
    } else if (flags & ATA_DMA) {
        ch->job = write ? JOB_ATA_DMA_WRITE : JOB_ATA_DMA_READ;
        ide_bm_wait(ch);
    } else if (write) {
        ch->job = JOB_ATA_WRITE;
        offer_write(ch);
    } else {
        ch->job = JOB_ATA_READ;
        read_more(ch);
    }
}

void ata_rw(struct ide_channel *ch, const struct ata_command *c)
{
    struct ide_drive *d = ide_active(ch);
    bool many = c->flags & ATA_MULTIPLE, write = c->flags & ATA_WRITE;
    uint64_t sectors = d->disk.sectors;

    ch->ext = c->flags & ATA_EXT;
    ch->flush_end = (c->flags & ATA_FUA) || (write && !d->disk.write_cache);
    ch->block = (many ? d->disk.multiple : 1) * IDE_SECTOR;
    ch->left = count_of(d, ch->ext);
    if (!ch->block)
        ide_fail(ch, ERR_ABRT);
    else if (!ata_get_lba(d, ch->ext, &ch->lba))
        ide_fail(ch, ERR_IDNF);
    else if (ch->lba < sectors && ch->left <= sectors - ch->lba)
        begin(ch, c->flags);
    else {
        ch->lba = ch->lba < sectors ? sectors : ch->lba;
        fail_here(ch, ERR_IDNF);
    }
}
